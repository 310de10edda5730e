"""Adaptations of reading: images are cached in memory, and seeded runs read ahead."""

import collections
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import tensorflow as tf

from mmzoo.deepreg.adaptations import seeding
from mmzoo.deepreg.adaptations.wrapping import wrapping

GIBIBYTE = 2**30


def cache_size() -> int:
    """Return the size of the image cache in bytes: `MMZOO_CACHE_GB` gibibytes, 1 by default."""
    return int(float(os.environ.get("MMZOO_CACHE_GB", "1")) * GIBIBYTE)


def keep_in_memory(nifti_loader) -> None:
    """Cache the images that were read last, so that an epoch does not unpack all files again.

    DeepReg unpacks two images (and two label maps) from .nii.gz for every step, in the thread
    that feeds the training: at 48^3 with seven label channels 17 ms for a step of 120 ms, on two
    cores that the step wants both. A file that changes on the disk is read anew; links to one
    file share one copy. The arrays are read-only: DeepReg's loaders never write to them.
    """
    kept: collections.OrderedDict = collections.OrderedDict()
    lock = threading.Lock()

    @wrapping(nifti_loader, "load_nifti_file")
    def load_nifti_file(original, file_path):
        try:
            state = os.stat(file_path)
        except OSError:
            return original(file_path)  # its own error message
        key = (state.st_dev, state.st_ino, state.st_mtime_ns, state.st_size)
        with lock:
            if key in kept:
                kept.move_to_end(key)
                return kept[key]
        array = original(file_path)
        array.flags.writeable = False
        with lock:
            kept[key] = array
            while sum(image.nbytes for image in kept.values()) > cache_size():
                kept.popitem(last=False)
        return array


def read_ahead_when_seeded(train_module) -> None:
    """Read and augment the next batch of a seeded training while a step is computed.

    A seed asks for deterministic operations, for which TensorFlow removes prefetching from data
    sets: every step then waits for its batch. `one_ahead` prefetches in order, so the training
    stays the same, bit for bit.
    """

    @wrapping(train_module, "build_dataset")
    def build_dataset(original, *args, **kwargs):
        loader, dataset, steps = original(*args, **kwargs)
        if loader is not None and seeding.is_seeded():
            dataset = one_ahead(dataset)
        return loader, dataset, steps


def one_ahead(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Return a data set of the same elements in the same order, the next one read in a thread."""

    def elements() -> Iterator:
        with tf.device("CPU"):
            source = iter(dataset)
        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(next, source, None)
            while (element := coming.result()) is not None:
                coming = reader.submit(next, source, None)
                yield element

    return tf.data.Dataset.from_generator(elements, output_signature=dataset.element_spec)
