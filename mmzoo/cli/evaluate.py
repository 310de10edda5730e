"""``mmzoo evaluate``: figures, tables and pictures of a finished prediction."""

import os
from pathlib import Path
from typing import Annotated

import typer

from mmzoo.cli._errors import plain_errors


def evaluate(
    run: Annotated[
        Path, typer.Argument(help="Prediction folder of deepreg_predict, or its name in logs/.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Results folder (default: evaluation in RUN)."),
    ] = None,
    before: Annotated[bool, typer.Option(help="Measure the pairs before registration too.")] = True,
    affine: Annotated[
        bool, typer.Option(help="Set an affine registration of the same pairs beside it.")
    ] = True,
    pictures: Annotated[
        str, typer.Option(help="Pairs to draw, from the median one outwards: a number, or all.")
    ] = "1",
    structure: Annotated[
        str | None, typer.Option(help="Structure the slices cut (default: the largest).")
    ] = None,
    union: Annotated[
        str | None, typer.Option(help="Measure all structures together too, under this name.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what is in --out, be it another's.")
    ] = False,
    jobs: Annotated[
        int | None, typer.Option(help="Processes (default: all processor cores).")
    ] = None,
) -> None:
    """Measure a prediction: Dice, surface distances (mm), folding, beside before and affine."""
    # Late, so that `mmzoo --help` does not wait for NumPy, pandas and SimpleITK.
    from functools import partial

    from rich.console import Console

    from mmzoo.evaluation import evaluate as run_evaluation
    from mmzoo.evaluation.tables import terminal
    from mmzoo.terminal import progress

    with plain_errors():
        with progress() as report:
            found = run_evaluation(
                run,
                out=out,
                before=before,
                affine=affine,
                pictures=parse_pictures(pictures),
                structure=structure,
                union=union,
                overwrite=overwrite,
                jobs=jobs if jobs is not None else os.cpu_count() or 1,
                on_pair=partial(report, "pairs"),
            )
    for note in found.notes:
        typer.secho(f"Note: {note}", fg="yellow", err=True)
    for table in terminal(found.summary, method=found.prediction.method):
        Console().print(table)
    pages = [path.with_suffix(".html") for path in found.pictures]
    for path in (*found.pictures, *pages, found.out / "summary.md", found.out / "cases.csv"):
        typer.echo(path)


def parse_pictures(text: str) -> int | None:
    """Turn a number, or "all" (None), into the number of pictures.

    Raises:
        ValueError: if it is neither.
    """
    if text == "all":
        return None
    if not text.isdecimal():
        raise ValueError(f"`--pictures` must be a number or all, got {text!r}; use 1.")
    return int(text)
