"""Networks: registration (two images to a field), translation (one modality to another)."""

from importlib import import_module

import mmzoo.onednn  # noqa: F401  (before TensorFlow)

PARTS = ("registration", "translation")


def __getattr__(name: str):
    """Return a part that no import has asked for yet, as `mmzoo.networks.registration`."""
    if name not in PARTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.{name}")
