"""A model zoo of multi-modal medical image registration for TensorFlow/Keras and DeepReg.

This file imports nothing: it runs at the start of every Python program of an environment in which
mmzoo is installed (see `mmzoo.host.autoload`). `LAZY` names what is imported when it is asked for.
"""

__version__ = "0.1.0"
LAZY = {"register": "mmzoo.registration"}


def __getattr__(name: str):
    """Return what `LAZY` names, as `mmzoo.register`."""
    if name not in LAZY:
        raise AttributeError(f"module 'mmzoo' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(LAZY[name]), name)
