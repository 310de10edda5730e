"""One pair of files registered into a folder, with what it was made from, to know it again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mmzoo
from mmzoo.io.atomic import UNFINISHED
from mmzoo.io.digests import digest
from mmzoo.registration.api import register
from mmzoo.registration.output import REPORT, write_registration
from mmzoo.registration.pair_files import PairFiles
from mmzoo.registration.quality import check_truth, quality
from mmzoo.registration.settings import Settings
from mmzoo.terminal import Report

IMAGES = ("fixed_mask", "moving_mask", "moving_label")
DIRECT = ("loss", "initial", "field", "weight", "seed")


def check_options(options: dict) -> None:
    """Raise ValueError for an option of `mmzoo.register` that cannot work; says which."""
    chosen = {name: options[name] for name in DIRECT if name in options}
    lengths = {f"{name}_mm": options.get(name) for name in ("control", "resolution")}
    Settings(**chosen, **{name: value for name, value in lengths.items() if value is not None})


def register_files(
    pair: PairFiles,
    out: Path,
    options: dict[str, Any],
    *,
    frame: str = "",
    command: str = "",
    progress: Report = lambda stage, done, total: None,
    predictor: Any = None,
) -> dict:
    """Register a pair of files, measure it where there are labels or points, and write it.

    Args:
        pair: the files.
        out: folder; what an earlier registration left in it is replaced.
        options: of `mmzoo.register`, but images, what counts of them, and progress.
        frame: of points in a CSV.
        command: what the user called, for the report.
        progress: see `mmzoo.register`.
        predictor: the network of `options["model"]`, where it is there already.

    Returns:
        The report, as it is written.

    Raises:
        ValueError: for bad input; nothing is written.
    """
    asked = asked_for(pair, options, frame)
    check_truth(pair, frame)
    files = {name: getattr(pair, name) for name in IMAGES}
    wanted = {**options, "model": predictor or options.get("model")}
    found = register(pair.fixed, pair.moving, **files, **wanted, progress=progress)
    found.report.update(quality(found, pair, frame))
    named = {name: str(path.absolute()) for name, path in pair.files().items()}
    extra = {"command": command, "files": named, "asked": asked}
    write_registration(found, out, extra)
    return {**extra, **found.report}


def asked_for(pair: PairFiles, options: dict, frame: str) -> dict:
    """Return what a registration is made from: checksums of the files, options, the version."""
    made_from = {name: digest(path) for name, path in pair.files().items()}
    given = {"frame": frame, **options}
    model = options.get("model")
    if model is not None:
        given["model"] = str(model)
        made_from["model"] = _of_model(model)
    asked = {"inputs": made_from, "options": given, "mmzoo": mmzoo.__version__}
    return json.loads(json.dumps(asked))  # as it is read again


def _of_model(model: str | Path) -> str:
    """Return a checksum of a network, so that another training's of the same name is told."""
    from mmzoo.inference.runs import open_run

    checkpoint = Path(open_run(model).checkpoint)
    index = checkpoint.with_name(checkpoint.name + ".index")
    files = [index, *sorted(checkpoint.parent.glob(f"{checkpoint.name}.data-*"))]
    files = files if index.is_file() else [checkpoint]
    return " ".join(digest(file) for file in files)


def earlier_report(out: Path) -> dict | None:
    """Return the report of a whole registration in a folder; None where there is none."""
    if (out / UNFINISHED).exists():
        return None
    try:
        report = json.loads((out / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return report if isinstance(report, dict) else None
