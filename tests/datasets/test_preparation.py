import json

import h5py
import nibabel as nib
import numpy as np
import pytest
import yaml
from helpers_cli import call
from helpers_sets import SMALL, affine, boxes, load, picture, run, save

from mmzoo.datasets import preparation, sets
from mmzoo.datasets.choices import Choices
from mmzoo.datasets.sets.base import Recipe

VALUES = (500, 205)


@pytest.fixture
def download(tmp_path):
    """Four people of MM-WHS a modality."""
    root = tmp_path / "download"
    for number in range(1001, 1005):
        for k, modality in enumerate(("ct", "mr")):
            name = f"{modality}_train/{modality}_train_{number}"
            save(root / f"{name}_image.nii.gz", picture(boxes(VALUES), number + 10 * k))
            save(root / f"{name}_label.nii.gz", boxes(VALUES))
    return root


def prepared(download, out, **options):
    return run("mm-whs", download, out, allow_partial=True, **options)


def contents(out):
    return {path.name: path.stat().st_mtime_ns for path in (out / "images").iterdir()}


def test_what_is_written_is_deepregs_layout_with_spacing_and_affine(download, tmp_path):
    out = tmp_path / "out"
    description = prepared(download, out)
    assert description["complete"] and len(description["cases"]) == 8
    section = yaml.safe_load((out / "fold0.yaml").read_text())["dataset"]
    assert section["moving_image_shape"] == [16, 16, 16] and section["format"] == "nifti"
    pairs = [path.name for path in sorted((out / "fold0/train/moving_images").iterdir())]
    assert len(pairs) == 9 and "mr_1002__ct_1003.nii.gz" in pairs
    image = nib.load(out / "images/ct_1001.nii.gz")
    labels = load(out, "labels", "ct_1001")
    assert labels.dtype == np.uint8 and labels.shape == (16, 16, 16, 2)
    # The middle of the first structure is where it was, in millimetres.
    was = np.argwhere(boxes(VALUES) == 500).mean(0)
    now = (image.affine @ [*np.argwhere(labels[..., 0]).mean(0), 1])[:3]
    assert now == pytest.approx(was, abs=0.7)


def test_intensities_are_clipped_and_scored(download, tmp_path):
    out = tmp_path / "out"
    prepared(download, out)
    image = load(out, "images", "ct_1001")
    assert image.dtype == np.float32
    assert (image.mean(), image.std()) == (pytest.approx(0, abs=1e-4), pytest.approx(1, abs=1e-4))
    recipe = Recipe((16, 16, 16), normalise="none", windows={"ct": (90, 110)}, percentiles=None)
    prepared(download, out, recipe=recipe, overwrite=True)
    image = load(out, "images", "ct_1001")
    assert (image.min(), image.max()) == (90, 110)
    assert load(out, "images", "mr_1001").max() > 110


def test_a_run_that_was_stopped_goes_on_and_a_finished_one_is_left_alone(download, tmp_path):
    out = tmp_path / "out"
    prepared(download, out)
    before = contents(out)
    (out / "images/mr_1002.nii.gz").unlink()
    reported = []
    prepared_again = preparation.prepare(
        sets.data_set("mm-whs"),
        download,
        out,
        Choices(recipe=SMALL),
        name="mm-whs",
        allow_partial=True,
        progress=lambda done, total: reported.append((done, total)),
    )
    assert reported == [(7, 8), (8, 8)]
    after = contents(out)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"mr_1002.nii.gz"} and prepared_again["complete"]


def test_other_choices_are_refused_unless_overwritten(download, tmp_path):
    out = tmp_path / "out"
    prepared(download, out)
    before = contents(out)
    with pytest.raises(ValueError, match="made with other settings .*seed.*--overwrite"):
        prepared(download, out, seed=5)
    assert contents(out) == before
    prepared(download, out, structures=("myocardium",), overwrite=True)
    assert load(out, "labels", "ct_1001").shape[-1] == 1


