"""``mmzoo presets``: trained networks as files that others can take by name."""

from pathlib import Path
from typing import Annotated

import typer

from mmzoo.terminal import quiet

app = typer.Typer(help="Share trained networks, and take those of others; `mmzoo list presets`.")

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an earlier one.")]


@app.command()
def add(
    source: Annotated[str, typer.Argument(help="File, or address https://...")],
    sha256: Annotated[str, typer.Option(help="Its checksum, as its author publishes it.")],
    name: Annotated[str, typer.Option(help="To call it by (default: that of the file).")] = "",
    overwrite: Overwrite = False,
) -> None:
    """Add a preset of someone else, whose checksum is right."""
    from mmzoo.inference import packing

    out = packing.add(source, sha256, name=name, overwrite=overwrite)
    typer.echo(f"{out}: mmzoo register --model {out.stem} ...")


@app.command()
def pack(
    run: Annotated[Path, typer.Argument(help="Log folder of deepreg_train, or a checkpoint.")],
    out: Annotated[Path, typer.Option(help="File NAME.npz to write.")],
    title: Annotated[str, typer.Option(help="What it registers, in a line.")],
    licence: Annotated[str, typer.Option(help="On which terms the weights may be used.")],
    spacing: Annotated[
        tuple[float, float, float] | None,
        typer.Option(help="Voxel size of its images in mm (default: it takes any)."),
    ] = None,
    card: Annotated[
        Path | None,
        typer.Option(
            help="YAML file of trained_on, command, hours, machine, intended_use and limits, "
            "what people want to know of a network."
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write the network of a training as a file to share."""
    from mmzoo.config_merge import read_file
    from mmzoo.deepreg import presets
    from mmzoo.inference import packing

    terms = {"title": title, "licence": licence}
    with quiet():
        said = read_file(card) if card else None
        packing.pack(run, out, **terms, spacing_mm=spacing, card=said, overwrite=overwrite)
    size = out.stat().st_size / 1e6
    typer.echo(f"{out}, {size:.1f} MB, SHA-256 {presets.checksum(out)}")
    typer.echo(f"Who takes it: mmzoo presets add {out.name} --sha256 {presets.checksum(out)}")
