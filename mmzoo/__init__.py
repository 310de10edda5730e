"""A model zoo of multi-modal medical image registration for TensorFlow/Keras and DeepReg.

This file imports nothing: it runs at the start of every Python program of an environment in which
mmzoo is installed (see `mmzoo.deepreg.autoload`). `LAZY` names what is imported when it is asked
for, `ROOMS` the parts that need no import of their own.
"""

__version__ = "0.1.0"
LAZY = {
    "load_model": "mmzoo.inference.loading",
    "Predictor": "mmzoo.inference.predictor",
    "register": "mmzoo.registration.api",
}
ROOMS = ("layers", "losses", "metrics", "models", "networks")
FORMER = ("backbones", "host", "translators")  # until 0.2, each with a warning that names the new
__all__ = sorted([*LAZY, *ROOMS])  # noqa: PLE0605  (no name is bound before it is asked for)


def __getattr__(name: str):
    """Return what `LAZY` or `ROOMS` names, as `mmzoo.load_model` or `mmzoo.losses`."""
    if name not in LAZY and name not in (*ROOMS, *FORMER):
        raise AttributeError(f"module 'mmzoo' has no attribute {name!r}")
    import importlib

    importlib.import_module("mmzoo.onednn")  # before TensorFlow
    try:
        module = importlib.import_module(LAZY.get(name, f"mmzoo.{name}"))
    except ModuleNotFoundError as error:
        if error.name != "tensorflow":
            raise
        from mmzoo.errors import NO_TENSORFLOW

        raise ModuleNotFoundError(NO_TENSORFLOW, name="tensorflow") from None
    return getattr(module, name) if name in LAZY else module


def __dir__():
    """Return the names of the API, for completion and `dir(mmzoo)`."""
    return sorted([*__all__, "__version__"])
