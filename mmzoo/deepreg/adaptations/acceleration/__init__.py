"""DeepReg's own pieces, computed by fast ones: the same values and gradients to 1e-5, sooner.

One file a piece: its function, and the adaptation that puts it in DeepReg's place. What DeepReg's
form is, epsilons and borders included, stays; only the way to it changes. `MMZOO_ACCELERATE=0`
turns all of it off.
"""

import os

PIECES = ("warp", "lncc", "gmi", "gradient", "bending")  # DeepReg's names, for `mmzoo doctor`


def is_on() -> bool:
    """Say whether DeepReg's pieces are replaced."""
    return os.environ.get("MMZOO_ACCELERATE", "1") != "0"
