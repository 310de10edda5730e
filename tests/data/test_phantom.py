import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from mmzoo.data import phantom

TINY = phantom.Settings("heart", (16, 16, 16), "heart", None, 3)


def make(out, settings=TINY, **options):
    return phantom.make_data_set(
        settings, out, **{"cases": 2, "folds": 2, "valid": 0, "jobs": 1} | options
    )


def contents(out):
    files = [*out.glob("images/*"), *out.glob("labels/*")]
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("phantom") / "heart"
    make(out)
    return out


def test_same_seed_gives_identical_files_whatever_the_number_of_processes(made, tmp_path):
    make(tmp_path / "again", jobs=2)
    assert len(contents(made)) == 8
    assert contents(tmp_path / "again") == contents(made)


def test_other_seeds_modalities_and_indices_give_other_people():
    volumes = {
        phantom.make_case(replace(TINY, seed=seed), modality, index)[2].tobytes()
        for seed in (3, 4)
        for modality in ("mr", "ct")
        for index in (0, 1)
    }
    assert len(volumes) == 8


def test_description_matches_the_files(made):
    description = json.loads((made / "mmzoo.json").read_text())
    assert description["complete"] and description["seed"] == 3
    assert description["moving"] == "mr" and description["fixed"] == "ct"
    assert description["labels"][:2] == ["left ventricle cavity", "myocardium"]
    for case, info in description["cases"].items():
        image = nib.load(made / "images" / f"{case}.nii.gz")
        assert image.header.get_zooms() == pytest.approx(info["spacing_mm"], rel=1e-5)
        assert list(image.shape) == info["shape"] == [16, 16, 16]
        assert nib.load(made / "labels" / f"{case}.nii.gz").shape[3] == len(description["labels"])


def test_an_interrupted_run_goes_on_and_keeps_what_was_finished(made, tmp_path):
    seen = []

    def interrupt(done, total):
        seen.append(done)
        if done == 2:
            raise KeyboardInterrupt

    out = tmp_path / "heart"
    with pytest.raises(KeyboardInterrupt):
        make(out, report=interrupt)
    assert seen == [0, 1, 2]
    assert json.loads((out / "mmzoo.json").read_text())["complete"] is False
    before = {path: path.stat().st_mtime_ns for path in out.glob("images/*")}
    make(out, report=lambda done, total: seen.append((done, total)))
    assert seen[3:] == [(2, 4), (3, 4), (4, 4)]
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    assert contents(out) == contents(made)


def test_more_people_may_be_added_later(made, tmp_path):
    out = tmp_path / "heart"
    make(out)
    first = contents(out)
    description = make(out, cases=3, folds=3)
    assert len(description["cases"]) == 6 and len(description["folds"]) == 3
    assert first.items() <= contents(out).items()


def test_other_settings_are_refused_and_nothing_is_touched(made):
    before = contents(made)
    with pytest.raises(ValueError, match=r"other settings \(seed 3 there, 4 asked for\)"):
        make(made, replace(TINY, seed=4))
    assert contents(made) == before


def test_overwrite_replaces_data_of_other_settings(tmp_path):
    out = tmp_path / "heart"
    make(out)
    before = contents(out)
    make(out, replace(TINY, seed=4), overwrite=True)
    assert contents(out).keys() == before.keys()
    assert all(contents(out)[name] != before[name] for name in before)


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(ValueError, match="was not made by mmzoo"):
        make(tmp_path, overwrite=True)


def test_spacing_fixes_the_voxel_size_and_centres_on_the_heart():
    settings = replace(TINY, spacing=(8.0, 9.0, 10.0))
    _, labels, affine = phantom.make_case(settings, "ct", 0)
    assert np.diag(affine)[:3] == pytest.approx([8, 9, 10])
    inside = np.argwhere(labels.any(-1))
    assert (inside.min(0) + inside.max(0)) / 2 == pytest.approx([7.5] * 3, abs=1.01)


def test_box_in_millimetres_has_those_edges():
    _, _, affine = phantom.make_case(replace(TINY, fov=(160.0, 144.0, 192.0)), "mr", 0)
    assert np.diag(affine)[:3] == pytest.approx([10, 9, 12])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fov": "hart"}, "`fov` is 'hart': did you mean 'heart'"),
        ({"fov": (160.0, 0.0, 160.0)}, "`fov` must be a number above 0, got 0.0"),
        ({"spacing": (2.0, -1.0, 2.0)}, "`spacing` must be a number above 0, got -1.0"),
        ({"size": (64, 64, 8)}, "`size` must be multiples of 16.*got .64, 64, 8."),
        ({"size": (60, 64, 64)}, "`size` must be multiples of 16.*use .64, 64, 64."),
        ({"fov": (160.0,) * 3, "spacing": (2.0,) * 3}, "already says how large"),
        ({"seed": -1}, "`seed` must be a number at least 0, got -1"),
    ],
)
def test_wrong_settings_are_named_before_anything_is_written(change, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        make(tmp_path / "out", replace(TINY, **change))
    assert not (tmp_path / "out").exists()


def test_too_few_people_are_named_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="2 moving cases cannot be split into 4 folds"):
        make(tmp_path / "out", folds=4)
    assert not (tmp_path / "out").exists()
