"""What `mmzoo prepare pairs` and `spine` do alike: write pairs of images by name, and say so."""

from pathlib import Path

import typer

from mmzoo.cli._next import train_with


def write_pairs(
    moving: list[Path],
    fixed: list[Path],
    moving_labels: list[Path] | None,
    fixed_labels: list[Path] | None,
    out: Path,
    options,
    geometry: str,
    **how,
) -> dict:
    """Write the data set; `how` is for `mmzoo.datasets.pairs.prepare_pairs`, which has the rest."""
    import sys

    from mmzoo.datasets.pairs import prepare_pairs
    from mmzoo.io.paths import select_all

    return prepare_pairs(
        select_all(moving, geometry),
        select_all(fixed, geometry),
        out,
        options,
        moving_labels=select_all(moving_labels, geometry),
        fixed_labels=select_all(fixed_labels, geometry),
        command=" ".join(["mmzoo", *sys.argv[1:]]),
        **how,
    )


def say_what_was_written(description: dict, out: Path) -> None:
    """Print the summary of a data set, and where its picture is."""
    from mmzoo.datasets.overview import draw_overview

    typer.echo(summary(description, out))
    typer.echo(f"picture: {draw_overview(out)}")


def summary(description: dict, out: Path) -> str:
    """Return what was written, in words."""
    case = next(iter(description["cases"].values()))
    shape = " x ".join(str(size) for size in case["shape"])
    spacing = " x ".join(f"{step:.2f}" for step in case["spacing_mm"])
    lines = [
        f"{len(description['cases']) // 2} pair(s) of {shape} voxels in {out}, the first of "
        f"{spacing} mm; labels: {', '.join(description['labels']) or 'none'}."
    ]
    same = description["folds"][0]["train"] == description["folds"][0]["test"]
    if same:
        lines.append(
            "Training and test are the same pairs: the network is optimised for them, and its "
            "figures say nothing about other people."
        )
    lines.append(f"Folds: {len(description['folds'])}.")
    return "\n".join([*lines, train_with(out)])
