"""``mmzoo export``: a trained network as a file for other programs."""

from pathlib import Path
from typing import Annotated

import typer

from mmzoo.terminal import quiet


def export(
    run: Annotated[
        Path,
        typer.Argument(help="Log folder of deepreg_train, its name in logs/, or a checkpoint."),
    ],
    format: Annotated[
        str,
        typer.Option(
            help="keras (for programs with tf-keras and mmzoo), savedmodel (TensorFlow alone, also "
            "Keras 3) or onnx."
        ),
    ],
    out: Annotated[Path, typer.Option(help="File, or folder of a SavedModel.")],
    size: Annotated[
        tuple[int, int, int] | None,
        typer.Option(help="Voxels along each axis (default: any that the network takes)."),
    ] = None,
    translated: Annotated[
        bool, typer.Option("--translated", help="deform-gan: have the translated image too.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier export.")
    ] = False,
) -> None:
    """Write a trained network: two images in, field and warped image out."""
    from mmzoo.inference.export import check_export
    from mmzoo.inference.export import export as write

    found = check_export(run, out, format, overwrite)
    with quiet():
        write(found, out, format, image_size=size, translated=translated, overwrite=overwrite)
    typer.echo(
        f"{out}: inputs moving and fixed, (batch, dim1, dim2, dim3) in [0, 1]; outputs by name, "
        "ddf in voxels. docs/keras.md shows its use."
    )
