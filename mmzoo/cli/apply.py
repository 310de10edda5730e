"""``mmzoo apply``: a saved transform on an image, a label map or points."""

from pathlib import Path
from typing import Annotated

import typer

from mmzoo.cli._errors import plain_errors


def apply(
    transform: Annotated[Path, typer.Option(help="transform.h5, or another that ITK reads.")],
    out: Annotated[Path, typer.Option(help="File to write; its suffix says the format.")],
    moving: Annotated[Path | None, typer.Option(help="Image or label map to warp.")] = None,
    reference: Annotated[
        Path | None, typer.Option(help="Image whose grid is filled, as the fixed one.")
    ] = None,
    interpolation: Annotated[str, typer.Option(help="Of images: linear or cubic.")] = "linear",
    labels: Annotated[
        str, typer.Option(help="The moving file is a label map: nearest, or linear (per label).")
    ] = "",
    points: Annotated[
        Path | None, typer.Option(help="CSV with columns x, y, z in mm, instead of an image.")
    ] = None,
    frame: Annotated[str, typer.Option(help="Of the points: ras or lps.")] = "",
    inverse: Annotated[
        bool,
        typer.Option(
            "--inverse",
            help="From the fixed image to the moving one; points back to the fixed one.",
        ),
    ] = False,
) -> None:
    """Apply a transform: to an image, to labels, or to points (from fixed to moving)."""
    # Late, so that `mmzoo --help` does not wait for SimpleITK.
    from mmzoo import registration

    with plain_errors():
        _check(moving, reference, points, frame)
        if moving is None or reference is None:
            count = registration.apply_to_points(transform, points or "", out, frame, inverse)
            typer.echo(f"{count} points in {out}, {frame} mm of the ", nl=False)
            typer.echo("fixed image" if inverse else "moving image")
            return
        if labels:
            registration.apply_to_labels(transform, moving, reference, out, labels, inverse)
        else:
            registration.apply_to_image(transform, moving, reference, out, interpolation, inverse)
    typer.echo(out)


def _check(moving, reference, points, frame: str) -> None:
    """Raise ValueError unless an image or points are given, with what each of them needs."""
    if (moving is None) == (points is None):
        raise ValueError("give either `--moving`, an image or label map, or `--points`, a CSV.")
    if points is not None and not frame:
        raise ValueError("`--points` needs `--frame ras` or `lps`: which way x and y count.")
    if points is None and reference is None:
        raise ValueError("`--moving` needs `--reference`, the image whose grid is filled.")
