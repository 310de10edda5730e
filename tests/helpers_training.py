"""Tiny data and configurations that DeepReg trains on within seconds."""

import copy
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import yaml
from scipy.ndimage import gaussian_filter

# Not the identity, not diagonal, and another one for moving and for fixed images.
MOVING_AFFINE = np.array([[-1.5, 0, 0, 10], [0, 2, 0.3, -5], [0, 0, 3, 7], [0, 0, 0, 1.0]])
FIXED_AFFINE = np.array([[0, 1.0, 0, 3], [2, 0, 0, -9], [0, 0, -1.25, 4], [0, 0, 0, 1.0]])
AFFINES = {"moving": MOVING_AFFINE, "fixed": FIXED_AFFINE}
SHAPES = {"moving": (16, 14, 16), "fixed": (8, 18, 12)}  # resized to 16^3 on loading
COUNTS = {"train": 4, "valid": 1, "test": 2}


def write_image(path: Path, array: np.ndarray, affine: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine), path)


@pytest.fixture(scope="session")
def paired_data(tmp_path_factory) -> Path:
    """Paired, labelled NIfTI data; to be changed by nobody."""
    root, draws = tmp_path_factory.mktemp("paired"), np.random.default_rng(0)
    for split, count in COUNTS.items():
        for number, role in [(n, r) for n in range(count) for r in AFFINES]:
            image = gaussian_filter(draws.random(SHAPES[role]), 1).astype("float32")
            label = np.stack([image > 0.5, image < 0.45], axis=-1).astype("uint8")
            name = f"case{number}.nii.gz"
            write_image(root / split / f"{role}_images" / name, image, AFFINES[role])
            write_image(root / split / f"{role}_labels" / name, label, AFFINES[role])
    return root


@pytest.fixture(scope="session")
def unpaired_data(tmp_path_factory) -> Path:
    """Unpaired, unlabelled NIfTI data whose affine tells the case."""
    root, draws = tmp_path_factory.mktemp("unpaired"), np.random.default_rng(1)
    for split, number in [(s, n) for s in COUNTS for n in range(4)]:
        affine = np.diag([1.0 + number, 1, 1, 1])
        image = draws.random((16, 16, 16), dtype="float32")
        write_image(root / split / "images" / f"case{number}.nii.gz", image, affine)
    return root


@pytest.fixture(scope="session")
def fixed_config(paired_data) -> dict:
    """The configuration that `trained` was trained with; to be changed by nobody."""
    return {
        "dataset": {
            "dir": {split: str(paired_data / split) for split in COUNTS},
            "format": "nifti",
            "type": "paired",
            "labeled": True,
            "moving_image_shape": [16, 16, 16],
            "fixed_image_shape": [16, 16, 16],
        },
        "train": {
            "method": "ddf",
            "backbone": {"name": "unet", "num_channel_initial": 2, "depth": 1},
            "loss": {
                "image": {"name": "ssd", "weight": 1.0},
                "label": {"name": "dice", "weight": 1.0},
                "regularization": {"name": "bending", "weight": 0.5},
            },
            "preprocess": {
                "batch_size": 2,
                "shuffle_buffer_num_batch": 1,
                "data_augmentation": {"name": "affine", "scale": 0.1},
            },
            "optimizer": {"name": "Adam", "learning_rate": 1.0e-3},
            "epochs": 2,
            "save_period": 1,
            "seed": 1,
        },
    }


@pytest.fixture
def config(fixed_config) -> dict:
    """A configuration that trains a 1-level U-Net for two epochs of two steps."""
    return copy.deepcopy(fixed_config)


@pytest.fixture(scope="session")
def trained(fixed_config, tmp_path_factory) -> Path:
    """The log folder of a finished training; to be changed by nobody."""
    from deepreg.train import train

    root = tmp_path_factory.mktemp("trained")
    path = root / "config.yaml"
    path.write_text(yaml.safe_dump(fixed_config))
    train("", str(path), False, "", "run", str(root / "logs"))
    return root / "logs" / "run"


@pytest.fixture(scope="session")
def predicted(trained, tmp_path_factory) -> Path:
    """The outputs of the finished training for its test pairs; to be changed by nobody."""
    from deepreg.predict import predict

    root = str(tmp_path_factory.mktemp("predicted"))
    predict("", False, str(trained / "save/ckpt-2"), "test", 1, "out", "all", "", log_root=root)
    return Path(root, "out", "test")


@pytest.fixture
def begun(trained, tmp_path) -> Path:
    """A copy of the finished training, where `run_train` will find it."""
    return Path(shutil.copytree(trained, tmp_path / "logs" / "run"))


@pytest.fixture
def write_config(tmp_path):
    """Write a configuration, with entries changed by dotted name, and return its path."""

    def write(config: dict, **changes) -> str:
        config = copy.deepcopy(config)
        for name, value in changes.items():
            *sections, key = name.split("__")
            target = config
            for section in sections:
                target = target[section]
            target[key] = value
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(config))
        return str(path)

    return write


@pytest.fixture
def run_train(tmp_path):
    """Train in this process; return the log folder."""

    def run(config_path: str, log_dir: str = "run", ckpt_path: str = "", max_epochs: int = -1):
        from deepreg.train import train

        root = str(tmp_path / "logs")
        train("", config_path, False, ckpt_path, log_dir, root, max_epochs)
        return tmp_path / "logs" / log_dir

    return run


@pytest.fixture
def run_predict(tmp_path):
    """Predict in this process; return the folder of the outputs."""

    def run(checkpoint, config_path="", mode: str = "test", log_dir: str = "prediction"):
        from deepreg.predict import predict

        root = str(tmp_path / "logs")
        predict("", False, str(checkpoint), mode, 1, log_dir, "all", config_path, log_root=root)
        return tmp_path / "logs" / log_dir / "test"

    return run


class Runs(dict):
    """The log folder of a run of each method of the zoo, written when it is first asked for."""

    def __init__(self, root: Path):
        self.root = root

    def __missing__(self, method: str) -> Path:
        from helpers_runs import write_run

        self[method] = write_run(self.root / method, method)
        return self[method]


@pytest.fixture(scope="session")
def runs(tmp_path_factory) -> Runs:
    """The log folder of a run of each method of the zoo; to be changed by nobody."""
    return Runs(tmp_path_factory.mktemp("runs") / "logs")
