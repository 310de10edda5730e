"""``mmzoo register`` on a 4-D series."""

from pathlib import Path
from typing import Any

import typer

from mmzoo.cli._output import command_line, print_notes
from mmzoo.terminal import progress, quiet


def one_series(
    fixed: Path | None,
    moving: Path,
    out: Path,
    files: dict[str, Path | None],
    options: dict[str, Any],
    geometry: str,
    overwrite: bool,
) -> None:
    """Align the frames of a series to a fixed image, or to their mean; says how it went.

    Args:
        fixed: image, or None.
        moving: the series.
        out: folder.
        files: masks, and what no series takes.
        options: of `mmzoo.register`, which count with a fixed image.
        geometry: which form of headers counts.
        overwrite: replace an earlier registration.

    Raises:
        ValueError: for bad input; nothing is written.
    """
    from mmzoo.io.atomic import claimed
    from mmzoo.io.digests import digest
    from mmzoo.io.paths import select, selected
    from mmzoo.registration.output import FILES, check_out
    from mmzoo.registration.series import register_series
    from mmzoo.registration.series_output import write_series

    allowed = ("moving_mask",) if fixed is None else ("moving_mask", "fixed_mask")
    for name, path in files.items():
        if path is not None and name not in allowed:
            raise ValueError(
                f"`--{name.replace('_', '-')}` goes with one moving image, and {moving} is a series"
                f"{'' if fixed else ' without a fixed image'}; carry labels and points by `mmzoo "
                "apply` afterwards."
            )
    check_out(out, overwrite)
    given = {"fixed": fixed, "moving": moving, **files}
    named: dict[str, Any] = {name: path for name, path in given.items() if path is not None}
    for name, path in named.items():
        if not selected(path)[1]:
            named[name] = select(path, geometry)
    asked = {"inputs": {name: digest(path) for name, path in named.items()}, "options": options}
    chosen = options if fixed is not None else {"seed": options["seed"]}
    with claimed(out), quiet() as stream, progress(stream) as update:
        found = register_series(**named, **chosen, progress=update)
        extra = {"command": command_line(), "asked": asked}
        extra["files"] = {name: str(path.absolute()) for name, path in named.items()}
        write_series(found, out, extra)
    print_notes(found.report["notes"])
    typer.echo(
        f"{found.report['frames']} frames; the farthest lies "
        f"{found.report['largest_displacement_mm']:.2f} mm from the mean. {out}: "
        f"{', '.join(name for name in FILES if (out / name).exists())}"
    )
