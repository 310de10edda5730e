"""``mmzoo evaluate``: figures, tables and pictures of a finished prediction."""

from pathlib import Path
from typing import Annotated

import typer

from mmzoo.cli._many import ManyValues
from mmzoo.cli._options import TRANSFORMS, Jobs
from mmzoo.cli._output import print_notes

COMMAND = ManyValues
FILES = "A registration, or files of any program"


def evaluate(
    run: Annotated[
        Path | None,
        typer.Argument(
            help="Prediction folder of deepreg_predict, or its name in logs/; or a folder of "
            "mmzoo register. None: files alone."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Results folder (default: evaluation in RUN; without RUN none)."),
    ] = None,
    fixed_label: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=FILES,
            help="Label map of the fixed image (default: the one it was registered with).",
        ),
    ] = None,
    moving_label: Annotated[
        Path | None,
        typer.Option(rich_help_panel=FILES, help="Of the moving image, the same numbers."),
    ] = None,
    fixed_points: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=FILES,
            help="Landmarks of the fixed image: CSV with x, y, z in mm, .fcsv, .mrk.json.",
        ),
    ] = None,
    moving_points: Annotated[
        Path | None,
        typer.Option(rich_help_panel=FILES, help="The same landmarks of the moving image."),
    ] = None,
    frame: Annotated[
        str, typer.Option(rich_help_panel=FILES, help="Of points in a CSV: ras or lps.")
    ] = "",
    transform: Annotated[
        list[str] | None, typer.Option(rich_help_panel=FILES, help=TRANSFORMS)
    ] = None,
    fixed: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=FILES, help="Fixed image: labels and landmarks must lie on it."
        ),
    ] = None,
    learn2reg: Annotated[
        Path | None,
        typer.Option(
            help="Write the fields of RUN into this folder as Learn2Reg takes them, and that "
            "challenge's figures of them."
        ),
    ] = None,
    fixed_mask: Annotated[
        Path | None,
        typer.Option(help="Of the fixed image: where --learn2reg takes SDlogJ (default: all)."),
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
    jobs: Jobs = None,
) -> None:
    """Measure a prediction, a registration or files: Dice, distances (mm), landmarks, folding."""
    given = (fixed_label, moving_label, fixed_points, moving_points)
    if learn2reg is not None:
        _write_learn2reg(run, learn2reg, (*given, frame), fixed_mask, overwrite)
        return
    if run is None or any(given) or transform or fixed or (run / "registration.json").is_file():
        _evaluate_files(run, given, frame, transform or [], fixed, out)
        return
    # Late, so that `mmzoo --help` does not wait for NumPy, pandas and SimpleITK.
    from functools import partial

    from rich.console import Console

    from mmzoo.evaluation import evaluate as run_evaluation
    from mmzoo.evaluation.tables import terminal
    from mmzoo.io.parallel import default_jobs
    from mmzoo.terminal import progress

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
            jobs=default_jobs() if jobs is None else jobs,
            on_pair=partial(report, "pairs"),
        )
    print_notes(found.notes)
    for table in terminal(found.summary, method=found.prediction.method):
        Console().print(table)
    pages = [path.with_suffix(".html") for path in found.pictures]
    for path in (*found.pictures, *pages, found.out / "summary.md", found.out / "cases.csv"):
        typer.echo(path)


def _write_learn2reg(run, out: Path, given, mask: Path | None, overwrite: bool) -> None:
    """Write a submission, and print the challenge's figures of it."""
    import json

    from rich.console import Console

    from mmzoo.registration.learn2reg import write_learn2reg
    from mmzoo.registration.truth import Truth

    if run is None:
        raise ValueError("`--learn2reg` needs RUN, a registration or a prediction.")
    paths = write_learn2reg(run, out, Truth(*given), mask, overwrite)
    Console().print(challenge_table(json.loads(paths[-1].read_text())["cases"]))
    for path in paths:
        typer.echo(path)


def challenge_table(cases: dict):
    """Return a table of the Learn2Reg challenge's means: a line a case, a column a figure."""
    from rich.table import Table

    names = list(dict.fromkeys(name for said in cases.values() for name in said))
    table = Table("case", header_style="bold")
    for name in names:
        table.add_column(name, justify="right")
    for case, said in cases.items():
        means = [said.get(name, {}).get("mean") for name in names]
        table.add_row(case, *("-" if mean is None else f"{mean:.4g}" for mean in means))
    return table


def _evaluate_files(run, given, frame: str, transforms: list[str], fixed, out) -> None:
    """Measure a registration, or files alone, and print a table."""
    from rich.console import Console

    from mmzoo.registration.quality import evaluate_files, evaluate_registration
    from mmzoo.registration.truth import Truth

    truth = Truth(given[0], given[1], given[2], given[3], frame)
    if run is None:
        found = evaluate_files(truth, transforms, fixed, out)
    elif transforms or fixed:
        raise ValueError("`--transform` and `--fixed` are for files; leave RUN out, or them.")
    else:
        found = evaluate_registration(run, truth, out)
        out = out or run / "evaluation"
    print_notes(found["notes"])
    Console().print(figures_table(found))
    if out is not None:
        typer.echo(f"{out / 'figures.csv'}")


def figures_table(found: dict):
    """Return a table of figures: a line each for all, for every label, a column a stage."""
    from rich.table import Table

    titles = {"dice": "Dice", "asd_mm": "ASD mm", "hd95_mm": "HD95 mm", "tre_mm": "TRE mm"}
    titles |= {"sd_log_j": "SDlogJ", "folds_percent": "folding %"}
    stages = list(dict.fromkeys(stage for name in titles for stage in found.get(name, {})))
    table = Table(header_style="bold")
    for k, name in enumerate(("figure", "of", *stages)):
        table.add_column(name, justify="right" if k > 1 else "left", no_wrap=True)
    for name, title in titles.items():
        if name not in found:
            continue
        by_label = found.get(f"{name}_by_label", {})
        of = "landmarks" if name == "tre_mm" else "all" if by_label else "transform"
        lines = {of: found[name]}
        for label in next(iter(by_label.values()), {}):
            lines[f"label {label}"] = {stage: own[label] for stage, own in by_label.items()}
        for line, values in lines.items():
            cells = ["-" if values.get(s) is None else f"{values[s]:.4g}" for s in stages]
            table.add_row(title, line, *cells)
    return table


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
