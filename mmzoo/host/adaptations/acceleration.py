"""DeepReg's own pieces, computed by the zoo's fast ones: the same values to 1e-5, sooner.

`MMZOO_ACCELERATE=0` turns this off.
"""

import os

import tensorflow as tf

from mmzoo.losses.bending import bending_energy


def is_on() -> bool:
    """Say whether DeepReg's pieces are replaced."""
    return os.environ.get("MMZOO_ACCELERATE", "1") != "0"


def bend_fast(deform) -> None:
    """Compute the `bending` loss without a padded copy of the field for each of its 48 slices.

    In a training step of `bidirectional-ddf` at 48^3 on two cores these took half of the time.
    """
    if not is_on():
        return

    def call(self, inputs: tf.Tensor, **kwargs) -> tf.Tensor:
        return tf.reduce_mean(bending_energy(inputs, stencil="nested"))

    deform.BendingEnergy.call = call
