"""Trained networks as files for other programs: Keras, SavedModel, ONNX.

Beside the graph each holds `mmzoo.json`, what is to be known of it: see `describe`.
"""

import importlib.util
import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from mmzoo.checks import check_choice
from mmzoo.errors import PreflightError
from mmzoo.inference.loading import load_model
from mmzoo.inference.runs import TrainedRun, open_run
from mmzoo.io.atomic import whole_folder

NOTE = "mmzoo.json"
ONNX_OPSET = 18


def export(
    run: str | Path | TrainedRun,
    out: str | Path,
    format: str,
    *,
    image_size: Sequence[int] | None = None,
    translated: bool = False,
    overwrite: bool = False,
) -> Path:
    """Write the trained network of a run; see `load_model` for its inputs and outputs.

    Args:
        run: as `load_model` takes it.
        out: the file, or the folder of a SavedModel; whole or not there at all.
        format: one of `FORMATS`.
        image_size: (dim1, dim2, dim3); None for any size that the network takes.
        translated: have the image of the generator of a `deform-gan` too.
        overwrite: replace an earlier export.

    Returns:
        `out`.

    Raises:
        ValueError: an unknown run or format, an output that is there, or a format that is not
            installed or does not hold this network.
    """
    out = Path(out)
    found = check_export(run, out, format, overwrite)
    model = load_model(found, image_size, translated=translated)
    with whole_folder(out) as partial:
        FORMATS[format][1](model, partial, json.dumps(describe(found, model), indent=1))
    return out


def check_export(
    run: str | Path | TrainedRun, out: Path, format: str, overwrite: bool
) -> TrainedRun:
    """Return the run where all that can be known beforehand is well; errors as in `export`."""
    check_choice("format", format, FORMATS)
    ending, _ = FORMATS[format]
    if ending and out.suffix != ending:
        raise PreflightError(
            f"The format {format} is a file {ending}, got {out}; use {out.with_suffix(ending)}."
        )
    if out.is_dir() and not (out / "saved_model.pb").is_file():
        raise PreflightError(f"{out} is a folder, and no export; choose another name.")
    if out.exists() and not overwrite:
        raise PreflightError(f"{out} is there already; add --overwrite to replace it.")
    if format == "onnx":
        _require_onnx()
    return run if isinstance(run, TrainedRun) else open_run(run)


def describe(run: TrainedRun, model) -> dict:
    """Return what a program needs to know of an exported network."""
    size = model.inputs[0].shape[1:]
    return {
        "method": run.method,
        "checkpoint": run.checkpoint,
        "inputs": ["moving", "fixed"],
        "outputs": sorted(model.output),
        "image_size": None if None in size else list(size),
        "trained_on_grid": list(run.image_size),
        "intensities": "each image from 0 to 1, scaled before it is resampled",
        "percentiles": list(run.percentiles or (0, 100)),
        "ddf": "voxels; warped(x) = moving(x + ddf(x))",
    }


# === Formats ===


def _write_keras(model, path: Path, note: str) -> None:
    if any(type(layer).__module__.startswith("deepreg.") for layer in model.layers):
        raise PreflightError(
            "The network is DeepReg's own, which Keras cannot save; use the format savedmodel."
        )
    model.save(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(NOTE, note)


def _write_savedmodel(model, path: Path, note: str) -> None:
    import tensorflow as tf

    from mmzoo.ops.compiled import uncompiled

    module = tf.Module()
    module.network = model.variables
    module.serve, signature = _functions(model)
    with uncompiled():
        tf.saved_model.save(module, str(path), signatures={"serving_default": signature})
    (path / "assets.extra").mkdir()
    (path / "assets.extra" / NOTE).write_text(note)


def _functions(model) -> tuple:
    """Return the model as a function of one dict, and as one of two images."""
    import tensorflow as tf

    specs = {
        name: tf.TensorSpec(tensor.shape, tf.float32, name)
        for name, tensor in zip(("moving", "fixed"), model.inputs, strict=True)
    }

    def serve(images):
        return dict(model([images["moving"], images["fixed"]], training=False))

    def signature(moving, fixed):
        return serve({"moving": moving, "fixed": fixed})

    one = tf.function(serve, input_signature=[specs])
    return one, tf.function(signature, input_signature=list(specs.values()))


def _write_onnx(model, path: Path, note: str) -> None:
    import onnx
    import tf2onnx

    from mmzoo.ops.compiled import uncompiled

    function = _functions(model)[1]
    with uncompiled():
        proto, _ = tf2onnx.convert.from_function(
            function, input_signature=function.input_signature, opset=ONNX_OPSET
        )
    entry = proto.metadata_props.add()
    entry.key, entry.value = NOTE, note
    onnx.save(proto, str(path))


def _require_onnx() -> None:
    for name in ("onnx", "tf2onnx"):
        if importlib.util.find_spec(name) is None:
            raise PreflightError(
                f'The format onnx needs {name}, which is not installed: pip install "mmzoo[onnx]", '
                "or use the format savedmodel."
            )


FORMATS: dict[str, tuple[str, Callable]] = {
    "keras": (".keras", _write_keras),
    "savedmodel": ("", _write_savedmodel),
    "onnx": (".onnx", _write_onnx),
}
