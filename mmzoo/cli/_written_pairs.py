"""What `mmzoo prepare pairs` and `spine` do alike: write pairs of images by name, and say so."""

from pathlib import Path

import typer

from mmzoo.cli._output import command_line, train_with


def write_pairs(files: tuple, out: Path, options, geometry: str, **how) -> dict:
    """Write the data set; see `mmzoo.datasets.pairs.prepare_pairs`.

    Args:
        files: lists of moving and fixed images, and of their label maps, each of these or None.
        out: folder to write.
        options: its `PairOptions`.
        geometry: which form of NIfTI headers counts.
        **how: its other arguments.
    """
    from mmzoo.datasets.pairs import prepare_pairs
    from mmzoo.io.paths import select_all

    moving, fixed, *labels = (select_all(paths, geometry) for paths in files)
    how |= {"moving_labels": labels[0], "fixed_labels": labels[1], "command": command_line()}
    return prepare_pairs(moving, fixed, out, options, **how)


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
