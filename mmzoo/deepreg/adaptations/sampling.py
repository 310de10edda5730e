"""Adaptation of DeepReg's loaders: patches, and intensities scaled by percentiles.

Source: de Vos et al. 2020, section 3. The keys are `patch_size` and `percentiles` of
`train.preprocess`, checked in `mmzoo.deepreg.preflight.sampling`.
"""

import weakref
from collections.abc import Iterator
from random import Random

import numpy as np

from mmzoo.deepreg.adaptations.seeding import draw_generator
from mmzoo.deepreg.adaptations.wrapping import wrapping

BELOW_ONE = np.nextafter(np.float32(1), np.float32(0))  # the open end of [0, 1)

Place = tuple[slice, ...]


def cut_patches_and_scale(interface) -> None:
    """Let the loaders cut patches for training, and scale by percentiles everywhere.

    In training and its validation, which share a model of one size, a loader reports the patch size
    as its image size, so that DeepReg's resizing, augmentation and model use it. In prediction it
    gives whole volumes. Training is recognised by its repeated data set.
    """
    loader_class, generator_class = interface.DataLoader, interface.GeneratorDataLoader
    loader_class.sampler = None

    @wrapping(loader_class, "get_dataset_and_preprocess")
    def get_dataset_and_preprocess(
        original, self, *, repeat, patch_size=None, percentiles=None, **kwargs
    ):
        patch_size = patch_size if repeat else None
        if patch_size or percentiles:
            self.sampler = Sampler(self, interface.normalize_array, patch_size, percentiles)
        return original(self, repeat=repeat, **kwargs)

    @wrapping(generator_class, "data_generator")
    def data_generator(original, self):
        yield from original(self) if self.sampler is None else self.sampler.samples()

    for abstract in (interface.AbstractPairedDataLoader, interface.AbstractUnpairedDataLoader):
        for name in ("moving_image_shape", "fixed_image_shape"):
            setattr(abstract, name, _patch_or(getattr(abstract, name)))


def _patch_or(whole: property) -> property:
    """Return a property of loaders: the patch size, else the original value."""

    def shape(self):
        return (self.sampler and self.sampler.patch_size) or whole.__get__(self)

    return property(shape, doc=whole.__doc__)


class Sampler:
    """Yields a loader's samples, scaled and, with a patch size, cut.

    Images and labels of a pair share the patch's position, drawn uniformly: anew each time in
    training, from the run's seed; fixed in validation. Patches are cut from the cached images
    before anything is computed.
    """

    def __init__(self, loader, scale, patch_size=None, percentiles=None):
        """Keep the settings.

        Args:
            loader: of DeepReg, all its settings made.
            scale: DeepReg's `normalize_array`, which clamps to two values and brings them to 0, 1.
            patch_size: (dim1, dim2, dim3), or None for whole volumes.
            percentiles: (low, high) in percent, of an image's own voxels as they are in the file,
                or None for DeepReg's minimum and maximum.
        """
        self.loader = loader
        self.scale = scale
        self.whole_shape = tuple(loader.fixed_image_shape)
        self.patch_size = patch_size and tuple(patch_size)
        self.percentiles = percentiles
        self._known: dict = {}  # by side and index: the array itself and its limits

    def samples(self) -> Iterator[dict]:
        """Yield what DeepReg's `data_generator` does."""
        loader = self.loader
        draws = draw_generator(loader.seed) if self.patch_size else None
        for moving, fixed, image_indices in loader.sample_index_generator():
            place = self._draw(draws) if draws else None
            yield from loader.sample_image_label(
                moving_image=self._image("moving", moving, place),
                fixed_image=self._image("fixed", fixed, place),
                moving_label=self._label("moving", moving, place) if loader.labeled else None,
                fixed_label=self._label("fixed", fixed, place) if loader.labeled else None,
                image_indices=image_indices,
            )

    def _draw(self, draws: Random) -> Place:
        """Return a place for a patch."""
        sizes = zip(self.whole_shape, self.patch_size, strict=True)
        starts = [draws.randint(0, whole - patch) for whole, patch in sizes]
        return tuple(slice(a, a + n) for a, n in zip(starts, self.patch_size, strict=True))

    def _image(self, side: str, index, place: Place | None) -> np.ndarray:
        image = getattr(self.loader, f"loader_{side}_image").get_data(index=index)
        limits = self._limits((side, index), image)
        if place and image.shape == self.whole_shape:
            return self._scaled(image[place], limits)  # less to scale, the same values
        return _cut(self._scaled(image, limits), self.whole_shape, place)

    def _label(self, side: str, index, place: Place | None) -> np.ndarray:
        label = getattr(self.loader, f"loader_{side}_label").get_data(index=index)
        return _cut(label, self.whole_shape, place)

    def _limits(self, key, image: np.ndarray) -> tuple[float, float]:
        """Return the intensities that become 0 and 1, computed once for a cached image."""
        known = self._known.get(key)
        if known is None or known[0]() is not image:
            known = weakref.ref(image), intensity_limits(image, self.percentiles)
            self._known[key] = known
        return known[1]

    def _scaled(self, image: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
        scaled = self.scale(image, *limits)
        return np.minimum(scaled, BELOW_ONE) if self.percentiles else scaled


def intensity_limits(image: np.ndarray, percentiles=None) -> tuple[float, float]:
    """Return two percentiles of an image (linear between ranks), or its minimum and maximum."""
    low, high = np.percentile(image, percentiles or (0, 100))
    return float(low), float(high)


def _cut(array: np.ndarray, whole_shape: tuple, place: Place | None) -> np.ndarray:
    """Return a patch of a volume after DeepReg's resizing; without a place the volume as it is."""
    if place is None:
        return array
    if array.shape[:3] != whole_shape:
        from deepreg.model.layer_util import resize3d

        channels = np.moveaxis(array[..., None] if array.ndim == 3 else array, -1, 0)
        resized = np.moveaxis(resize3d(channels, whole_shape).numpy(), 0, -1)
        array = resized.reshape(*whole_shape, *array.shape[3:])
    return array[place]
