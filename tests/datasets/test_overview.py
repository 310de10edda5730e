"""The picture of a data set shows its cases, in proportion, outlined."""

import json

import matplotlib.image
import nibabel as nib
import numpy as np
from matplotlib.axes import Axes

from mmzoo.datasets.overview import choose_cases, draw_overview

DESCRIPTION = {
    "folds": [
        {
            "train": {"moving": ["mr_1", "mr_0", "mr_2"], "fixed": ["ct_0", "ct_1", "ct_2"]},
            "valid": None,
            "test": {"moving": ["mr_3"], "fixed": ["ct_3"]},
        }
    ]
}


def test_moving_and_fixed_cases_take_turns():
    assert choose_cases(DESCRIPTION) == ["mr_0", "ct_0", "mr_1", "ct_1"]


def test_panels_have_the_names_of_the_data_set_s_planes(tmp_path, monkeypatch):
    (tmp_path / "images").mkdir()
    for name in ("mr_0", "ct_0", "mr_1", "ct_1"):
        image = nib.Nifti1Image(np.eye(6)[None].repeat(5, 0), np.eye(4))
        nib.save(image, tmp_path / "images" / f"{name}.nii.gz")
    (tmp_path / "mmzoo.json").write_text(json.dumps(DESCRIPTION | {"planes": ["one", "two", "3"]}))
    titles = []
    monkeypatch.setattr(Axes, "set_title", lambda self, title, **_: titles.append(title))
    draw_overview(tmp_path)
    assert titles[:3] == ["mr_0, one", "mr_0, two", "mr_0, 3"]


def test_labels_are_outlined_in_colour_and_only_they_and_the_ends_of_the_axes_are(tmp_path):
    def coloured(with_label: bool) -> int:
        rng = np.random.default_rng(0)
        for name in ("mr_0", "ct_0", "mr_1", "ct_1"):
            for room in ("images", "labels"):
                (tmp_path / room).mkdir(exist_ok=True)
            image = nib.Nifti1Image(rng.uniform(size=(8, 10, 12)).astype(np.float32), np.eye(4))
            nib.save(image, tmp_path / "images" / f"{name}.nii.gz")
            label = np.zeros((8, 10, 12, 1), np.uint8)
            label[2:6, 3:7, 4:9] = with_label
            nib.save(nib.Nifti1Image(label, np.eye(4)), tmp_path / "labels" / f"{name}.nii.gz")
        (tmp_path / "mmzoo.json").write_text(json.dumps(DESCRIPTION))
        picture = matplotlib.image.imread(draw_overview(tmp_path))[..., :3]
        return int((np.ptp(picture, axis=-1) > 0.1).sum())

    marks = coloured(False)
    assert 0 < marks < 2000
    assert coloured(True) > marks + 500