def test_a_folder_of_something_else_is_not_touched(download, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="was not made by mmzoo"):
        prepared(download, tmp_path / "out", overwrite=True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_every_file_that_does_not_fit_is_named_and_the_rest_is_kept(download, tmp_path):
    out = tmp_path / "out"
    save(download / "ct_train/ct_train_1001_label.nii.gz", boxes(VALUES, (20, 20, 16)))
    moved = affine()
    moved[0, 3] = 3
    save(download / "ct_train/ct_train_1002_label.nii.gz", boxes(VALUES), moved)
    save(download / "mr_train/mr_train_1001_label.nii.gz", boxes((500, 205, 77)))
    save(download / "mr_train/mr_train_1002_label.nii.gz", boxes((500,)))
    (download / "mr_train/mr_train_1003_image.nii.gz").write_bytes(b"\x1f\x8bnothing")
    with pytest.raises(ValueError) as caught:
        prepared(download, out)
    message = str(caught.value)
    assert "ct_train_1001_label.nii.gz does not lie on its image" in message
    assert "ct_train_1002_label.nii.gz does not lie on its image" in message
    assert (
        "mr_train_1001_label.nii.gz has label value(s) [77], which MM-WHS 2017 does not" in message
    )
    assert "mr_train_1002_label.nii.gz has no voxel of myocardium" in message
    assert "mr_train_1003_image.nii.gz cannot be read as a medical image" in message
    assert sorted(contents(out)) == ["ct_1003.nii.gz", "ct_1004.nii.gz", "mr_1004.nii.gz"]
    assert "## Cannot be used" in (out / "report.md").read_text()
    bad = ("ct_1001", "ct_1002", "mr_1001", "mr_1002", "mr_1003")
    description = prepared(download, out, without=bad, overwrite=True)
    assert len(description["cases"]) == 3
    assert json.loads((out / "report.json").read_text())["left_out"]["ct_1001"] == "as asked for"


def test_headers_that_are_off_by_little_are_mended_and_it_is_told(download, tmp_path):
    moved = affine()
    moved[0, 3] = 0.2
    save(download / "ct_train/ct_train_1001_label.nii.gz", boxes(VALUES), moved)
    prepared(download, tmp_path / "out")
    report = json.loads((tmp_path / "out/report.json").read_text())
    (note,) = report["mended"]["ct_1001"]
    assert note.endswith(
        "ct_train_1001_label.nii.gz: header is off by 0.2 voxels: the image's counts"
    )


def test_people_are_shuffled_by_a_seed_that_is_kept(download, tmp_path):
    plain = prepared(download, tmp_path / "a")["folds"]
    orders = [prepared(download, tmp_path / f"s{k}", shuffle=True, seed=k) for k in (1, 1 + 10)]
    again = prepared(download, tmp_path / "again", shuffle=True, seed=1)
    assert again["folds"] == orders[0]["folds"] and again["seed"] == 1
    tested = [fold["test"]["fixed"] for fold in plain]
    assert tested == [[f"ct_{number}"] for number in range(1001, 1005)]
    assert any(order["folds"] != plain for order in orders)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"moving": "mri"}, "`moving` is 'mri': did you mean 'mr'"),
        ({"structures": ("myocard",)}, "did you mean 'myocardium'"),
        ({"recipe": Recipe(crop="label")}, "`crop` is 'label': did you mean 'labels'"),
        ({"recipe": Recipe(size=(16, 16, 2))}, "16 2"),
        ({"deform_mm": 5.0}, "`deform` is for two images of one person"),
        ({"people": 0}, "`people` must be a number above 0"),
    ],
)
def test_mistakes_are_told_before_anything_is_written(download, tmp_path, options, message):
    with pytest.raises(ValueError, match=message.replace("16 2", "16, 2")):
        prepared(download, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_folder_without_the_data_set_says_what_was_looked_for(tmp_path):
    with pytest.raises(
        ValueError, match="holds no mr or ct image of MM-WHS 2017; looked for ct_tr"
    ):
        run("mm-whs", tmp_path, tmp_path / "out")


def test_h5_files_hold_each_image_once_and_the_same_pairs(download, tmp_path):
    out = tmp_path / "out"
    prepared(download, out, form="h5")
    section = yaml.safe_load((out / "fold0_h5.yaml").read_text())["dataset"]
    assert section["format"] == "h5"
    with h5py.File(out / "volumes.h5") as file:
        assert len(file["images"]) == 8
        assert file["images/ct_1001"].attrs["affine"] == pytest.approx(
            nib.load(out / "images/ct_1001.nii.gz").affine
        )
    links = sorted(p.name[:-7] for p in (out / "fold0/train/moving_labels").iterdir())
    with h5py.File(out / "fold0/train/moving_labels.h5") as file:
        assert sorted(file) == links
        assert np.array_equal(file["mr_1002__ct_1003"], load(out, "labels", "mr_1002"))
    # The folder may be moved.
    out.rename(tmp_path / "elsewhere")
    with h5py.File(tmp_path / "elsewhere/fold0/test/fixed_images.h5") as file:
        (first, *_) = file
        assert np.array_equal(file[first], load(tmp_path / "elsewhere", "images", first[-7:]))


def test_deepreg_loads_the_h5_files(download, tmp_path):
    from deepreg.dataset.load import get_data_loader

    out = tmp_path / "out"
    prepared(download, out, form="h5")
    images = []
    for name in ("fold0.yaml", "fold0_h5.yaml"):
        section = yaml.safe_load((out / name).read_text())["dataset"]
        loader = get_data_loader(section, "test")
        moving, fixed, *_ = next(loader.data_generator()).values()
        images.append((moving, fixed, loader.num_samples))
        loader.close()
    assert images[0][2] == images[1][2]
    for ours, theirs in zip(images[0][:2], images[1][:2], strict=True):
        assert np.array_equal(ours, theirs)


def test_several_processes_give_the_same_as_one(download, tmp_path):
    choices = Choices(recipe=SMALL, people=1)
    for name, jobs in (("one", 1), ("two", 2)):
        data = sets.data_set("mm-whs")
        options = {"name": "mm-whs", "jobs": jobs, "allow_partial": True}
        preparation.prepare(data, download, tmp_path / name, choices, **options)
    for case in ("ct_1001", "mr_1001"):
        one, two = (load(tmp_path / name, "images", case) for name in ("one", "two"))
        assert np.array_equal(one, two)


def test_every_file_of_the_folder_is_a_command(tmp_path):
    result = call("prepare", "--help")
    for name in sets.names():
        assert name in result.output
        assert sets.data_set(name).title and sets.summary(name)
    assert len(sets.names()) == 14 and "own" in result.output


def test_the_command_says_what_was_found_mended_and_written(download, tmp_path):
    values = np.where(boxes(VALUES) == 205, 421, boxes(VALUES))
    save(download / "mr_train/mr_train_1001_label.nii.gz", values)
    arguments = [
        "prepare mm-whs",
        "--source",
        download,
        "--out",
        tmp_path / "out",
        "--size",
        16,
        16,
        16,
    ]
    arguments += ["--structures", "left ventricle cavity", "--jobs", 1]
    result = call(*arguments)
    assert result.exit_code == 1 and "mr: 4 of 20 found" in result.output
    result = call(*arguments, "--allow-partial")
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "mr: 4 found of 20." in said and "mended in mr_1001: label 421" in said
    assert "8 cases, 4 fold(s)" in said
    for name in ("report.md", "report.json", "overview.png", "mmzoo.json"):
        assert (tmp_path / "out" / name).stat().st_size > 100


def test_the_form_of_a_header_that_counts_may_be_chosen(download, tmp_path):
    for kind in ("image", "label"):
        path = download / f"ct_train/ct_train_1001_{kind}.nii.gz"
        image = nib.load(path)
        image = nib.Nifti1Image(np.asarray(image.dataobj), None, image.header)
        shifted = affine()
        shifted[0, 3] = 30
        image.set_qform(affine(), 1)
        image.set_sform(shifted, 2)
        nib.save(image, path)
    origins = {}
    for form in ("sform", "qform"):
        prepared(download, tmp_path / form, geometry=form)
        origins[form] = nib.load(tmp_path / form / "images/ct_1001.nii.gz").affine[:3, 3]
    assert origins["sform"] - origins["qform"] == pytest.approx([30, 0, 0], abs=1e-3)
    with pytest.raises(ValueError, match="geometry.*'form'.*did you mean"):
        prepared(download, tmp_path / "wrong", geometry="form")
