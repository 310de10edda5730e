"""``mmzoo phantom``: seeded anatomical phantoms in DeepReg's folder layout."""

from pathlib import Path
from typing import Annotated

import typer

from mmzoo.cli._box import parse_box


def phantom(
    name: Annotated[
        str, typer.Argument(help="Which phantom: heart (CT, MR) or abdomen (CT, T1, T2).")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    size: Annotated[
        tuple[int, int, int], typer.Option(help="Voxels along each axis; multiples of 16.")
    ] = (64, 64, 64),
    fov: Annotated[
        str,
        typer.Option(
            help="Field of view: heart or chest; liver, abdomen (all labelled organs) or body; or "
            "the edges of a box in mm, as 180 or 180,160,190. Organs are boxed per person "
            "(default: heart, liver)."
        ),
    ] = "",
    moving: Annotated[
        str,
        typer.Option(help="Moving modality; ct is fixed. Heart: mr; abdomen: t1 (default), t2."),
    ] = "",
    spacing: Annotated[
        tuple[float, float, float] | None,
        typer.Option(help="Voxel size in mm, the same for all (default: from --fov)."),
    ] = None,
    cases: Annotated[int, typer.Option(help="People per modality.")] = 20,
    folds: Annotated[int, typer.Option(help="Folds for cross-validation.")] = 4,
    valid: Annotated[int, typer.Option(help="People per modality that validate.")] = 2,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = 0,
    jobs: Annotated[
        int | None, typer.Option(help="Processes (default: all processor cores).")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace data made with other settings.")
    ] = False,
) -> None:
    """Make phantoms of different people, MR and CT, with labels, folds and a YAML per fold."""
    # Late, so that `mmzoo --help` does not wait for NumPy and SciPy.
    import sys

    from rich.console import Console
    from rich.progress import Progress

    from mmzoo.data import phantom as phantoms
    from mmzoo.data.overview import draw_overview

    console = Console()
    try:
        box = parse_box("fov", fov)
        settings = phantoms.Settings(name, size, box, spacing, seed, moving=moving)
        with Progress(console=console) as progress:
            bar = progress.add_task(f"{name} phantoms", total=None)
            description = phantoms.make_data_set(
                settings,
                out,
                cases=cases,
                folds=folds,
                valid=valid,
                jobs=phantoms.default_jobs() if jobs is None else jobs,
                overwrite=overwrite,
                command=" ".join(["mmzoo", *sys.argv[1:]]),
                report=lambda done, total: progress.update(bar, completed=done, total=total),
            )
    except (ValueError, OSError) as error:
        typer.secho(f"Error: {error}", fg="red", err=True)
        raise typer.Exit(1) from error
    console.print(
        f"{len(description['cases'])} cases, {folds} folds in {out}; "
        f"train with: deepreg_train -c CONFIG {out}/fold0.yaml"
    )
    typer.echo(f"picture: {draw_overview(out)}")
