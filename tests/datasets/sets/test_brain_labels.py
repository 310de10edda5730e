import json
import os
from pathlib import Path

import numpy as np
import pytest
from helpers_sets import affine, boxes, load, run, save

from mmzoo.datasets import sets
from mmzoo.datasets.sets import brain_labels
from mmzoo.datasets.sets.base import Recipe
from mmzoo.datasets.sets.brain_labels_stripped import FIRST_OUTSIDE
from mmzoo.phantoms.imaging.head_scan import TABLES, TISSUES

VALUES = (2, 41, 3, 4, 507, 515)
NAMES = ("cerebral white matter", "cortex", "lateral ventricles")
RECIPE = Recipe(size=(16, 16, 16), crop="labels", margin_mm=3.0, normalise="none", percentiles=None)


@pytest.fixture
def heads(tmp_path):
    """Three people; stored as LIA, one as float."""
    for number in range(3):
        labels = np.roll(boxes(VALUES, (36, 24, 20)), number, axis=1)
        turned = affine(signs=(-1, -1, 1), order=(0, 2, 1))
        array = labels.astype(np.float32) if number == 1 else labels
        save(tmp_path / f"maps/training_seg_{number:02d}.nii.gz", array, turned)
    return tmp_path / "maps"


def mean(out, case, channel):
    return load(out, "images", case)[load(out, "labels", case)[..., channel] > 0].mean()


def test_every_person_gets_both_contrasts_and_meets_the_others(heads, tmp_path):
    out = tmp_path / "out"
    description = run("brain-labels", heads, out, structures=NAMES, recipe=RECIPE, folds=1)
    assert len(description["cases"]) == 6 and description["pairing"] == "others"
    pairs = sorted(path.name for path in (out / "fold0/train/moving_images").iterdir())
    assert len(pairs) == 6
    assert not any(a[3:] == b[3:] for a, b in (name[:-7].split("__") for name in pairs))


def test_contrasts_have_the_order_that_they_are_known_for(heads, tmp_path):
    white, grey, fluid = range(3)
    orders = {
        "t1": (fluid, grey, white),
        "t2": (white, grey, fluid),
        "pd": (white, grey),
        "ct": (fluid, white, grey),
    }
    for modality, order in orders.items():
        fixed = "t2" if modality != "t2" else "t1"
        out = tmp_path / modality
        options = {"moving": modality, "fixed": fixed, "structures": NAMES, "people": 1}
        run("brain-labels", heads, out, recipe=RECIPE, **options)
        levels = [mean(out, f"{modality}_training_seg_00", channel) for channel in order]
        assert levels == sorted(levels), (modality, levels)


def test_stripped_heads_are_zero_outside_the_brain_and_there_alone(heads, tmp_path):
    options = {"structures": NAMES, "people": 1, "recipe": RECIPE}
    description = run("brain-labels-stripped", heads, tmp_path / "bare", **options)
    run("brain-labels", heads, tmp_path / "head", **options)
    assert description["pairing"] == "others"
    for modality in ("t1", "t2"):
        case = f"{modality}_training_seg_00"
        bare, head = (load(tmp_path / name, "images", case) for name in ("bare", "head"))
        brain = load(tmp_path / "bare", "labels", case).any(-1)
        assert (bare[brain] != 0).all()
        assert np.array_equal(bare[brain], head[brain])
        assert 0.05 < (bare == 0).mean() < 0.8 and (head == 0).mean() == 0


def test_a_folder_of_label_maps_is_said_to_be_whole_heads(heads):
    save(heads / "a_first.nii.gz", boxes((2, 3, 4, 5, 7, 8, 10, 11, 12, 13, 16, 17), (36, 24, 20)))
    assert sets.data_set("brain-labels").recognise(heads)
    assert not sets.data_set("brain-labels-stripped").recognise(heads)


def test_the_same_seed_gives_the_same_images_and_another_does_not(heads, tmp_path):
    images = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        options = {"structures": NAMES, "people": 1, "seed": seed, "recipe": RECIPE}
        run("brain-labels", heads, tmp_path / name, **options)
        images.append(load(tmp_path / name, "images", "t1_training_seg_00"))
    assert np.array_equal(images[0], images[1])
    assert np.abs(images[0] - images[2]).mean() > 1


def test_every_tissue_has_a_brightness_in_every_contrast():
    assert all(set(table) >= set(TISSUES) for table in TABLES.values())
    ids = [value for values in TISSUES.values() for value in values]
    assert len(ids) == len(set(ids))


def test_a_value_that_is_no_tissue_is_refused_with_its_file(heads, tmp_path):
    save(heads / "odd.nii.gz", boxes((2, 41, 999)))
    with pytest.raises(ValueError, match=r"odd.nii.gz has label value\(s\) \[999\]"):
        run("brain-labels", heads, tmp_path / "out", structures=NAMES[:1], recipe=RECIPE)


REAL = os.environ.get("MMZOO_REAL_DATA")


@pytest.mark.skipif(not REAL, reason="MMZOO_REAL_DATA names no folder of real volumes")
def test_real_label_maps_go_through(tmp_path):
    source, out = Path(REAL) / "brain-labels", tmp_path / "out"
    size = Recipe((32, 32, 32), crop=(176.0, 220.0, 176.0))
    run("brain-labels", source, out, people=1, recipe=size, structures=("thalamus", "cerebellum"))
    report = json.loads((out / "report.json").read_text())
    assert report["found"] == {"t1": 16, "t2": 16}
    assert 8 < report["label_ml"]["t1_training_seg_01"]["thalamus"] < 25
    assert sets.data_set("brain-labels").expect([]) == {}


def test_every_tissue_becomes_a_label_the_brain_s_first(tmp_path):
    tissues = sets.data_set("brain-tissues")
    values = [value for ids in tissues.structures.values() for value in ids]
    assert len(values) == len(set(values)) and set(values) == set(brain_labels.SEGMENTED) - {0}
    brain = [max(ids) < FIRST_OUTSIDE for ids in tissues.structures.values()]
    assert brain == [True] * 16 + [False] * 5
    first = [0] * 6 + [ids[0] for ids in tissues.structures.values()]
    cells = np.array(first).reshape(3, 3, 3)
    for number in range(3):
        whole = np.roll(cells.repeat(9, 0).repeat(8, 1).repeat(10, 2), number, axis=1)
        save(tmp_path / f"maps/training_seg_{number:02d}.nii.gz", whole.astype(np.int16))
    recipe = Recipe(size=(24, 24, 24), crop="labels", margin_mm=3.0)
    out = tmp_path / "out"
    description = run("brain-tissues", tmp_path / "maps", out, recipe=recipe, folds=1)
    assert description["labels"] == list(tissues.structures) and len(description["cases"]) == 3
    labels = load(out, "labels", "t1_training_seg_00")
    assert labels.shape == (24, 24, 24, 21) and labels.any(axis=(0, 1, 2)).all()
    assert labels.sum(axis=-1).max() == 1
