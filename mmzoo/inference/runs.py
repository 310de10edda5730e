"""Finished trainings of `deepreg_train`: where their parts are, and their models with weights."""

from pathlib import Path
from typing import NamedTuple

from mmzoo.checks import closest
from mmzoo.deepreg import presets
from mmzoo.deepreg.schema import read_written
from mmzoo.errors import PreflightError

PAINTED = (1.0, 99.0)  # percentiles of `mmzoo.layers.painting`, which imports TensorFlow
SHAPES = ("fixed_image_shape", "image_shape")  # of a dataset section


class TrainedRun(NamedTuple):
    """A checkpoint of a training, and the configuration it was trained with.

    Attributes:
        checkpoint: path without a file ending; of a preset its file.
        config: `dataset` and `train`.
        spacing_mm: voxel size of its images, where a preset says it.
    """

    checkpoint: str
    config: dict
    spacing_mm: tuple[float, float, float] | None = None

    @property
    def name(self) -> str:
        """What people call it: the preset, or the training's log folder."""
        path = Path(self.checkpoint)
        return path.parent.parent.name if path.parent.name == "save" else path.stem

    @property
    def method(self) -> str:
        """Name of the method, `train.method`."""
        return self.config["train"]["method"]

    @property
    def image_size(self) -> tuple[int, int, int]:
        """The grid (dim1, dim2, dim3) that whole images were brought to."""
        dataset = self.config["dataset"]
        dim1, dim2, dim3 = next(dataset[key] for key in SHAPES if key in dataset)
        return dim1, dim2, dim3

    @property
    def percentiles(self) -> tuple[float, float] | None:
        """What became 0 and 1 in each image; None for its minimum and maximum."""
        preprocess = self.config["train"]["preprocess"]
        steps = preprocess.get("data_augmentation") or []
        steps = [steps] if isinstance(steps, dict) else steps
        if any(step.get("name") == "random-contrast" for step in steps):
            return PAINTED
        return preprocess.get("percentiles")

    @property
    def compares_images(self) -> bool:
        """Whether the loss compares images, so that it can be minimised for a pair."""
        return self.config["train"]["loss"].get("image", {"weight": 0}).get("weight", 1) != 0


def open_run(path: str | Path, *, log_root: str | Path = "logs") -> TrainedRun:
    """Find a training's configuration and checkpoint.

    Args:
        path: of a run's folder, whose last checkpoint is taken, its name under `log_root`, a
            checkpoint FOLDER/save/ckpt-EPOCHS, or the name of a preset, if there is no such folder.
        log_root: DeepReg's folder of logs.

    Raises:
        PreflightError: there is none, or a part of it is missing.
    """
    preset = presets.paths().get(str(path))
    if preset and not any(there.is_dir() for there in (Path(path), Path(log_root) / path)):
        return _of_preset(preset)
    save, checkpoint = _find_checkpoint(Path(path).expanduser(), Path(log_root))
    written = save.parent / "config.yaml"
    if not written.is_file():
        raise PreflightError(
            f"The checkpoint {checkpoint or save} needs the config.yaml of its training, and there "
            f"is no {written}; leave checkpoints in the folder that deepreg_train made."
        )
    config = read_written(written)
    if checkpoint is None:
        from mmzoo.deepreg.checkpoints import newest_whole  # late: it imports TensorFlow

        return TrainedRun(str(newest_whole(save)), config)
    return TrainedRun(str(checkpoint), config)


def _of_preset(path: Path) -> TrainedRun:
    """Return a preset as a run, whose checkpoint is the file."""
    about = presets.read_about(path)
    shape = list(about.image_size)
    dataset = {"moving_image_shape": shape, "fixed_image_shape": shape}
    return TrainedRun(str(path), {"dataset": dataset, "train": about.train}, about.spacing_mm)


def _find_checkpoint(path: Path, log_root: Path) -> tuple[Path, Path | None]:
    """Return a folder of checkpoints, and the checkpoint in it that is named, if one is."""
    for base in dict.fromkeys((path, log_root / path)):
        if base.is_dir():
            return _save_of(base).absolute(), None
        if base.with_name(base.name + ".index").is_file():
            return base.absolute().parent, base.absolute()
    folder = path.parent if str(path.parent) != "." or path.is_absolute() else log_root
    there = sorted(item.name for item in folder.glob("*")) if folder.is_dir() else []
    there = sorted({name.removesuffix(".index") for name in there if ".data-" not in name})
    names = {name: str(folder / name) for name in there} | {name: name for name in presets.paths()}
    meant = closest(path.name, names)
    hint = f"did you mean {names[meant]}? " if meant else ""
    raise PreflightError(
        f"There is no training {path}: {hint}Expected the log folder of deepreg_train (or its name "
        f"in {log_root}), a checkpoint LOG_FOLDER/save/ckpt-EPOCHS, or a preset (`mmzoo list "
        "presets`)."
    )


def _save_of(folder: Path) -> Path:
    """Return the folder of checkpoints: `save` in a log folder, or the folder itself."""
    save = folder / "save" if (folder / "save").is_dir() else folder
    if not any(save.glob("ckpt-*.index")):
        raise PreflightError(
            f"{folder} has no checkpoint: expected save/ckpt-EPOCHS.index, as deepreg_train leaves "
            "it after the first epoch. Is this the folder of a prediction?"
        )
    return save
