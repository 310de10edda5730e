"""Every command and every program in the documentation runs, at smoke scale; the README's results.

The `bash` blocks of a page run in order, in one folder far from the checkout, and its `python`
blocks after them; what would take long is made small by the table below. A command runs once after
the same ones before it, whatever page or test it is in; those after the comment ANEW of a page run
in a folder of their own. Blocks of another kind (`sh`, `text`) are for reading.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from helpers_prediction import write_prediction

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
ANEW = "<!-- in a folder of its own -->"
SMALLER = {
    "--size 48 48 48": "--size 16 16 16",
    "--size 64 64 8": "--size 16 16 8",
    "--size 56 64 48": "--size 16 16 16",
    "--size 32 48 48": "--size 16 16 16",
    "--cases 40 --folds 10": "--cases 4 --folds 2 --valid 1",
    "scale/laptop.yaml": "scale/smoke.yaml",
    "ckpt-5 ": "ckpt-1 ",
    "--max_epochs 25": "--max_epochs 2",
    "ckpt-25 ": "ckpt-2 ",
}
pytestmark = pytest.mark.slow
# Trainings once more, of other methods.
LONG = {"any_contrast.md", "deform_gan.md", "devos_mi.md"}
# Of the tests, not of a user.
OWN = ("TF_CPP_MIN_LOG_LEVEL", "MMZOO_COMPILATION_CACHE", "TF_USE_LEGACY_KERAS")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def programs(page: Path) -> list[str]:
    return blocks(page.read_text(), "python")


def chains(page: Path) -> list[list[str]]:
    """Return the commands of a page, those of each folder in a list of their own."""
    return [commands(part) for part in page.read_text().split(ANEW)]


def commands(page: str, smaller: dict[str, str] = SMALLER) -> list[str]:
    text = "".join(blocks(page, "bash")).replace("\\\n", " ")
    for long, short in smaller.items():
        text = text.replace(long, short)
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def make_inputs(folder: Path) -> None:
    """Write the reader's own images, and a prediction."""
    rng = np.random.default_rng(0)
    for name in ("mr1", "mr2", "ct1", "ct2"):
        image = nib.Nifti1Image(rng.uniform(size=(20, 24, 18)).astype(np.float32), np.eye(4))
        nib.save(image, folder / f"{name}.nii.gz")
        seg = np.zeros((20, 24, 18), np.uint8)
        seg[5:14, 6:18, 4:12] = 1
        nib.save(nib.Nifti1Image(seg, np.eye(4)), folder / f"{name}_seg.nii.gz")
        (folder / f"{name}.csv").write_text("x,y,z\n6,7,8\n10,12,9\n")
    (folder / "pairs.csv").write_text(
        "moving,fixed\nmr1.nii.gz,ct1.nii.gz\nmr2.nii.gz,ct2.nii.gz\n"
    )
    write_prediction(folder).rename(folder / "logs" / "predict")


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> dict[str, str]:
    """A user's environment, with the suite's compilation cache, or one of this file's own."""
    own = {name: value for name, value in os.environ.items() if name not in OWN}
    cache = os.environ["MMZOO_COMPILATION_CACHE"]
    own["MMZOO_COMPILATION_CACHE"] = (
        str(tmp_path_factory.mktemp("compiled")) if cache == "0" else cache
    )
    return {**own, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def run(environment):
    """Run a command in a folder; what it prints is added to log.txt there."""

    def run(folder: Path, command: str) -> None:
        with open(folder / "log.txt", "a+") as log:
            settings = {"cwd": folder, "env": environment, "stdout": log, "stderr": log}
            ended = subprocess.run(shlex.split(command), **settings)
            log.seek(0)
            assert ended.returncode == 0, f"{command}\n{log.read()[-4000:]}"

    return run


@pytest.fixture(scope="module")
def after(tmp_path_factory, run):
    """Return a folder as it is after commands; to be changed by nobody."""
    made: dict[tuple[str, ...], Path] = {}

    def after(*commands: str) -> Path:
        if commands not in made:
            folder = tmp_path_factory.mktemp("after")
            if commands:
                shutil.copytree(after(*commands[:-1]), folder, dirs_exist_ok=True)
                run(folder, commands[-1])
            else:
                make_inputs(folder)
            made[commands] = folder
        return made[commands]

    return after


def case(page: Path, *keras: int):
    """Return a parameter of a test: a page, and the Keras of its programs."""
    long = page.name in LONG or 2 in keras
    name = "-".join([page.name, *map(str, keras)])
    return pytest.param(page, *keras, marks=pytest.mark.long if long else [], id=name)


@pytest.mark.parametrize("page", [case(page) for page in PAGES if any(chains(page))])
def test_commands_of_a_page_run_in_order(page, after):
    for chain in chains(page):
        after(*chain)


# Each program in a process of its own, forked from one that has imported TensorFlow alone.
EACH = """
import os, runpy, sys
import tensorflow
for path in sys.argv[1:]:
    if os.fork() == 0:
        runpy.run_path(path, run_name="__main__")
        sys.exit()
    if os.wait()[1] != 0:
        sys.exit(f"{path} failed")
"""


WITH_PROGRAMS = [page for page in PAGES if programs(page)]
WITH_KERAS = [page for page in WITH_PROGRAMS if "import keras" in page.read_text()]


@pytest.mark.parametrize(
    ("page", "keras"), [case(p, 3) for p in WITH_PROGRAMS] + [case(p, 2) for p in WITH_KERAS]
)
def test_programs_of_a_page_run_in_either_keras(page, keras, tmp_path, environment, after):
    shutil.copytree(after(*chains(page)[0]), tmp_path, dirs_exist_ok=True)
    names = []
    for number, program in enumerate(programs(page)):
        names.append(f"program{number}.py")
        if keras == 2:
            program = program.replace("import keras\n", "import tf_keras as keras\n")
        (tmp_path / names[-1]).write_text(program)
    command = [sys.executable, *(["-c", EACH] if len(names) > 1 else []), *names]
    environment = environment | ({"TF_USE_LEGACY_KERAS": "1"} if keras == 2 else {})
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-4000:]


