"""Images are read once while they fit, and anew when they change."""

import os
import threading

import nibabel as nib
import numpy as np
import pytest
import tensorflow as tf
from deepreg.dataset.loader import nifti_loader

from mmzoo.deepreg.adaptations import seeding
from mmzoo.deepreg.adaptations.loading import one_ahead


def save(path, value):
    nib.save(nib.Nifti1Image(np.full((4, 5, 6), value, np.float32), np.eye(4)), path)
    return str(path)


@pytest.fixture
def reads(monkeypatch):
    """The files that nibabel was asked for."""
    asked, load = [], nib.load
    monkeypatch.setattr(nifti_loader.nib, "load", lambda path: asked.append(path) or load(path))
    return asked


def test_a_file_and_links_to_it_are_read_once_and_keep_their_values(tmp_path, reads):
    path = save(tmp_path / "a.nii.gz", 3)
    (tmp_path / "link.nii.gz").symlink_to("a.nii.gz")
    for name in (path, str(tmp_path / "link.nii.gz"), path):
        assert (nifti_loader.load_nifti_file(name) == 3).all()
    assert len(reads) == 1


def test_a_file_that_changed_is_read_again(tmp_path):
    path = save(tmp_path / "a.nii.gz", 3)
    nifti_loader.load_nifti_file(path)
    save(path, 4)
    os.utime(path, ns=(1, 1))
    assert (nifti_loader.load_nifti_file(path) == 4).all()


def test_no_more_is_kept_than_asked_for(tmp_path, reads, monkeypatch):
    monkeypatch.setenv("MMZOO_CACHE_GB", str(1.5 * 4 * 5 * 6 * 4 / 2**30))  # one image and a half
    paths = [save(tmp_path / f"{name}.nii", 1) for name in "ab"]
    for path in (*paths, paths[1], paths[0]):
        nifti_loader.load_nifti_file(path)
    assert reads == [*paths, paths[0]]


def test_a_missing_file_and_a_wrong_suffix_keep_deepregs_errors(tmp_path):
    with pytest.raises(FileNotFoundError):
        nifti_loader.load_nifti_file(str(tmp_path / "none.nii"))
    with pytest.raises(ValueError, match="must end with .nii or .nii.gz"):
        nifti_loader.load_nifti_file(__file__)


# === Reading ahead ===


def test_the_next_element_is_read_while_one_is_used():
    asked = [threading.Event() for _ in range(4)]

    def numbers():
        for number, event in enumerate(asked):
            event.set()
            yield {"number": np.float32(number)}

    spec = {"number": tf.TensorSpec((), tf.float32)}
    ahead = one_ahead(tf.data.Dataset.from_generator(numbers, output_signature=spec))
    assert ahead.element_spec == spec
    elements = iter(ahead)
    assert float(next(elements)["number"]) == 0
    assert asked[1].wait(30)  # without anyone asking for it
    assert [float(element["number"]) for element in elements] == [1, 2, 3]


def test_a_failure_to_read_reaches_who_asks():
    def broken():
        yield np.float32(0)
        raise OSError("the disk is gone")

    signature = tf.TensorSpec((), tf.float32)
    elements = iter(one_ahead(tf.data.Dataset.from_generator(broken, output_signature=signature)))
    next(elements)
    with pytest.raises(tf.errors.OpError, match="the disk is gone"):
        next(elements)


def test_a_training_that_reads_ahead_is_the_same_bit_for_bit(
    config, write_config, run_train, trained, monkeypatch
):
    """Four pairs in random order, each deformed at random: `trained` read ahead, this does not."""
    monkeypatch.setattr(seeding, "is_seeded", lambda: False)
    run = run_train(write_config(config))
    seeding.seed_run(None)
    ours, theirs = (tf.train.load_checkpoint(str(r / "save/ckpt-2")) for r in (run, trained))
    names = [n for n in theirs.get_variable_to_shape_map() if n != "_CHECKPOINTABLE_OBJECT_GRAPH"]
    assert len(names) > 20
    for name in names:
        np.testing.assert_array_equal(ours.get_tensor(name), theirs.get_tensor(name))
