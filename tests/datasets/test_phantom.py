import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from helpers_phantom import millilitres

from mmzoo.datasets import phantom

TINY = phantom.PhantomSettings("heart", (16, 16, 16), "heart", None, 3)
BELLY = phantom.PhantomSettings("abdomen", (16, 16, 16), seed=3)


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
    with pytest.raises(ValueError, match=r"other settings or files \(seed 3 there, 4 asked for\)"):
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


@pytest.mark.parametrize("settings", [TINY, BELLY], ids=lambda settings: settings.name)
def test_the_first_field_of_view_is_a_box_round_the_organ_up_to_the_margin(settings):
    settings = replace(settings, size=(48, 48, 48))
    _, labels, affine = phantom.make_case(settings, "ct", 0)
    shown = labels[..., :1] if settings.name == "abdomen" else labels
    inside, spacing = np.argwhere(shown.any(-1)), np.diag(affine)[:3]
    for gap in (inside.min(0) * spacing, (47 - inside.max(0)) * spacing):
        assert np.all(gap > 3) and np.all(gap < 22)


def test_the_field_of_view_round_all_organs_holds_them_all():
    _, labels, affine = phantom.make_case(replace(BELLY, fov="abdomen", size=(32,) * 3), "ct", 1)
    inside = np.argwhere(labels.any(-1))
    assert inside.min() > 0 and inside.max() < 31
    of_liver, near = phantom.make_case(replace(BELLY, size=(32,) * 3), "ct", 1)[1:]
    assert np.all(np.diag(affine)[:3] >= np.diag(near)[:3])
    volumes = [millilitres(*case)[3] for case in ((labels, affine), (of_liver, near))]
    assert volumes[0] > volumes[1]


@pytest.mark.parametrize(("fov", "label"), [("cavity", 0), ("myocardium", 1)])
def test_a_field_of_view_round_one_structure_of_the_heart_has_ten_millimetres_round_it(fov, label):
    settings = replace(TINY, fov=fov, size=(48, 48, 48))
    _, labels, affine = phantom.make_case(settings, "mr", 1)
    inside, spacing = np.argwhere(labels[..., label]), np.diag(affine)[:3]
    for gap in (inside.min(0) * spacing, (47 - inside.max(0)) * spacing):
        assert np.all(gap > 3) and np.all(gap < 17)


@pytest.mark.parametrize(("settings", "fov"), [(TINY, "chest"), (BELLY, "body")])
def test_the_field_of_view_of_the_body_is_the_same_for_all(settings, fov):
    grids = [phantom.make_case(replace(settings, fov=fov), "ct", index)[2] for index in (0, 1)]
    assert np.array_equal(*grids)


def test_box_in_millimetres_and_spacing_are_centred_on_the_first_field_s_organ():
    for change in ({"fov": (320.0,) * 3}, {"spacing": (20.0,) * 3}):
        _, labels, affine = phantom.make_case(replace(BELLY, **change), "t2", 0)
        assert np.diag(affine)[:3] == pytest.approx([20] * 3)
        inside = np.argwhere(labels[..., 0])
        assert (inside.min(0) + inside.max(0)) / 2 == pytest.approx([7.5] * 3, abs=1.01)


def test_moving_modality_is_the_phantom_s_first_unless_chosen(tmp_path):
    assert TINY.moving == "mr" and BELLY.moving == "t1" and BELLY.fov == "liver"
    description = make(tmp_path / "out", replace(BELLY, moving="t2"))
    assert description["moving"] == "t2" and description["fixed"] == "ct"
    assert description["settings"]["moving"] == "t2"
    assert sorted(description["cases"]) == ["ct_000", "ct_001", "t2_000", "t2_001"]
    with pytest.raises(
        ValueError, match=r"other settings or files \(moving 't2' there, 't1' asked for\)"
    ):
        make(tmp_path / "out", BELLY)


def test_the_fixed_image_does_not_depend_on_the_moving_modality():
    images = [phantom.make_case(replace(BELLY, moving=name), "ct", 0)[0] for name in ("t1", "t2")]
    assert np.array_equal(*images)


