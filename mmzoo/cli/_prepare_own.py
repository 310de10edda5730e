"""The command `mmzoo prepare own`: two folders of images, or a CSV file that names them."""

from pathlib import Path
from typing import Annotated

import typer

from mmzoo.cli import _prepare_set as options
from mmzoo.cli._many import ManyValues
from mmzoo.cli._options import Geometry, Jobs, LabelNames, LabelValues, Out


def add_command(app: typer.Typer) -> None:
    """Add the command."""
    text = "Your own images, by a CSV file or by folders whose names match."
    app.command("own", cls=ManyValues, help=text)(own)


def own(
    out: Out,
    table: Annotated[
        Path | None,
        typer.Option(
            "--csv",
            help="File with columns moving, fixed, and maybe moving_label, fixed_label, person, "
            "fold; file names count from its folder.",
        ),
    ] = None,
    moving_dir: Annotated[Path | None, typer.Option(help="Folder of moving images.")] = None,
    fixed_dir: Annotated[Path | None, typer.Option(help="Folder of fixed images.")] = None,
    moving_labels_dir: Annotated[Path | None, typer.Option(help="Of their label maps.")] = None,
    fixed_labels_dir: Annotated[Path | None, typer.Option(help="Of their label maps.")] = None,
    pairing: Annotated[
        str,
        typer.Option(help="same: each pair on one grid; all: every moving with every fixed."),
    ] = "same",
    moving: Annotated[str, typer.Option(help="Name of the moving modality.")] = "moving",
    fixed: Annotated[str, typer.Option(help="Name of the fixed modality.")] = "fixed",
    label_values: LabelValues = None,
    label_names: LabelNames = None,
    size: options.Size = None,
    spacing: options.Spacing = None,
    crop: options.Crop = None,
    margin: options.Margin = None,
    folds: options.Folds = None,
    valid: options.Valid = 0,
    seed: options.Seed = 0,
    shuffle: options.Shuffle = False,
    without: options.Without = None,
    deform: options.Deform = None,
    geometry: Geometry = "",
    overwrite: options.Overwrite = False,
    form: options.Form = "nifti",
    jobs: Jobs = None,
) -> None:
    """Bring images of one's own into the layout that training reads."""

    def make():
        from mmzoo.datasets.sets import own as sets

        if (table is None) == (moving_dir is None or fixed_dir is None):
            raise ValueError("give either --csv, or both --moving-dir and --fixed-dir.")
        folders = (moving_dir, fixed_dir, moving_labels_dir, fixed_labels_dir)
        rows = sets.read_csv(table) if table else sets.read_folders(*folders, pairing)
        kinds = {"moving": moving, "fixed": fixed, "pairing": pairing}
        rows = [row.select(geometry) for row in rows]
        return sets.Own(rows, **kinds, values=label_values, names=label_names)

    choices = {
        "folds": folds,
        "valid": valid,
        "seed": seed,
        "shuffle": shuffle,
        "without": tuple(without or ()),
        "deform_mm": deform,
    }
    grid = {"size": size, "spacing": spacing, "crop": crop, "margin_mm": margin}
    source = table.parent if table else moving_dir or Path()
    options.run("own", make, source, out, choices, grid, overwrite=overwrite, form=form, jobs=jobs)
