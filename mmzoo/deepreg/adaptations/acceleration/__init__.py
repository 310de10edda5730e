"""Faster implementations of DeepReg's functions, with equal values and gradients to 1e-5.

One file a function, with the adaptation that replaces DeepReg's. The definition stays DeepReg's,
epsilons and borders included. `MMZOO_ACCELERATE=0` turns all of them off.
"""

import os

PIECES = ("warp", "lncc", "gmi", "gradient", "bending")  # DeepReg's names, for `mmzoo doctor`


def is_on() -> bool:
    """Whether DeepReg's functions are replaced."""
    return os.environ.get("MMZOO_ACCELERATE", "1") != "0"
