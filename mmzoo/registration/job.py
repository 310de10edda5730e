"""Registration of one pair of files into a folder; checksums of its inputs identify it later."""

import json
from pathlib import Path
from typing import Any

import mmzoo
from mmzoo.io.atomic import UNFINISHED
from mmzoo.io.digests import digest
from mmzoo.registration.api import register
from mmzoo.registration.output import REPORT, write_registration
from mmzoo.registration.pair_files import PairFiles
from mmzoo.registration.quality import quality
from mmzoo.registration.settings import Settings
from mmzoo.registration.truth import read_truth
from mmzoo.terminal import Report

IMAGES = ("fixed", "moving", "fixed_mask", "moving_mask", "moving_label")
DIRECT = ("loss", "initial", "field", "weight", "seed")


def check_options(options: dict) -> None:
    """Raise ValueError for an option of `mmzoo.register` that cannot work; says which."""
    if options.get("model") is not None:
        from mmzoo.inference.runs import open_run

        open_run(options["model"])
    elif options.get("refine"):
        raise ValueError("`--refine` is for a trained network; name one with `--model`.")
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
        out: folder; an earlier registration in it is replaced.
        options: of `mmzoo.register`, but for images, masks, series and progress.
        frame: of points in a CSV.
        command: what the user called, for the report.
        progress: see `mmzoo.register`.
        predictor: the network of `options["model"]`, if it is loaded already.

    Returns:
        The report, as it is written.

    Raises:
        ValueError: for bad input; nothing is written.
    """
    asked = asked_for(pair, options, frame)
    read = read_truth(pair, frame)
    sources: dict[str, Any] = {name: getattr(pair, name) for name in IMAGES}
    sources |= {} if read is None else read.images
    wanted = {**options, "model": predictor or options.get("model")}
    found = register(**sources, **wanted, progress=progress)
    found.report.update(quality(found, read))
    named = {name: str(path.absolute()) for name, path in pair.files().items()}
    extra = {"command": command, "files": named, "asked": asked}
    write_registration(found, out, extra, None if read is None else read.labels)
    return {**extra, **found.report}


def asked_for(pair: PairFiles, options: dict, frame: str) -> dict:
    """Return what determines a registration: checksums of the files, options, the version."""
    made_from = {name: digest(path) for name, path in pair.files().items()}
    given = {"frame": frame, **options}
    model = options.get("model")
    if model is not None:
        given["model"] = str(model)
        made_from["model"] = _of_model(model)
    asked = {"inputs": made_from, "options": given, "mmzoo": mmzoo.__version__}
    return json.loads(json.dumps(asked))  # types as after reading


def _of_model(model: str | Path) -> str:
    """Return a checksum of a network, so that another one of the same name is noticed."""
    from mmzoo.inference.runs import open_run

    checkpoint = Path(open_run(model).checkpoint)
    index = checkpoint.with_name(checkpoint.name + ".index")
    files = [index, *sorted(checkpoint.parent.glob(f"{checkpoint.name}.data-*"))]
    files = files if index.is_file() else [checkpoint]
    return " ".join(digest(file) for file in files)


def earlier_report(out: Path) -> dict | None:
    """Return the report of a complete registration in a folder, or None."""
    if (out / UNFINISHED).exists():
        return None
    try:
        report = json.loads((out / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return report if isinstance(report, dict) else None
