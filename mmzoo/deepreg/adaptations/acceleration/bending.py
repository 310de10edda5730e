"""DeepReg's `bending`: the zoo's bending energy with DeepReg's nested stencils."""

import functools

import tensorflow as tf

from mmzoo.deepreg.adaptations.acceleration import is_on
from mmzoo.losses.bending import bending_energy


def bend_fast(deform) -> None:
    """Compute the `bending` loss without a padded copy of the field for each of its 48 slices.

    In a training step of `bidirectional-ddf` at 48^3 on two cores these took half of the time.
    """
    if not is_on():
        return

    original = deform.BendingEnergy.call

    @functools.wraps(original)
    def call(self, inputs: tf.Tensor, **kwargs) -> tf.Tensor:
        if any(n is not None and n < 5 for n in inputs.shape[1:4]):  # DeepReg gives NaN
            return original(self, inputs, **kwargs)
        return tf.reduce_mean(bending_energy(inputs, stencil="nested"))

    deform.BendingEnergy.call = call
