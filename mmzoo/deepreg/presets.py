"""Pretrained networks by name: those that come with the zoo, and those that a user has added.

A preset is one file NAME.npz: NumPy's archive of the network's weights in Keras' order, float16,
without pickled objects, and about.json in it. NAME.sha256 beside it has its checksum, which is
checked before the file is read.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

import mmzoo
from mmzoo.errors import PreflightError

if TYPE_CHECKING:  # imported late: listing presets needs no arrays
    import numpy as np

ABOUT = "about.json"
ENDING = ".npz"
VARIABLE = "MMZOO_PRESETS"  # of the environment: the folder of added ones


class About(BaseModel):
    """What a preset says of itself.

    Attributes:
        title: what it registers, in a line.
        licence: of its weights.
        train: sections of the configuration that it was trained with.
        image_size: voxels of its images.
        spacing_mm: of them, or None where it takes any.
        steps: that it was trained for.
        trained_on: which data.
        command: that trained it.
        hours: that it took.
        machine: on which.
        intended_use: what it is for.
        limits: what it is not for.
    """

    model_config = ConfigDict(extra="ignore")

    title: str
    licence: str
    train: dict[str, Any]
    image_size: tuple[int, int, int]
    spacing_mm: tuple[float, float, float] | None = None
    steps: int | None = None
    trained_on: str = ""
    command: str = ""
    hours: float | None = None
    machine: str = ""
    intended_use: str = ""
    limits: str = ""


# === Finding ===


def folders() -> list[Path]:
    """Return where presets are: the zoo's own, then the user's."""
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    own = os.environ.get(VARIABLE) or Path(data) / "mmzoo" / "presets"
    return [Path(mmzoo.__file__).parent / "presets", Path(own).expanduser()]


def paths() -> dict[str, Path]:
    """Return the file of each preset by its name; the zoo's own come first."""
    found: dict[str, Path] = {}
    for folder in folders():
        for path in sorted(folder.glob(f"*{ENDING}")):
            found.setdefault(path.stem, path)
    return found


def rows() -> list[tuple[str, str, str]]:
    """Return (name, mmzoo or added, what it says of itself) of each preset."""
    zoo = folders()[0]
    return [
        (name, "mmzoo" if path.parent == zoo else "added", read_about(path).title)
        for name, path in paths().items()
    ]


# === Reading ===


def read_about(path: Path) -> About:
    """Return what a preset says of itself.

    Raises:
        PreflightError: the file does not match its checksum, or is damaged.
    """
    _check(path)
    try:
        with zipfile.ZipFile(path) as file:
            return About.model_validate_json(file.read(ABOUT))
    except (KeyError, ValidationError) as error:
        raise PreflightError(f"{path} is no preset: it lacks {error}. {_REMEDY}") from None
    except (OSError, zipfile.BadZipFile) as error:
        raise PreflightError(f"{path} cannot be read as a preset ({error}).") from error


def read_weights(path: Path) -> list[np.ndarray]:
    """Return the weights of a preset in Keras' order, float32; errors as `read_about`."""
    import numpy as np

    _check(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            count = sum(name.startswith("weight_") for name in file.files)
            return [file[f"weight_{k}"].astype(np.float32) for k in range(count)]
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise PreflightError(f"{path} cannot be read as a preset ({error}).") from error


def in_order(network) -> list:
    """Return the variables of a network in the order of Keras 2: non-trainable ones last."""
    return [*network.trainable_weights, *network.non_trainable_weights]


def set_weights(network, path: Path) -> None:
    """Set the weights of a network from a preset.

    Raises:
        PreflightError: their number or shapes differ.
    """
    weights, variables = read_weights(path), in_order(network)
    shapes = [tuple(weight.shape) for weight in weights]
    wanted = [tuple(variable.shape) for variable in variables]
    if shapes != wanted:
        raise PreflightError(
            f"The weights of {path} are of another network than it says: {len(shapes)} of them, "
            f"where {type(network).__name__} has {len(wanted)}, or of other shapes."
        )
    for variable, weight in zip(variables, weights, strict=True):
        variable.assign(weight)


_REMEDY = "Install mmzoo again, or add the preset again: mmzoo presets add."


def _check(path: Path) -> None:
    """Raise PreflightError where a file does not match its checksum."""
    sums = path.with_suffix(".sha256")
    expected = sums.read_text().split()[:1] if sums.is_file() else []
    if expected != [checksum(path)]:
        raise PreflightError(
            f"{path} is not the file that {sums.name} beside it is the checksum of. {_REMEDY}"
        )


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
