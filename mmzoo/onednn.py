"""oneDNN, TensorFlow's fast kernels for processors: on wherever the zoo starts TensorFlow.

TensorFlow leaves it off on processors without AVX512, most desktops and laptops among them, and a
training step then takes several times as long. TensorFlow reads the variable while it is imported,
so every room that imports TensorFlow imports this module first. The user's own choice stays.
"""

import os

VARIABLE = "TF_ENABLE_ONEDNN_OPTS"
REMEDY = (
    f"Import mmzoo or deepreg before tensorflow, or set {VARIABLE}=1 in the environment before the "
    "program starts"
)

os.environ.setdefault(VARIABLE, "1")


def is_on() -> bool:
    """Say whether the TensorFlow of this program uses oneDNN; imports TensorFlow."""
    from tensorflow.python.util import _pywrap_util_port

    return _pywrap_util_port.IsMklEnabled()