def test_digest_of_a_phantom_without_choice_is_as_before_there_was_one():
    assert phantom.PhantomSettings("heart", (48, 48, 48)).digest == "867f5791b68ecd75"
    assert "moving" not in TINY.as_dict()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fov": "chest"}, "`fov` is 'chest': Expected one of abdomen, body, liver"),
        ({"fov": "livr"}, "`fov` is 'livr': did you mean 'liver'"),
        ({"moving": "t3"}, "`moving` is 't3': did you mean 't2'.*Expected one of t1, t2"),
        ({"moving": "ct"}, "`moving` is 'ct': .*Expected one of t1, t2"),
    ],
)
def test_wrong_choices_for_the_abdomen_are_named(change, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        make(tmp_path / "out", replace(BELLY, **change))
    assert not (tmp_path / "out").exists()


def test_unknown_phantom_gets_the_closest_name():
    with pytest.raises(ValueError, match="`phantom` is 'abdomn': did you mean 'abdomen'"):
        phantom.PhantomSettings("abdomn", (16, 16, 16))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fov": "hart"}, "`fov` is 'hart': did you mean 'heart'"),
        ({"fov": (160.0, 0.0, 160.0)}, "`fov` must be a number above 0, got 0.0"),
        ({"spacing": (2.0, -1.0, 2.0)}, "`spacing` must be a number above 0, got -1.0"),
        ({"size": (64, 64, 8)}, "`size` must be multiples of 16.*got .64, 64, 8."),
        ({"size": (60, 64, 64)}, "`size` must be multiples of 16.*use .64, 64, 64."),
        ({"fov": (160.0,) * 3, "spacing": (2.0,) * 3}, "already says how large"),
        ({"moving": "t1"}, "`moving` is 't1': Expected one of mr"),
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


CINE = phantom.PhantomSettings("cine", (16, 16, 6), seed=1)


@pytest.fixture(scope="module")
def same(tmp_path_factory):
    out = tmp_path_factory.mktemp("phantom") / "cine"
    return out, make(out, CINE, cases=3, folds=3)


def test_same_person_pairs_are_matched_and_split_by_patient(same):
    out, description = same
    assert description["pairing"] == "same"
    assert (description["moving"], description["fixed"]) == ("ed", "es")
    assert description["planes"][2] == "short axis"
    tested = []
    for k, fold in enumerate(description["folds"]):
        for split, cases in fold.items():
            numbers = [[name[-3:] for name in cases[side]] for side in ("moving", "fixed")]
            assert numbers[0] == numbers[1]
            links = sorted(path.name for path in (out / f"fold{k}" / split).glob("*_images/*"))
            assert links == sorted(2 * [f"ed_{n}__es_{n}.nii.gz" for n in numbers[0]])
        tested += fold["test"]["moving"]
    assert sorted(tested) == ["ed_000", "ed_001", "ed_002"]


def test_every_same_person_pair_has_its_true_field_on_the_fixed_grid(same):
    out, description = same
    for index in range(3):
        names = {"moving": f"ed_{index:03d}", "fixed": f"es_{index:03d}"}
        field = nib.load(out / description["field"].format(**names))
        fixed = nib.load(out / "images" / f"{names['fixed']}.nii.gz")
        assert field.shape == (*fixed.shape, 3) and field.get_data_dtype() == np.float32
        assert np.array_equal(field.affine, fixed.affine)
        expected, _ = phantom.true_field(CINE, index)
        assert np.array_equal(field.get_fdata(dtype=np.float32), expected, equal_nan=True)


def test_an_interrupted_same_person_run_goes_on_to_the_same_fields(same, tmp_path):
    out = tmp_path / "cine"

    def interrupt(done, total):
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(out, CINE, cases=3, folds=3, report=interrupt)
    assert len(list(out.glob("fields/*"))) == 1
    make(out, CINE, cases=3, folds=3, jobs=2)
    for path in (*same[0].glob("fields/*"), *same[0].glob("images/*")):
        assert (out / path.relative_to(same[0])).read_bytes() == path.read_bytes()


def test_two_states_are_one_person_and_two_scans():
    first, again = (phantom.make_case(CINE, "ed", 0) for _ in range(2))
    other = phantom.make_case(replace(CINE, seed=2), "ed", 0)
    assert np.array_equal(first[0], again[0]) and not np.array_equal(first[1], other[1])
    noise = [phantom.make_case(CINE, state, 0)[0][:2] for state in ("ed", "es")]
    assert not np.array_equal(*noise)


def test_a_voxel_is_the_mean_of_its_slabs_and_labels_are_those_of_the_middle_one(monkeypatch):
    from mmzoo.phantoms.anatomy import cine

    monkeypatch.setattr(cine, "acquire", lambda modality, image, *rest: image)
    thick, labels, affine = phantom.make_case(CINE, "es", 0)
    monkeypatch.setattr(cine, "SLABS", (1, 1, 1))
    settings = replace(CINE, size=(16, 16, 18))
    thin, fine, _ = phantom.make_case(settings, "es", 0)
    assert np.array_equal(labels, fine[:, :, 1::3])
    # Thin slices have sharper edges, since an edge is as wide as a voxel is on average.
    mean = thin.reshape(16, 16, 6, 3).mean(-1)
    assert np.abs(thick - mean).mean() < 0.05 * np.ptp(thick)


@pytest.mark.parametrize("size", [(16, 16, 5), (24, 16, 8)])
def test_cine_has_any_number_of_slices_from_six(size, tmp_path):
    with pytest.raises(ValueError, match=r"multiples of \(16, 16, 1\) and at least \(16, 16, 6\)"):
        make(tmp_path / "out", replace(CINE, size=size))


def test_default_sizes_are_the_phantoms_own():
    assert phantom.default_size("heart") == (64, 64, 64)
    assert phantom.default_size("cine") == (128, 128, 12)
