"""``mmzoo register``: two files in, one result out."""

from pathlib import Path
from typing import Annotated, Any

import typer

from mmzoo.cli._errors import plain_errors
from mmzoo.cli._pair_options import Geometry
from mmzoo.terminal import progress, quiet


def register(
    fixed: Annotated[
        Path,
        typer.Option(help="Image that stays: NIfTI, MHA, NRRD, a DICOM folder."),
    ],
    moving: Annotated[Path, typer.Option(help="Image that is aligned to it.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    loss: Annotated[
        str,
        typer.Option(
            help="mind-ssc, segi-mi, segi, mi, nmi, ncc, local-correlation or local-gradient."
        ),
    ] = "mind-ssc",
    initial: Annotated[
        str, typer.Option(help="Stage before the field: none, rigid or affine.")
    ] = "affine",
    field: Annotated[str, typer.Option(help="bspline, dense or none.")] = "bspline",
    weight: Annotated[
        float | None,
        typer.Option(help="Of the field's energies, mm^2: more is smoother (default: the loss's)."),
    ] = None,
    control: Annotated[
        float | None, typer.Option(help="Distance of the B-spline's control points, mm.")
    ] = None,
    resolution: Annotated[
        float | None,
        typer.Option(help="Voxel size for comparing, mm (default: what the size allows)."),
    ] = None,
    fixed_mask: Annotated[
        Path | None, typer.Option(help="Where the fixed image counts, above 0.")
    ] = None,
    moving_mask: Annotated[
        Path | None, typer.Option(help="Where the moving image counts, above 0.")
    ] = None,
    label: Annotated[
        Path | None, typer.Option(help="Label map of the moving image, carried along.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="A preset (mmzoo list presets), a run of deepreg_train, or a checkpoint, whose "
            "network says the field."
        ),
    ] = None,
    refine: Annotated[
        int, typer.Option(help="With --model: steps of instance optimisation on this pair.")
    ] = 0,
    geometry: Geometry = "",
    fixed_series: Annotated[
        str, typer.Option(help="Number or UID of the fixed DICOM series, of several in a folder.")
    ] = "",
    moving_series: Annotated[str, typer.Option(help="Of the moving one.")] = "",
    seed: Annotated[int, typer.Option(help="Of the points that the first stages draw.")] = 1,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier registration in the folder.")
    ] = False,
) -> None:
    """Align two images at once: without a trained model, or with one (--model)."""
    # Late, so that `mmzoo --help` does not wait for SimpleITK and TensorFlow.
    import os
    import sys

    # Keras 2 is all that is used; TensorFlow would import Keras 3 beside it, for a second or two.
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

    from mmzoo.io.atomic import claimed
    from mmzoo.io.paths import select
    from mmzoo.registration.api import register as run
    from mmzoo.registration.output import check_out, write_registration

    options: dict[str, Any] = {
        "loss": loss,
        "initial": initial,
        "field": field,
        "weight": weight,
        "seed": seed,
    }
    options |= {"resolution_mm": resolution}
    if control is not None:
        options["control_mm"] = control
    with plain_errors():
        check_out(out, overwrite)
        with claimed(out), quiet() as stream, progress(stream) as report:
            found = run(
                select(fixed, geometry, fixed_series),
                select(moving, geometry, moving_series),
                fixed_mask=select(fixed_mask, geometry),
                moving_mask=select(moving_mask, geometry),
                label=select(label, geometry),
                model=model,
                refine=refine,
                progress=report,
                **options,
            )
            files = {"fixed": fixed, "moving": moving, "label": label}
            files |= {"fixed_mask": fixed_mask, "moving_mask": moving_mask}
            named = {name: str(path.resolve()) for name, path in files.items() if path}
            command = " ".join(["mmzoo", *sys.argv[1:]])
            write_registration(found, out, {"command": command, "files": named})
    for note in found.report["notes"]:
        typer.secho(f"Note: {note}", fg="yellow", err=True)
    typer.echo(summary(found.report, out))


def summary(report: dict, out: Path) -> str:
    """Return what was found, in words."""
    nmi = ", ".join(f"{name} {value}" for name, value in report["nmi"].items())
    lines = [f"Normalised mutual information: {nmi}."]
    if "smallest_determinant" in report:
        smallest = report["smallest_determinant"]
        folds = report.get("folding_percent", 0)
        said = f"{folds:.3f} % of the voxels fold" if folds else "No voxel folds"
        lines.append(f"{said}; the smallest Jacobian determinant is {smallest:.2f}.")
    lines.append(f"{sum(report['seconds'].values()):.0f} s; {out}: warped.nii.gz, transform.h5,")
    lines[-1] += " displacement_mm.nii.gz, picture.png, report.html, registration.json"
    lines.append(f"Other images: mmzoo apply --transform {out}/transform.h5 ...")
    return "\n".join(lines)
