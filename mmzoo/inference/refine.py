"""Instance optimisation: a trained network learns one pair a little further."""

import copy
import functools
import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from mmzoo.errors import PreflightError

Outputs = dict[str, np.ndarray]


class Refiner:
    """Minimises a method's own loss on one pair, from the weights of the training.

    The optimizer is that of the training, begun anew for each pair. Normalisation keeps the
    averages of the training, as in a prediction; terms that need labels are left out.
    """

    def __init__(self, method):
        """Build the step, which is traced once for all pairs.

        Args:
            method: DeepReg's model of a run, with its loss; see
                `mmzoo.inference.loading.build_method`.
        """
        from deepreg.model import optimizer as optimizers

        from mmzoo.deepreg.methods.base import hooks_of

        self.method = method
        self.pair_loss = functools.partial(hooks_of(method).pair_loss, method)
        self.variables = method._model.trainable_variables
        settings = copy.deepcopy(method.config["optimizer"])
        self.optimizer = optimizers.build_optimizer(settings)
        self.optimizer.build(self.variables)
        changed = [*self.variables, *self.optimizer.variables]
        self.begin = [(variable, variable.numpy()) for variable in changed]
        self.step = tf.function(self._step)
        self.evaluate = tf.function(self._evaluate)

    def __call__(
        self, inputs: dict, steps: int, on_step: Callable[[int, int], None] | None = None
    ) -> tuple[Outputs, list[float]]:
        """Refine one pair; the weights are as before afterwards.

        Args:
            inputs: of the method, one pair.
            steps: how many, at least 1.
            on_step: called with the steps done and all of them.

        Returns:
            The outputs of the weights with the smallest loss on the way, those before the first
            and after the last step among them; and the losses, `steps` + 1 of them, fewer where
            one is no number.

        Raises:
            ValueError: the very first is no number.
        """
        inputs = {name: tf.constant(value) for name, value in inputs.items()}
        best: Outputs = {}
        losses: list[float] = []
        try:
            for done in range(steps + 1):
                loss, outputs = (self.step if done < steps else self.evaluate)(inputs)
                if not math.isfinite(float(loss)):
                    break
                if not losses or float(loss) < min(losses):
                    best = {name: tensor.numpy() for name, tensor in outputs.items()}
                losses.append(float(loss))
                if on_step is not None:
                    on_step(done, steps)
        finally:
            for variable, value in self.begin:
                variable.assign(value)
        if not losses:
            raise PreflightError(
                "The loss of this pair is not a number, so that it cannot be refined; are its "
                "images finite and of some contrast?"
            )
        return best, losses

    def _step(self, inputs: dict):
        """Return loss and outputs of the weights as they are, and change them."""
        with tf.GradientTape() as tape:
            loss, outputs = self._evaluate(inputs)
        gradients = tape.gradient(loss, self.variables)
        self.optimizer.apply_gradients(zip(gradients, self.variables, strict=True))
        return loss, outputs

    def _evaluate(self, inputs: dict):
        outputs = self.method._model(inputs, training=False)
        return self.pair_loss(inputs, outputs), outputs
