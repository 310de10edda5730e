"""Registration of image pairs, by a loss or a trained network, and use of saved transforms."""

import mmzoo.onednn  # noqa: F401  (before TensorFlow)
from mmzoo.registration.api import register
from mmzoo.registration.apply import apply_to_image, apply_to_labels, apply_to_points
from mmzoo.registration.chain import convert
from mmzoo.registration.result import Registration
from mmzoo.registration.series import SeriesRegistration, register_series

__all__ = [
    "Registration",
    "SeriesRegistration",
    "apply_to_image",
    "apply_to_labels",
    "apply_to_points",
    "convert",
    "register",
    "register_series",
]
