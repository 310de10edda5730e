"""Pretrained networks by name: those that come with the zoo, and those that a user has added.

A preset is one file NAME.npz: NumPy's archive of the network's weights in Keras' order, float16,
without pickled objects, and about.json in it. NAME.sha256 beside it has its checksum, which is
checked before the file is read.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

import mmzoo
from mmzoo.checks import check_file_name
from mmzoo.errors import PreflightError
from mmzoo.inference.runs import Run, open_run, trained_network
from mmzoo.io.atomic import whole_file

if TYPE_CHECKING:  # else late: a list of presets needs no arrays
    import numpy as np

ABOUT = "about.json"
ENDING = ".npz"
VARIABLE = "MMZOO_PRESETS"  # of the environment: the folder of added ones
LARGEST = 64 * 2**20  # bytes: what is larger is no preset
TRAIN = ("method", "backbone", "loss", "preprocess", "optimizer")  # what a network is built from


class About(BaseModel):
    """What a preset says of itself.

    Attributes:
        title: what it registers, in a line.
        licence: on which terms its weights may be used.
        train: sections of the configuration that it was trained with.
        image_size: voxels of its images.
        spacing_mm: of them, or None where it takes any.
        steps: that it was trained for.
    """

    model_config = ConfigDict(extra="ignore")

    title: str
    licence: str
    train: dict[str, Any]
    image_size: tuple[int, int, int]
    spacing_mm: tuple[float, float, float] | None = None
    steps: int | None = None


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


def read_preset(path: Path) -> Run:
    """Return a preset as a run, whose checkpoint is the file.

    Raises:
        PreflightError: the file is not the one that its checksum is of, or is damaged.
    """
    about = read_about(path)
    shape = list(about.image_size)
    dataset = {"moving_image_shape": shape, "fixed_image_shape": shape}
    spacing = about.spacing_mm
    return Run(str(path), {"dataset": dataset, "train": about.train}, spacing)


def read_about(path: Path) -> About:
    """Return what a preset says of itself; errors as `read_preset`."""
    _check(path)
    try:
        with zipfile.ZipFile(path) as file:
            return About.model_validate_json(file.read(ABOUT))
    except (KeyError, ValidationError) as error:
        raise PreflightError(f"{path} is no preset: it lacks {error}. {_REMEDY}") from None
    except (OSError, zipfile.BadZipFile) as error:
        raise PreflightError(f"{path} cannot be read as a preset ({error}).") from error


def read_weights(path: Path) -> list[np.ndarray]:
    """Return the weights of a preset in Keras' order, float32; errors as `read_preset`."""
    import numpy as np

    _check(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            count = sum(name.startswith("weight_") for name in file.files)
            return [file[f"weight_{k}"].astype(np.float32) for k in range(count)]
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise PreflightError(f"{path} cannot be read as a preset ({error}).") from error


def set_weights(network, path: Path) -> None:
    """Give a network the weights of a preset.

    Raises:
        PreflightError: it has others.
    """
    from mmzoo.inference.weights import in_order

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
    """Raise PreflightError where a file is not the one that its checksum is of."""
    sums = path.with_suffix(".sha256")
    expected = sums.read_text().split()[:1] if sums.is_file() else []
    if expected != [checksum(path)]:
        raise PreflightError(
            f"{path} is not the file that {sums.name} beside it is the checksum of. {_REMEDY}"
        )


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


# === Writing ===


def pack(
    run: str | Path,
    out: str | Path,
    *,
    title: str,
    licence: str,
    spacing_mm: tuple[float, float, float] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write the network of a training as a preset, OUT.npz with OUT.sha256 beside it.

    Args:
        run: as `mmzoo.inference.runs.open_run` takes it.
        out: the file, ending in .npz; its name is the preset's.
        title: what it registers, in a line.
        licence: of the weights.
        spacing_mm: voxels of the images that it was trained on; None where they were of any size.
        overwrite: replace an earlier one.

    Raises:
        ValueError: no such run, or an output that is there or of another ending.
    """
    import numpy as np

    from mmzoo.inference.weights import in_order

    out = Path(out)
    check_file_name("name", out.stem)
    if out.suffix != ENDING:
        raise PreflightError(f"A preset is a file {ENDING}, got {out}.")
    if out.exists() and not overwrite:
        raise PreflightError(f"{out} is there already; add --overwrite to replace it.")
    found = open_run(run)
    train = {key: found.config["train"][key] for key in TRAIN}
    epochs = int(found.checkpoint.rpartition("-")[2])
    steps = found.config["train"].get("steps_per_epoch")
    about = About(
        title=title,
        licence=licence,
        train=train,
        image_size=found.image_size,
        spacing_mm=spacing_mm,
        steps=steps and epochs * steps,
    )
    weights = in_order(trained_network(found))
    arrays = {f"weight_{k}": weight.numpy().astype(np.float16) for k, weight in enumerate(weights)}
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise PreflightError(f"{found.checkpoint} has weights that are no numbers of float16.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(out) as partial, partial.open("w+b") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr(ABOUT, about.model_dump_json(indent=1))
    _write_checksum(out)
    return out


def add(source: str, sha256: str, *, name: str = "", overwrite: bool = False) -> Path:
    """Put a preset of someone else into the user's folder.

    Args:
        source: a file, or its address: https://...
        sha256: its checksum, as its author publishes it.
        name: to call it by; that of the file by default.
        overwrite: replace an earlier one of that name.

    Raises:
        ValueError: a checksum that differs, a file that is no preset, or a name that is taken.
    """
    name = name or Path(source.partition("?")[0]).stem
    check_file_name("name", name)
    zoo, own = folders()
    out = own / f"{name}{ENDING}"
    if (zoo / out.name).exists():
        raise PreflightError(f"{name!r} is a preset of the zoo; give another --name.")
    if out.exists() and not overwrite:
        raise PreflightError(f"There is a preset {name!r} already; add --overwrite to replace it.")
    with tempfile.TemporaryDirectory() as folder:
        fetched = _fetch(source, Path(folder) / out.name)
        if checksum(fetched) != sha256.strip().lower():
            raise PreflightError(
                f"{source} has the SHA-256 {checksum(fetched)}, not {sha256}: it is damaged, or "
                "not the file that the checksum is of. Nothing was added."
            )
        _write_checksum(fetched)
        read_about(fetched), read_weights(fetched)
        own.mkdir(parents=True, exist_ok=True)
        with whole_file(out) as partial:
            shutil.copyfile(fetched, partial)
    _write_checksum(out)
    return out


def _fetch(source: str, out: Path) -> Path:
    if "://" not in source:
        path = Path(source).expanduser()
        if not path.is_file():
            raise PreflightError(f"There is no file {path}.")
        shutil.copyfile(path, out)
        return out
    if not source.startswith("https://"):
        raise PreflightError(f"The address of a preset must begin with https://, got {source}.")
    try:
        with urllib.request.urlopen(source, timeout=60) as answer:  # noqa: S310  (https alone)
            content = answer.read(LARGEST + 1)
    except (urllib.error.URLError, TimeoutError) as error:
        raise PreflightError(f"{source} cannot be fetched ({error}).") from error
    if len(content) > LARGEST:
        raise PreflightError(f"{source} is larger than {LARGEST >> 20} MB, which no preset is.")
    out.write_bytes(content)
    return out


def _write_checksum(path: Path) -> None:
    with whole_file(path.with_suffix(".sha256")) as partial:
        partial.write_text(f"{checksum(path)}  {path.name}\n")
