"""Half precision inside networks; what they return has full precision.

Keras's policy `mixed_bfloat16` keeps weights in float32 and computes in bfloat16, which has the
range of float32 and three significant digits. A displacement of 10 voxels would be rounded to 1/16,
and its second differences would be noise: so the last layer of every network, and all that comes
after it (fields, warps, losses), computes in `precision_of_weights`.
"""

import contextlib
import contextvars
from collections.abc import Iterator

from mmzoo.framework import keras

MIXED = "mixed_bfloat16"

_mixed = contextvars.ContextVar("mixed", default=False)


@contextlib.contextmanager
def mixed_networks(wanted: bool = True) -> Iterator[None]:
    """Build networks within this context in bfloat16; other layers are not affected."""
    token = _mixed.set(wanted)
    try:
        yield
    finally:
        _mixed.reset(token)


@contextlib.contextmanager
def policy(name: str) -> Iterator[None]:
    """Build Keras layers within this context in a dtype policy."""
    before = keras.mixed_precision.global_policy()
    if before.name != name:  # a policy that is set once no longer follows `floatx`
        keras.mixed_precision.set_global_policy(name)
    try:
        yield
    finally:
        if before.name != name:
            keras.mixed_precision.set_global_policy(before)


def policy_of_networks() -> contextlib.AbstractContextManager[None]:
    """Return the context that a network is to be made in: see `mixed_networks`."""
    return policy(MIXED) if _mixed.get() else contextlib.nullcontext()


def precision_of_weights() -> str:
    """Return the dtype that layers keep their weights in, for layers that compute in it too."""
    return keras.mixed_precision.global_policy().variable_dtype