# === What tutorials say is printed ===

NUMBER = re.compile(r"-?\d+\.\d+")


def figures(lines: list[str]) -> list[tuple[str, list[float]]]:
    """Return each line without its numbers and spaces, and its numbers."""
    found = []
    for line in lines:
        words = "".join(NUMBER.sub("#", line).split())
        found.append((words, [float(number) for number in NUMBER.findall(line)]))
    return found


@pytest.mark.long
@pytest.mark.parametrize("name", ["first_registration", "own_model"])
def test_a_tutorial_prints_what_its_page_says(name, tmp_path, run):
    page = ROOT / "docs" / "tutorials" / f"{name}.md"
    for command in commands(page.read_text(), smaller={}):
        run(tmp_path, command)
    for number, program in enumerate(programs(page)):
        (tmp_path / f"program{number}.py").write_text(program)
        run(tmp_path, f"python program{number}.py")
    said = figures("".join(blocks(page.read_text(), "text")).splitlines())
    printed = figures((tmp_path / "log.txt").read_text().splitlines())
    printed = [line for line in printed if line[0] in dict(said)]
    assert [words for words, _ in printed] == [words for words, _ in said]
    for (words, found), (_, wanted) in zip(printed, said, strict=True):
        assert found == pytest.approx(wanted, abs=0.05), words  # processors round otherwise


# === MMRegNet from phantom to table by the README's first commands ===

PHANTOM, TRAIN, PREDICT, EVALUATE = chains(README)[0][:4]


@pytest.fixture(scope="module")
def finished(after):
    """The folder of a run that was trained, predicted and evaluated."""
    return after(PHANTOM, TRAIN, PREDICT, EVALUATE)


