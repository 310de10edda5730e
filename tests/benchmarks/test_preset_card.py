"""The card of a preset: what the file says of itself, and the figures of all methods."""

import math

import pytest
from helpers_runs import write_run

from benchmarks.registration import card
from mmzoo.deepreg import presets
from mmzoo.inference import packing

SAID = {
    "trained_on": "boxes of cardboard",
    "command": "deepreg_train -c boxes.yaml",
    "hours": 1.5,
    "machine": "a laptop",
    "intended_use": "boxes.",
    "limits": "spheres.",
}


def row(key, method, dice, tre=math.nan):
    return {
        "key": key,
        "group": "boxes",
        "pair": f"pair {key}",
        "method": method,
        "dice": dice,
        "tre_mm": tre,
        "folding_percent": 0.0,
        "processor_seconds": 3.0,
        "processor": "old",
    }


@pytest.fixture
def page(tmp_path, monkeypatch):
    store = tmp_path / "store"
    monkeypatch.setenv(presets.VARIABLE, str(store))
    monkeypatch.setattr(card, "DOCS", tmp_path)
    run = write_run(tmp_path / "run", "labels-ddf")
    out = packing.pack(run, store / "boxes.npz", title="Boxes", licence="CC0", card=SAID)
    results = [
        row("a", "affine", 0.5),
        row("a", "boxes", 0.7),
        row("b", "affine", 0.6),
        row("b", "boxes", 0.75),
        row("c", "affine", 0.9),  # its network is not there yet: in no mean
        row("d", "affine", 0.4, 3.0),
        row("d", "boxes", 0.8, 1.25),
    ]
    failed = [{"method": "boxes", "pair": "pair c", "failed": "no memory"}]
    return card.write_card("boxes", results, failed, None).read_text(), out


def test_says_what_the_file_says_of_itself(page):
    text, path = page
    assert text.startswith("# boxes\n\nBoxes.\n")
    for said in ("boxes of cardboard", "deepreg_train -c boxes.yaml", "boxes.", "spheres.", "CC0"):
        assert said in text
    assert presets.checksum(path) in text and "1.5 hours on a laptop" in text
    assert "`synthmorph`" in text and "16 x 16 x 16 voxels" in text


def test_means_are_over_the_pairs_that_all_methods_have_and_each_pair_is_there(page):
    text, _ = page
    assert "| boxes, two people (2) | affine | 0.550 | - | 0.000 | 3 |" in text
    assert "| boxes, two people (2) | boxes | 0.725 | - | 0.000 | 3 |" in text
    assert "| boxes, one person (1) | boxes | 0.800 | 1.25 | 0.000 | 3 |" in text
    assert "| pair c | affine | 0.900 | - | 0.000 | 3 |" in text
    assert "boxes gave up pair c: no memory" in text
    assert "* processor: old\n" in text


def test_a_method_that_ran_on_another_processor_is_named_with_it():
    rows = [row("a", "before", 0.1), row("a", "affine", 0.5), row("a", "SyN", 0.6)]
    new = [{**row(key, "boxes", 0.7), "processor": "new"} for key in ("a", "b")]
    lines = [
        line
        for line in card._figures("boxes", rows + new, []).splitlines()
        if "processor of" in line
    ]
    assert lines[:2] == ["* processor of affine, SyN: old", "* processor of boxes: new"]
