"""``mmzoo inspect``: what is in files or folders of images, before anything is done to them."""

from pathlib import Path
from typing import Annotated

import typer

from mmzoo.cli._options import Geometry


def inspect(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders at any depth.")],
    picture: Annotated[
        Path | None,
        typer.Option(
            help="Where the picture of middle slices goes (default: inspect.png, or inspect-2.png "
            "where that is there, and so on)."
        ),
    ] = None,
    files: Annotated[int, typer.Option(help="Volumes to read at most; the rest is counted.")] = 12,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write everything to this file too.")
    ] = None,
    geometry: Geometry = "",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the picture and the JSON file.")
    ] = False,
) -> None:
    """Say what images show: size, spacing, orientation, range, labels, and what would be done."""
    # Late, so that `mmzoo --help` does not wait for NumPy and SimpleITK.
    import json

    from mmzoo.datasets import survey
    from mmzoo.io.paths import check_writable, free_name, select_all

    for out in (picture, json_file):
        if out:
            check_writable(out, overwrite)
    picture = picture or free_name(Path("inspect.png"))
    volumes = select_all(survey.find_volumes(paths), geometry)
    looks = [survey.look(path) for path in volumes[:files]]
    for seen, _ in looks:
        typer.echo("\n".join(lines_of(seen)))
    if len(volumes) > files:
        typer.echo(f"... and {len(volumes) - files} more volumes; --files {len(volumes)} for all.")
    readable = [volume for _, volume in looks if volume is not None]
    if len(volumes) == len(readable) == 2:
        typer.echo(f"\nTogether: {survey.overlap(*readable)}")
        typer.echo(suggestion(volumes))
    for folder in [path for path in paths if path.is_dir()]:
        for line in described(folder):
            typer.echo(line)
    if json_file:
        json_file.write_text(json.dumps([survey.as_dict(seen) for seen, _ in looks], indent=2))
    if drawn := survey.draw(picture, looks):
        typer.echo(f"picture: {drawn}")
    if not readable:
        raise typer.Exit(1)


def lines_of(seen) -> list[str]:
    """Return what a file shows, in lines."""
    if seen.error:
        return [f"{seen.path}", f"  cannot be used: {seen.error}"]
    size = " x ".join(map(str, seen.size))
    spacing = " x ".join(f"{step:g}" for step in seen.spacing_mm)
    box = " x ".join(f"[{a:g}, {b:g}]" for a, b in zip(*seen.field_mm, strict=True))
    lines = [
        f"{seen.path}",
        f"  {size} voxels of {spacing} mm (right, anterior, superior), stored as "
        f"{seen.stored or 'ITK'}",
        f"  field of view {box} mm",
    ]
    if seen.label_ml:
        volumes = ", ".join(f"{value}: {ml:g}" for value, ml in seen.label_ml.items())
        lines.append(f"  label map; value: ml  {volumes}")
    else:
        low, one, middle, most, high = seen.range
        lines.append(
            f"  {low:g} to {high:g}, median {middle:g}, percentiles 1 and 99: {one:g}, {most:g}"
        )
    return lines + [f"  note: {remark}" for remark in seen.remarks]


def suggestion(volumes: list[Path]) -> str:
    """Return the command that would prepare two files as a pair."""
    return (
        f"To prepare them as a pair: mmzoo prepare pairs --moving {volumes[0]} --fixed "
        f"{volumes[1]} --out data/mine"
    )


def described(folder: Path) -> list[str]:
    """Return what data set a folder is, and what preparing it would do."""
    from mmzoo.datasets import survey
    from mmzoo.datasets.layout import read_description

    if description := read_description(folder):
        cases, folds = (len(description.get(key, ())) for key in ("cases", "folds"))
        return [
            f"\n{folder} is prepared data: {description['name']}, {cases} cases, {folds} folds."
        ]
    known = survey.recognise(folder)
    if not known:
        return [
            f"\n{folder} is none of the data sets that mmzoo knows (mmzoo prepare --help); for "
            "your own images: mmzoo prepare own --help."
        ]
    return ["\n" + "\n".join(survey.plan(name, data, folder)) for name, data in known]