def test_the_commands_print_nothing_of_tensorflow_and_name_the_next_ones(finished):
    lines = (finished / "log.txt").read_text().splitlines()
    noise = re.compile(
        r"[IWEF]\d{4} |\d{4}-\d\d-|WARNING: All log|To enable|.*(cuda|oneDNN|absl|tf\.)"
    )
    assert not [line for line in lines if noise.match(line)]
    lines = [line for line in lines if not line.startswith("predicting: ")]
    at = lines.index("checkpoint: logs/heart/save/ckpt-1")
    assert lines[at + 1 : at + 5] == [
        f"next: {PREDICT}",
        f"      {EVALUATE}",
        "prediction: logs/heart_test",
        f"next: {EVALUATE}",
    ]


def cases(folder: Path) -> pd.DataFrame:
    """Return the table of a run, without what several threads or the clock decide."""
    table = pd.read_csv(folder / "logs/heart_test/evaluation/cases.csv")
    return table[table["stage"] != "affine"].drop(columns="seconds").reset_index(drop=True)


@pytest.mark.long
def test_the_same_seed_gives_the_same_table_twice(finished, after, run, tmp_path):
    shutil.copytree(after(PHANTOM), tmp_path, dirs_exist_ok=True)
    for command in (TRAIN, PREDICT, f"{EVALUATE} --no-affine"):
        run(tmp_path, command)
    assert len(cases(finished)) > 0
    pd.testing.assert_frame_equal(cases(finished), cases(tmp_path), check_exact=True)


def test_prediction_holds_both_fields_and_both_warped_images_where_they_belong(finished):
    pair = finished / "logs/heart_test/test/pair_0"
    fixed = nib.load(pair / "fixed_image.nii.gz").affine
    moving = nib.load(pair / "moving_image.nii.gz").affine
    assert np.abs(fixed - moving).max() > 0.1
    for name in ("ddf", "pred_fixed_image"):
        np.testing.assert_array_equal(nib.load(pair / f"{name}.nii.gz").affine, fixed)
    for name in ("backward_ddf", "pred_moving_image"):
        np.testing.assert_array_equal(nib.load(pair / f"{name}.nii.gz").affine, moving)
    assert np.abs(nib.load(pair / "ddf.nii.gz").get_fdata()).max() > 1e-3
    labels = sorted(path.name for path in (pair / "label_0").iterdir())
    assert [name.split(".")[0] for name in labels] == [
        "fixed_label", "moving_label", "pred_fixed_label", "pred_moving_label",
    ]  # fmt: skip


def test_evaluation_leaves_tables_and_a_picture(finished):
    folder = finished / "logs/heart_test/evaluation"
    names = {path.name for path in folder.iterdir()}
    assert {"cases.csv", "summary.csv", "summary.md", "settings.json"} <= names
    assert any(name.endswith(".png") for name in names)
    summary = (folder / "summary.md").read_text()
    assert "left ventricle cavity" in summary and "bidirectional-ddf" in summary


def test_a_users_script_trains_the_zoos_losses_in_deepregs_own_methods(after, run, tmp_path):
    shutil.copytree(after(PHANTOM), tmp_path, dirs_exist_ok=True)
    (tmp_path / "plain.yaml").write_text(
        "train: {method: ddf, backbone: {name: unet, depth: 2, num_channel_initial: 2}, "
        "loss: {image: {name: segi, weight: 1.0}, regularization: {name: bending, weight: 1.0}}, "
        "preprocess: {batch_size: 1, shuffle_buffer_num_batch: 1, "
        "data_augmentation: {name: affine}}, optimizer: {name: Adam, learning_rate: 1.0e-3}, "
        "steps_per_epoch: 2, epochs: 1, save_period: 1}\n"
    )
    (tmp_path / "script.py").write_text(
        "import deepreg.train\n"
        "deepreg.train.train(gpu='', config_path=['data/heart/fold0.yaml', 'plain.yaml'],\n"
        "    gpu_allow_growth=True, ckpt_path='', log_dir='script')\n"
    )
    run(tmp_path, "python script.py")
    assert (tmp_path / "logs" / "script" / "save" / "ckpt-1.index").exists()
