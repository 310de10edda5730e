"""``mmzoo phantom``: seeded anatomical phantoms in DeepReg's folder layout."""

from typing import Annotated

import typer

from mmzoo.cli._box import parse_box
from mmzoo.cli._options import Jobs, Out
from mmzoo.cli._output import command_line, train_with


def phantom(
    name: Annotated[
        str,
        typer.Argument(
            help="Which phantom: heart (CT, MR) or abdomen (CT, T1, T2) of different people; "
            "of one person in two states, with the true field: breast (T1 before and after "
            "contrast agent), cine (short-axis heart at both ends of the beat), brain (T1, T2, "
            "with a tumour; one of them deformed) or spine (CT and MR in two poses, with rigid "
            "vertebrae)."
        ),
    ],
    out: Out,
    size: Annotated[
        tuple[int, int, int] | None,
        typer.Option(
            help="Voxels along each axis; multiples of 16 (brain: 8), slices of cine: 6 or more "
            "(default: 64 64 64; breast 96 96 96; cine 128 128 12; brain 112 128 96; "
            "spine 64 96 96)."
        ),
    ] = None,
    fov: Annotated[
        str,
        typer.Option(
            help="Field of view: heart or chest; liver, abdomen (all labelled organs) or body; "
            "breast (160 mm round the one with the lesion) or breasts; cine: heart; brain; spine: "
            "vertebrae (112 x 168 x 168 mm round L3 to L5) or trunk (96 x 320 x 320 mm); or the "
            "edges of a box in mm, as 180 or 180,160,190. Organs are boxed per person (default: "
            "the first)."
        ),
    ] = "",
    moving: Annotated[
        str,
        typer.Option(
            help="Moving modality. Heart: mr, abdomen: t1 (default) or t2, to ct; breast: post, "
            "to pre; cine: ed, to es; brain: t1, to t2; spine: ct, to mr."
        ),
    ] = "",
    motion: Annotated[
        float | None,
        typer.Option(
            help="Brain: largest displacement between the two images in mm, 0 to align them "
            "(default: 15). Each person has 80 to 100 % of it."
        ),
    ] = None,
    noise: Annotated[
        float | None,
        typer.Option(
            help="Brain: standard deviation of noise beside the phantom's own, in percent of the "
            "brightest intensity (default: none)."
        ),
    ] = None,
    blur: Annotated[
        float | None,
        typer.Option(help="Brain: width of a blurring in mm, at half maximum (default: none)."),
    ] = None,
    spacing: Annotated[
        tuple[float, float, float] | None,
        typer.Option(help="Voxel size in mm, the same for all (default: from --fov)."),
    ] = None,
    cases: Annotated[int, typer.Option(help="People per modality.")] = 20,
    folds: Annotated[int, typer.Option(help="Folds for cross-validation.")] = 4,
    valid: Annotated[int, typer.Option(help="People per modality that validate.")] = 2,
    test: Annotated[
        int,
        typer.Option(help="People per modality tested in every fold (0: each in one fold)."),
    ] = 0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = 0,
    jobs: Jobs = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace data made with other settings.")
    ] = False,
) -> None:
    """Make phantoms with labels, folds and a YAML per fold."""
    # Late, so that `mmzoo --help` does not wait for NumPy and SciPy.
    from functools import partial

    from mmzoo.datasets import phantom as phantoms
    from mmzoo.datasets.overview import draw_overview
    from mmzoo.io.atomic import claimed
    from mmzoo.io.parallel import default_jobs
    from mmzoo.terminal import progress

    with claimed(out):
        box = parse_box("fov", fov)
        size = size or phantoms.default_size(name)
        settings = phantoms.PhantomSettings(
            name, size, box, spacing, seed, moving=moving, motion=motion, noise=noise, blur=blur
        )
        with progress() as report:
            description = phantoms.make_data_set(
                settings,
                out,
                cases=cases,
                folds=folds,
                valid=valid,
                test=test,
                jobs=default_jobs() if jobs is None else jobs,
                overwrite=overwrite,
                command=command_line(),
                report=partial(report, f"{name} phantoms"),
            )
    typer.echo(f"{len(description['cases'])} images, {folds} folds in {out}.")
    typer.echo(train_with(out))
    typer.echo(f"picture: {draw_overview(out)}")
