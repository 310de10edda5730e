"""Networks from files that others may have written: weights only, unless the file is trusted.

A file of Keras names the classes that it is made of, and a `Lambda` holds code; HDF5 files of Keras
and SavedModels run theirs when they are loaded or called. So a file `.keras` is read first: it may
name Keras's own layers and the zoo's, nothing else. The others are loaded when they are trusted.
"""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmzoo.checks import reason_of
from mmzoo.errors import PreflightError

ENDINGS = (".keras", ".h5", ".hdf5")
OURS = ("keras", "tf_keras", "mmzoo")
ARITHMETIC = ("math.", "__operators__.")  # of what TFOpLambda may compute
DATA = tuple(f"__{kind}__" for kind in ("keras_tensor", "tensor", "numpy", "tuple", "ellipsis"))
CODE = (
    *("Lambda", "SlicingOpLambda", "ClassMethod", "InstanceProperty", "InstanceMethod"),
    *("TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"),
)


def is_exported(path: Path) -> bool:
    """Say whether a path is a file of Keras or a SavedModel, not a training."""
    return (path.is_file() and path.suffix in ENDINGS) or (path / "saved_model.pb").is_file()


def load_exported(path: Path, *, trust: bool = False) -> Any:
    """Return the model in a file of Keras or a SavedModel.

    Args:
        path: the file, or the folder of a SavedModel.
        trust: load it whatever it runs.

    Raises:
        PreflightError: it may run code of its own and is not said to be trusted, or is damaged.
    """
    import mmzoo.models  # noqa: F401  (so that Keras knows the classes of the zoo)
    from mmzoo.framework import VERSION, keras

    if not trust:
        check_harmless(path)
    try:
        written_by = _version(path)
        if written_by in (VERSION, None):
            return keras.models.load_model(path, compile=False, safe_mode=not trust)
        return _load_other(path, written_by)
    # Whatever Keras, HDF5 and TensorFlow raise for a file that is cut or edited.
    except Exception as error:
        raise PreflightError(
            f"{path} cannot be loaded as a model: {reason_of(error, 0)}"
        ) from error


def _version(path: Path) -> int | None:
    """Return the major version of the Keras that wrote a file `.keras`; None of another file."""
    if path.suffix != ".keras":
        return None
    with zipfile.ZipFile(path) as archive:
        return int(str(json.loads(archive.read("metadata.json"))["keras_version"])[0])


def _load_other(path: Path, version: int) -> Any:
    """Return a model of the zoo that the other Keras has saved, not compiled.

    Raises:
        ValueError: the file is damaged, or its model is not the zoo's.
    """
    from mmzoo.framework import OTHER, VERSION, keras
    from mmzoo.inference.weights import load_from_file

    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    if not str(config.get("registered_name", "")).startswith("mmzoo>"):
        raise ValueError(
            f"Keras {version} wrote it, which this program does not run (it runs Keras {VERSION}), "
            f"and its {config['class_name']} is no model of the zoo's; {OTHER}."
        )
    config.pop("compile_config", None)
    for part in _parts(config):
        if part.get("module") == "keras.initializers":  # each knows settings that the other lacks
            part["config"] = {k: v for k, v in part["config"].items() if v is not None}
    model = keras.saving.deserialize_keras_object(config)
    load_from_file(model, path, version)
    return model


def check_harmless(path: Path) -> None:
    """Raise PreflightError unless a file is made of Keras's layers and the zoo's alone."""
    if path.suffix != ".keras":
        raise PreflightError(
            f"{path} runs code of its own when it is loaded or called, as every SavedModel and "
            "HDF5 file of Keras may. If you trust who made it: load_model(..., trust=True). Else "
            "have it saved as .keras, of which only the weights are taken."
        )
    try:
        with zipfile.ZipFile(path) as archive:
            parts = list(_parts(json.loads(archive.read("config.json"))))
    except (OSError, KeyError, ValueError, RecursionError, zipfile.BadZipFile) as error:
        raise PreflightError(
            f"{path} is no file of Keras, or is damaged: {error}; export it again."
        ) from error
    for part in parts:
        name, module = str(part["class_name"]), str(part.get("module", ""))
        function = str((part.get("config") or {}).get("function", ""))
        harmless = module.split(".")[0] in OURS and name not in CODE
        if name == "TFOpLambda":
            harmless = function.startswith(ARITHMETIC)
        if name in DATA:
            harmless = not module
        if not harmless:
            raise PreflightError(
                f"{path} holds {name} of {module or 'no module'}"
                f"{' (' + function + ')' if isinstance(function, str) and function else ''}, which "
                "runs code of its own. If you trust who made it: load_model(..., trust=True)."
            )


def _parts(node: Any) -> Iterator[dict]:
    """Yield everything in a configuration of Keras that names a class."""
    if isinstance(node, dict):
        if "class_name" in node:
            yield node
        for value in node.values():
            yield from _parts(value)
    elif isinstance(node, list):
        for value in node:
            yield from _parts(value)
