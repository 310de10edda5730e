"""``mmzoo prepare spine``: the preprocessing of van Ulsen 2022, section 3.2."""

from pathlib import Path
from typing import Annotated

import typer

from mmzoo.cli import _options as options
from mmzoo.cli._written_pairs import say_what_was_written, write_pairs

ALIGN = ("labels", "images", "none")


def spine(
    moving: Annotated[list[Path], typer.Option(help="Moving image of each pair, as CT.")],
    fixed: Annotated[list[Path], typer.Option(help="Fixed image of each pair, same order, as MR.")],
    out: options.Out,
    moving_labels: options.MovingLabels = None,
    fixed_labels: options.FixedLabels = None,
    label_values: Annotated[
        list[int] | None, typer.Option(help="Values of the bones in the label maps (default: all).")
    ] = None,
    label_names: options.LabelNames = None,
    align: Annotated[
        str,
        typer.Option(
            help="Rigidly, by elastix: labels (one bone on the other), images (by mutual "
            "information), or none (default: labels where there are some, else images)."
        ),
    ] = "",
    align_value: Annotated[
        int | None,
        typer.Option(help="Value of the bone to align on, as L5 (default: the one named L5)."),
    ] = None,
    size: Annotated[
        tuple[int, int, int],
        typer.Option(help="Voxels to the right, front and up, multiples of 16."),
    ] = (96, 320, 320),
    spacing: Annotated[tuple[float, float, float], typer.Option(help="Voxel size in mm.")] = (
        1.0,
        1.0,
        1.0,
    ),
    percentiles: Annotated[
        tuple[float, float], typer.Option(help="Intensities that become 0 and 1.")
    ] = (1.0, 99.0),
    folds: options.Folds = 3,
    valid: options.Valid = 0,
    test: Annotated[
        int, typer.Option(help="Pairs tested in every fold (0: each in one fold).")
    ] = 0,
    geometry: options.Geometry = "",
    overwrite: options.Overwrite = False,
) -> None:
    """CT and MR of one spine: aligned on one vertebra, 1 mm, cropped, intensities in [0, 1]."""
    # Late, so that `mmzoo --help` does not wait for NumPy and SimpleITK.
    from mmzoo.datasets import layout
    from mmzoo.datasets.pairs import PairOptions
    from mmzoo.io.atomic import claimed

    with claimed(out):
        chosen = PairOptions(
            size=size,
            folds=folds,
            valid=valid,
            test=test,
            label_values=label_values or None,
            label_names=label_names or None,
        )
        given = bool(moving_labels or fixed_labels)
        bone_value = _bone_value(align_value, label_values, label_names)
        align = align or ("labels" if given else "images")
        place = _aligned_grid(align, bone_value, given, (size, spacing, percentiles))
        files = (moving, fixed, moving_labels, fixed_labels)
        description = write_pairs(files, out, chosen, geometry, overwrite=overwrite, place=place)
        layout.write_description(out, description | {"name": "spine", "rigid": place.motions})
    say_what_was_written(description, out)


def _bone_value(value: int | None, values: list[int] | None, names: list[str] | None) -> int | None:
    """Return the value of the bone to align on: the given one, or that of the name L5."""
    if value is None and values and names and "L5" in names and len(names) == len(values):
        return values[names.index("L5")]
    return value


def _aligned_grid(align: str, bone_value: int | None, labelled: bool, grid: tuple):
    """Return what aligns pairs and puts them on a grid; ValueError for what cannot be aligned."""
    from mmzoo.baselines import rigid
    from mmzoo.baselines.elastix import load_itk
    from mmzoo.checks import are_percentiles, check_choice, check_positive
    from mmzoo.datasets.aligned import AlignedGrid

    check_choice("align", align, ALIGN)
    if align == "labels" and not labelled:
        raise ValueError(
            "`align` is 'labels', but there are no label maps; give --moving-labels and "
            "--fixed-labels, or take --align images."
        )
    if align == "labels" and bone_value is None:
        raise ValueError(
            "which bone to align on is not said: give its value with --align-value, or name it L5 "
            "with --label-values and --label-names."
        )
    if align != "none":
        load_itk()
    function = {"labels": rigid.align_labels, "images": rigid.align_images, "none": None}[align]
    size, spacing, percentiles = grid
    for length in spacing:
        check_positive("spacing", length)
    if not are_percentiles(percentiles):
        raise ValueError(f"`percentiles` must rise from 0 to 100, got {percentiles}.")
    used = bone_value if align == "labels" else None
    return AlignedGrid(size, spacing, percentiles, used, function, typer.echo)
