"""A made-up paper with two data sets, and the folder of a finished benchmark of it.

Two folds of three people a modality. Every figure is known: `dice_of` and `asd_of`.
"""

import copy
import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import yaml

from benchmarks.engine.paper import PAPERS, Paper
from benchmarks.engine.paper_page import write_page
from benchmarks.engine.results import collect
from mmzoo.evaluation.cases import Case

SHAPE, SPACING = (12, 10, 8), (2.0, 2.5, 3.0)
PEOPLE, FOLDS = 6, 2
CONTENT = yaml.safe_load(
    """
title: A Made-Up Network
authors: Nobody
year: 2021
configs: tiny
reference: net
unit: fixed
data:
  heart:
    title: Hearts
    phantom: {name: heart, moving: mr, fov: heart}
    structures: {cavity: LVC, wall: Myo}
  liver:
    title: Livers
    phantom: {name: abdomen, moving: t1, fov: liver}
    structures: {liver: Liver}
tables: {Table 1: [heart], Table 2: [liver]}
scales:
  laptop: {size: 12, cases: 6, folds: 2}
  paper: {size: 24, cases: 6, folds: 2}
rows:
  tool: {title: Tool}
  net: {title: Net}
ablations:
  data: [heart]
  test_folds: [0]
  rows:
    variant: {title: Variant, configs: [net.yaml]}
  grid:
    base: net.yaml
    axes:
      a: {key: train.a, values: [1, 2]}
      b: {key: train.b, values: [1, 2]}
    printed: {a: 1, b: 2}
printed:
  net:
    heart/LVC: {dice: [80.28, 7.22], asd: [3.46, 1.30]}
claims:
  - quote: Net is better.
    where: section 3
    test: better
    row: net
    than: [tool]
    at: [heart/LVC, heart/Myo]
    figures: [dice, asd]
  - quote: Net is pretty.
    where: section 3
    test: not_testable
    why: a judgement by eye
"""
)
# Dice of the first person; each further one has 0.003 more with the network, 0.001 with others.
START = {
    "before": 0.5,
    "tool": 0.6,
    "net": 0.7,
    "variant": 0.65,
    "grid_1_1": 0.61,
    "grid_1_2": 0.64,
    "grid_2_1": 0.63,
    "grid_2_2": 0.62,
}
SECONDS = {"tool": 2.0}


def dice_of(row, fixed):
    return START[row] + (0.003 if row == "net" else 0.001) * fixed


def asd_of(row, fixed):
    return 10 * (1 - dice_of(row, fixed))


def pairs_of(row, fold):
    """Return (moving, fixed) numbers; the conventional tool has matched pairs alone."""
    people = range(3 * fold, 3 * fold + 3)
    return [(m, f) for m in people for f in people if row != "tool" or m == f]


def write_cases(folder, paper, run):
    rows = []
    stages = {"network": run.row, **({"before": "before"} if run.row == "net" else {})}
    for index, (moving, fixed) in enumerate(pairs_of(run.row, run.fold)):
        for name in [*paper.data[run.data]["structures"], "aorta"]:
            for stage, row in stages.items():
                case = Case(
                    pair=f"pair_{index}",
                    moving=f"mr_{moving:03}",
                    fixed=f"ct_{fixed:03}",
                    structure=name,
                    stage=stage,
                    dice=dice_of(row, fixed),
                    asd_mm=asd_of(row, fixed),
                    folding_percent=0.5,
                )
                seconds = SECONDS.get(row, 0.5) + 0.01 * index
                rows.append({**asdict(case), "seconds": seconds})
    (folder / "evaluation").mkdir(parents=True)
    pd.DataFrame(rows).to_csv(folder / "evaluation" / "cases.csv", index=False)


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.asarray(array, np.float32), np.diag([*SPACING, 1.0])), path)


def write_prediction(folder, data_folder, paper, run):
    """Write the matched pairs: boxes, moved by two voxels, that the field moves back."""
    test = folder / "predict" / "test"
    described = {"dataset": {"dir": {"test": str(data_folder / "fold0")}}, "pairs": {}}
    for index, (moving, fixed) in enumerate(pairs_of(run.row, run.fold)):
        if moving != fixed:
            continue
        pair = test / f"pair_{index}"
        box, moved = np.zeros((2, *SHAPE))
        box[3:8, 3:7, 2:5], moved[5:10, 3:7, 2:5] = 1, 1
        field = np.zeros((*SHAPE, 3))
        field[..., 0] = 2 if run.row == "net" else 1
        noise = 0.1 * np.random.default_rng(fixed).standard_normal(SHAPE)
        save(pair / "fixed_image.nii.gz", box + noise)
        save(pair / "moving_image.nii.gz", 1 - moved + noise)
        save(pair / "ddf.nii.gz", field)
        for channel in range(len(paper.data[run.data]["structures"])):
            save(pair / f"label_{channel}" / "moving_label.nii.gz", moved)
            save(pair / f"label_{channel}" / "fixed_label.nii.gz", box)
        file = f"mr_{moving:03}__ct_{fixed:03}.nii.gz"
        described["pairs"][pair.name] = {
            side: f"{side}_images/{file}" for side in ("moving", "fixed")
        }
    (test / "pairs.json").write_text(json.dumps(described))


