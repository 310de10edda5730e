"""Images are read once while they fit, and anew when they change."""

import os

import nibabel as nib
import numpy as np
import pytest
from deepreg.dataset.loader import nifti_loader


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
