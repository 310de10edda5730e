"""The commands `mmzoo prepare DATA-SET`: one for each file in `mmzoo/datasets/sets/`, all alike."""

from pathlib import Path
from typing import Annotated, Any

import typer

from mmzoo.cli._box import parse_box
from mmzoo.cli._many import ManyValues
from mmzoo.cli._options import Geometry, Jobs, Out
from mmzoo.cli._output import command_line, train_with

Moving = Annotated[str, typer.Option(help="Moving modality (default: the data set's first).")]
Fixed = Annotated[str, typer.Option(help="Fixed modality (default: the data set's).")]
Structures = Annotated[list[str] | None, typer.Option(help="Labels to write, by name.")]
Size = Annotated[
    tuple[int, int, int] | None, typer.Option(help="Voxels along each axis (default: paper's).")
]
Spacing = Annotated[
    tuple[float, float, float] | None,
    typer.Option(help="Voxel size in mm; with --size, a box of that size round the middle."),
]
Crop = Annotated[
    str | None,
    typer.Option(
        help="labels (box round them), body, nonzero, none, or edges in mm, as 180,160,190 "
        "(default: the data set's)."
    ),
]
Margin = Annotated[
    float | None, typer.Option(help="mm added round labels or body (default: the data set's).")
]
Folds = Annotated[
    int | None, typer.Option(help="Folds; 1 to train and test on all (default: the data set's).")
]
Valid = Annotated[int, typer.Option(help="People of each modality that validate.")]
Seed = Annotated[int, typer.Option(help="Of what is drawn, and of --shuffle.")]
Shuffle = Annotated[
    bool, typer.Option("--shuffle", help="Split people in an order drawn by --seed.")
]
People = Annotated[int | None, typer.Option(help="Take the first so many of each modality.")]
Without = Annotated[list[str] | None, typer.Option(help="Cases or people to leave out.")]
Deform = Annotated[
    float | None,
    typer.Option(help="Largest known deformation of moving images that are aligned, mm."),
]
Partial = Annotated[
    bool, typer.Option("--allow-partial", help="Go on with fewer people than the official set.")
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace what was made with other settings.")
]
Form = Annotated[str, typer.Option("--format", help="nifti, or h5: DeepReg's h5 files beside it.")]


def add_commands(app: typer.Typer) -> None:
    """Add a command for each data set; nothing but the first line of its file is read."""
    from mmzoo.datasets import sets

    for name in sets.names():
        app.command(name, cls=ManyValues, help=sets.summary(name))(_command(name))


def _command(name: str):
    def command(
        source: Annotated[Path, typer.Option(help="Folder that the download was unpacked to.")],
        out: Out,
        moving: Moving = "",
        fixed: Fixed = "",
        structures: Structures = None,
        size: Size = None,
        spacing: Spacing = None,
        crop: Crop = None,
        margin: Margin = None,
        folds: Folds = None,
        valid: Valid = 0,
        seed: Seed = 0,
        shuffle: Shuffle = False,
        people: People = None,
        without: Without = None,
        deform: Deform = None,
        geometry: Geometry = "",
        allow_partial: Partial = False,
        overwrite: Overwrite = False,
        form: Form = "nifti",
        jobs: Jobs = None,
    ) -> None:
        from mmzoo.datasets import sets

        choices = {
            "moving": moving,
            "fixed": fixed,
            "structures": tuple(structures or ()),
            "folds": folds,
            "valid": valid,
            "seed": seed,
            "shuffle": shuffle,
            "people": people,
            "without": tuple(without or ()),
            "deform_mm": deform,
            "geometry": geometry,
        }
        grid = {"size": size, "spacing": spacing, "crop": crop, "margin_mm": margin}
        flags = {"allow_partial": allow_partial, "overwrite": overwrite, "form": form, "jobs": jobs}
        run(name, lambda: sets.data_set(name), source, out, choices, grid, **flags)

    return command


def run(name: str, make, source: Path, out: Path, choices: dict, grid: dict, **flags: Any) -> None:
    """Prepare a data set with a progress bar; say what was found and written, or what is wrong."""
    # Late, so that `mmzoo --help` does not wait for NumPy and SimpleITK.
    import json
    from functools import partial

    from mmzoo.datasets import reporting
    from mmzoo.datasets.choices import Choices
    from mmzoo.datasets.one_case import with_size
    from mmzoo.datasets.overview import draw_overview
    from mmzoo.datasets.preparation import prepare
    from mmzoo.io.atomic import claimed
    from mmzoo.io.parallel import default_jobs
    from mmzoo.terminal import progress

    with claimed(out):
        data = make()
        crop = parse_box("crop", grid["crop"]) if grid["crop"] else None
        recipe = with_size(data.recipe, **(grid | {"crop": crop}))
        jobs = flags.pop("jobs") or default_jobs()
        with progress() as report:
            description = prepare(
                data,
                source,
                out,
                Choices(**choices, recipe=recipe),
                name=name,
                jobs=jobs,
                command=command_line(),
                progress=partial(report, name),
                **flags,
            )
    for line in reporting.summary_lines(json.loads((out / reporting.JSON).read_text())):
        typer.echo(line)
    for line in closing(description, out):
        typer.echo(line)
    typer.echo(f"report: {out / reporting.MARKDOWN}")
    if description["cases"]:
        typer.echo(f"picture: {draw_overview(out)}")


def closing(description: dict, out: Path) -> list[str]:
    """Return what was written, in words."""
    from mmzoo.datasets.folds import SPLITS, split_pairs

    first, pairing = description["folds"][0], description["pairing"]
    counts = {split: len(split_pairs(first[split], pairing)) for split in SPLITS}
    lines = [
        f"{len(description['cases'])} cases, {len(description['folds'])} fold(s) in {out}; "
        f"pairs of the first: {counts['train']} to train, {counts['valid']} to validate, "
        f"{counts['test']} to test; labels: {', '.join(description['labels']) or 'none'}."
    ]
    if not any(counts.values()):
        lines.append("There are no pairs yet: one of the two sides is empty.")
    elif first["train"] == first["test"]:
        lines.append("Training and test are the same people: figures say nothing about others.")
    return [*lines, train_with(out)]
