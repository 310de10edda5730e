"""``mmzoo register``: two files in, one result out; or many pairs, or a series."""

from pathlib import Path
from typing import Annotated, Any

import typer

from mmzoo.cli._options import Geometry
from mmzoo.cli._output import command_line, print_notes
from mmzoo.terminal import progress, quiet

MANY = "Many pairs"


def register(
    out: Annotated[Path, typer.Option(help="Folder to write; of many pairs, one in it for each.")],
    fixed: Annotated[
        Path | None,
        typer.Option(help="Image that stays: NIfTI, MHA, NRRD, a DICOM folder."),
    ] = None,
    moving: Annotated[
        Path | None,
        typer.Option(
            help="Image that is aligned to it; a 4-D series frame by frame, without --fixed to its "
            "own mean."
        ),
    ] = None,
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
        float | None,
        typer.Option(help="Distance of the B-spline's control points, mm (default: 8)."),
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
    moving_label: Annotated[
        Path | None,
        typer.Option(
            "--moving-label", "--label", help="Label map of the moving image, carried along."
        ),
    ] = None,
    fixed_label: Annotated[
        Path | None,
        typer.Option(help="Label map of the fixed image: the Dice of both is measured."),
    ] = None,
    fixed_points: Annotated[
        Path | None,
        typer.Option(
            help="Landmarks of the fixed image: CSV with x, y, z in mm, .fcsv, .mrk.json."
        ),
    ] = None,
    moving_points: Annotated[
        Path | None,
        typer.Option(
            "--moving-points",
            "--points",
            help="The same landmarks of the moving image: their distance is measured.",
        ),
    ] = None,
    frame: Annotated[str, typer.Option(help="Of points in a CSV: ras or lps.")] = "",
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
        bool, typer.Option("--overwrite", help="Replace what was registered in the folder.")
    ] = False,
    pairs: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=MANY,
            help="CSV file with columns fixed, moving, and maybe name, subject, fixed_mask, "
            "moving_mask, fixed_label, moving_label, fixed_points, moving_points; file names "
            "count from its folder.",
        ),
    ] = None,
    pair: Annotated[
        str, typer.Option(rich_help_panel=MANY, help="Only the pair of this name, and no summary.")
    ] = "",
    fixed_dir: Annotated[
        Path | None,
        typer.Option(rich_help_panel=MANY, help="Folder of fixed images, instead of a CSV file."),
    ] = None,
    moving_dir: Annotated[
        Path | None,
        typer.Option(rich_help_panel=MANY, help="Folder of moving images of the same names."),
    ] = None,
    bids: Annotated[
        Path | None, typer.Option(rich_help_panel=MANY, help="BIDS folder, instead of a CSV file.")
    ] = None,
    fixed_suffix: Annotated[
        str, typer.Option(rich_help_panel=MANY, help="Of its fixed images, as T1w.")
    ] = "",
    moving_suffix: Annotated[
        str, typer.Option(rich_help_panel=MANY, help="Of its moving images, as T2w.")
    ] = "",
    jobs: Annotated[
        int, typer.Option(rich_help_panel=MANY, help="Processes that share the cores.")
    ] = 1,
) -> None:
    """Align two images at once: without a trained model, or with one (--model). Or many pairs."""
    # Late, so that `mmzoo --help` does not wait for SimpleITK and TensorFlow.
    import os
    from importlib.util import find_spec

    # Either Keras will do, and Keras 2 starts a second sooner.
    if find_spec("tf_keras"):
        os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

    from mmzoo.cli._register_many import many_pairs
    from mmzoo.cli._register_series import one_series
    from mmzoo.io.paths import select
    from mmzoo.io.sources import is_series
    from mmzoo.registration.pair_files import PairFiles

    options = {
        **{"loss": loss, "initial": initial, "field": field, "weight": weight},
        **{"control": control, "resolution": resolution, "seed": seed},
        **{"model": model, "refine": refine},
    }
    files: dict[str, Any] = {
        **{"fixed_mask": fixed_mask, "moving_mask": moving_mask},
        **{"fixed_label": fixed_label, "moving_label": moving_label},
        **{"fixed_points": fixed_points, "moving_points": moving_points},
    }
    tables = {
        **{"pairs": pairs, "fixed_dir": fixed_dir, "moving_dir": moving_dir},
        **{"bids": bids, "fixed_suffix": fixed_suffix, "moving_suffix": moving_suffix},
    }
    if any(tables.values()):
        one: dict[str, Any] = {"fixed": fixed, "moving": moving, **files}
        one |= {"fixed_series": fixed_series, "moving_series": moving_series}
        many_pairs(out, tables, one, options, geometry, frame, pair, jobs, overwrite)
        return
    series = moving is not None and is_series(moving)
    if moving is None or (fixed is None and not series) or pair:
        raise ValueError(
            "give `--fixed` and `--moving`, two images; or `--moving` alone, a 4-D series; or "
            "many pairs: `--pairs`, a CSV file, `--fixed-dir` and `--moving-dir`, or `--bids`."
        )
    images = select(fixed, "", fixed_series), select(moving, "", moving_series) or moving
    if series or images[0] is None:
        one_series(*images, out, files, options, geometry, overwrite)
        return
    both = PairFiles(images[0], images[1], **files).select(geometry)
    report = _one_pair(both, out, options, frame, overwrite)
    print_notes(report["notes"])
    typer.echo(summary(report, out))


def _one_pair(files, out: Path, options: dict[str, Any], frame: str, overwrite: bool) -> dict:
    from mmzoo.io.atomic import claimed
    from mmzoo.registration.job import register_files
    from mmzoo.registration.output import check_out

    check_out(out, overwrite)
    command = command_line()
    with claimed(out), quiet() as stream, progress(stream) as update:
        return register_files(files, out, options, frame=frame, command=command, progress=update)


def summary(report: dict, out: Path) -> str:
    """Return what was found, in words."""
    from mmzoo.registration.output import FILES

    nmi = ", ".join(f"{name} {value}" for name, value in report["nmi"].items())
    lines = [f"Normalised mutual information: {nmi}."]
    titles = {"dice": "Dice", "asd_mm": "Average surface distance, mm", "hd95_mm": "HD95, mm"}
    titles["tre_mm"] = "Distance of the landmarks, mm"
    for name, title in titles.items():
        if name in report:
            stages = ", ".join(f"{stage} {value}" for stage, value in report[name].items())
            lines.append(f"{title}: {stages}.")
    if "smallest_determinant" in report:
        smallest = report["smallest_determinant"]
        folds = report.get("folding_percent", 0)
        said = f"{folds:.3f} % of the voxels fold" if folds else "No voxel folds"
        lines.append(f"{said}; the smallest Jacobian determinant is {smallest:.2f}.")
    names = [name for name in FILES if (out / name).exists()]
    lines.append(f"{sum(report['seconds'].values()):.0f} s; {out}: {', '.join(names)}")
    lines.append(f"Other images: mmzoo apply --transform {out}/transform.h5 ...")
    return "\n".join(lines)