def write_training(folder):
    """Write a log folder of two epochs."""
    import tensorflow as tf

    (folder / "train").mkdir(parents=True)
    (folder / "train" / "config.yaml").write_text("train: {steps_per_epoch: 50}")
    with tf.summary.create_file_writer(str(folder / "train" / "train")).as_default():
        for epoch, loss in enumerate((0.9, 0.4)):
            tf.summary.scalar("epoch_loss", loss, step=epoch)
    content = {"seconds": 120.0, "steps": 100, "threads": 1}
    (folder / "train_seconds.json").write_text(json.dumps(content))


@pytest.fixture
def paper():
    return Paper(PAPERS / "tiny.yaml", "laptop", copy.deepcopy(CONTENT))


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """Return the folder of the finished benchmark; not to be changed."""
    out = tmp_path_factory.mktemp("out")
    paper = Paper(PAPERS / "tiny.yaml", "laptop", CONTENT)
    for name, data in paper.data.items():
        (out / "data" / name).mkdir(parents=True)
        description = {"labels": list(data["structures"])}
        (out / "data" / name / "mmzoo.json").write_text(json.dumps(description))
    for run in paper.runs:
        folder = out / run.folder
        write_cases(folder, paper, run)
        if paper.rows[run.row].kind == "row":
            write_prediction(folder, out / "data" / run.data, paper, run)
        if run.row == "net":
            write_training(folder)
    return out


@pytest.fixture
def out(finished, tmp_path):
    """Return a copy that a test may change; its labels are found in the original."""
    shutil.copytree(finished, tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture(scope="session")
def collected(finished):
    return collect(Paper(PAPERS / "tiny.yaml", "laptop", CONTENT), finished)


@pytest.fixture
def results(paper, collected):
    return replace(collected, paper=paper, cases=collected.cases.copy())


@pytest.fixture
def change(results):
    """Return a function that adds to a figure of a row's cases, all or those of one person."""

    def add(row, column, amount, fixed=None):
        chosen = results.cases["row"] == row
        if fixed is not None:
            chosen &= results.cases["fixed"] == f"ct_{fixed:03}"
        results.cases.loc[chosen, column] += amount
        return results

    return add


def write_repository(root):
    """Write a made-up repository with the paper's files."""
    files = {
        "mmzoo/piece.py": "ONE = 1\n",
        "benchmarks/engine/paper_page.py": "",
        "benchmarks/Snakefile": "",
        "benchmarks/papers/tiny.yaml": yaml.safe_dump(CONTENT),
        "configs/tiny/net.yaml": (
            "train: {epochs: 4, steps_per_epoch: 50, seed: 7, optimizer: {rate: 0.1}}\n"
            "scales: {laptop: {train: {optimizer: {rate: 0.2}}}}\n"
        ),
        "configs/tiny/tool.yaml": "baseline: {name: tool}\n",
        "configs/scale/laptop.yaml": "scale: laptop\ntrain: {epochs: 2}\n",
    }
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Return a made-up repository, which the engine takes for ours."""
    root = tmp_path / "repository"
    write_repository(root)
    take_for_ours(root, monkeypatch)
    return root


@pytest.fixture(scope="session")
def page(finished, tmp_path_factory):
    """Return the page of the finished benchmark; not to be changed."""
    root = tmp_path_factory.mktemp("page")
    write_repository(root / "repository")
    with pytest.MonkeyPatch.context() as monkeypatch:
        take_for_ours(root / "repository", monkeypatch)
        write_page(Paper(PAPERS / "tiny.yaml", "laptop", CONTENT), finished, root / "page")
    return root / "page"


def take_for_ours(root, monkeypatch):
    monkeypatch.setattr("benchmarks.engine.paper.ROOT", root)
    monkeypatch.setattr("benchmarks.engine.origin.ROOT", root)
