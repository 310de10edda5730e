"""Presets made and added: a training packed as one file, and files of others taken over."""

import shutil
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmzoo.checks import check_file_name
from mmzoo.deepreg.presets import (
    ABOUT,
    ENDING,
    About,
    checksum,
    folders,
    in_order,
    read_about,
    read_weights,
)
from mmzoo.errors import PreflightError
from mmzoo.inference.loading import trained_network
from mmzoo.inference.runs import open_run
from mmzoo.io.atomic import whole_file, write_text

LARGEST = 64 * 2**20  # bytes: what is larger is no preset
TRAIN = ("method", "backbone", "loss", "preprocess", "optimizer")  # what a network is built from
CARD = ("trained_on", "command", "hours", "machine", "intended_use", "limits")


def pack(
    run: str | Path,
    out: str | Path,
    *,
    title: str,
    licence: str,
    spacing_mm: tuple[float, float, float] | None = None,
    card: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write the network of a training as a preset, OUT.npz with OUT.sha256 beside it.

    Args:
        run: as `mmzoo.inference.runs.open_run` takes it.
        out: the file, ending in .npz; its name is the preset's.
        title: what it registers, in a line.
        licence: of the weights.
        spacing_mm: voxels of the images that it was trained on; None where they were of any size.
        card: what else `About` has, from `trained_on` on.
        overwrite: replace an earlier one.

    Raises:
        ValueError: no such run, an output that is there or of another ending, or a card of which a
            part is not known.
    """
    import numpy as np

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
    said = dict(card or {})
    unknown = sorted(set(said) - set(CARD))
    if unknown:
        raise PreflightError(f"A card has {', '.join(CARD)}; got {', '.join(unknown)}.")
    about = About(
        **said,
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
    write_text(path.with_suffix(".sha256"), f"{checksum(path)}  {path.name}\n")
