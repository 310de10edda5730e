"""``mmzoo apply``: saved transforms on an image, a label map or points."""

from pathlib import Path
from typing import Annotated

import typer

from mmzoo.cli._many import ManyValues
from mmzoo.cli._options import TRANSFORMS, Geometry
from mmzoo.cli._output import print_notes

COMMAND = ManyValues


def apply(
    transform: Annotated[list[str], typer.Option(help=TRANSFORMS)],
    out: Annotated[Path, typer.Option(help="File to write; its suffix says the format.")],
    moving: Annotated[
        Path | None, typer.Option(help="Image (3-D, or 4-D frame by frame) or label map to warp.")
    ] = None,
    reference: Annotated[
        Path | None, typer.Option(help="Image whose grid is filled, as the fixed one.")
    ] = None,
    interpolation: Annotated[str, typer.Option(help="Of images: linear or cubic.")] = "linear",
    labels: Annotated[
        str, typer.Option(help="The moving file is a label map: nearest, or linear (per label).")
    ] = "",
    image: Annotated[
        Path | None,
        typer.Option(help="What the label map was drawn on (default: the registered image)."),
    ] = None,
    points: Annotated[
        Path | None,
        typer.Option(help="Instead of an image: CSV with columns x, y, z in mm, .fcsv, .mrk.json."),
    ] = None,
    frame: Annotated[str, typer.Option(help="Of a CSV of points: ras or lps.")] = "",
    inverse: Annotated[
        bool,
        typer.Option(
            "--inverse",
            help="From the fixed image to the moving one; points back to the fixed one.",
        ),
    ] = False,
    geometry: Geometry = "",
    series: Annotated[
        str, typer.Option(help="Number or UID of the moving DICOM series, of several in a folder.")
    ] = "",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what is there, be it an input.")
    ] = False,
) -> None:
    """Apply transforms: to an image, to labels, or to points (from fixed to moving)."""
    # Late, so that `mmzoo --help` does not wait for SimpleITK.
    from rich.progress import Progress

    from mmzoo import registration
    from mmzoo.io.paths import select
    from mmzoo.registration.apply import OutputFile

    output = OutputFile(out, overwrite, lambda note: print_notes([note]))
    _check(moving, reference, points, labels, image)
    if moving is None or reference is None:
        count = registration.apply_to_points(transform, points or "", output, frame, inverse)
        typer.echo(f"{count} points of the {'fixed' if inverse else 'moving'} image in {out}")
        return
    files = select(moving, geometry, series), select(reference, geometry)
    if labels:
        on = select(image, geometry)
        with Progress(transient=True) as progress:
            bar = progress.add_task("labels", total=None)
            registration.apply_to_labels(
                *(transform, *files, output, labels, inverse, on),
                lambda done, total: progress.update(bar, completed=done, total=total),
            )
    else:
        registration.apply_to_image(transform, *files, output, interpolation, inverse)
    typer.echo(out)


def _check(moving, reference, points, labels: str, image) -> None:
    """Raise ValueError unless an image or points are given, with what each of them needs."""
    if (moving is None) == (points is None):
        raise ValueError("give either `--moving`, an image or label map, or `--points`, a CSV.")
    if points is None and reference is None:
        raise ValueError("`--moving` needs `--reference`, the image whose grid is filled.")
    if image is not None and not labels:
        raise ValueError("`--image` belongs to a label map: give `--labels nearest` or `linear`.")
