"""Base class of the zoo's methods: hooks for training, checks and refinement."""

import tensorflow as tf
from deepreg.model.network import RegistrationModel
from deepreg.registry import REGISTRY

from mmzoo.deepreg.methods.progress import with_progress
from mmzoo.deepreg.plugins import OF_BACKBONE
from mmzoo.framework import keras


class Method(RegistrationModel):
    """A DeepReg model with hooks, each with a default; see `hooks_of` for other models.

    Attributes:
        method: its name in configurations.
        loss_settings: keys of a section of `train.loss` that the method reads, not the loss.
        needs_labels: sections of `train.loss` that cannot be computed without labels.
        all_labels: a training gets all labels of a pair as channels, not one drawn at random.
    """

    method: str
    loss_settings: tuple[str, ...] = ()
    needs_labels: tuple[str, ...] = ()
    all_labels: bool = False

    @staticmethod
    def check_config(train: dict) -> object:
        """Raise ValueError where a section of `train` that only this method reads is wrong."""

    def build_backbone(self) -> keras.Model:
        """Return the network of `train.backbone`, with the defaults that DeepReg gives its own."""
        defaults = {"image_size": self.fixed_image_size, **OF_BACKBONE}
        return REGISTRY.build_backbone(config=self.config["backbone"], default_args=defaults)

    def build_optimizers(self) -> None:
        """Create the optimizers' variables, into which a checkpoint is restored."""
        if hasattr(self.optimizer, "build"):  # absent in optimizers of an older Keras
            self.optimizer.build(self.trainable_variables)

    def pair_loss(self, inputs: dict, outputs: dict) -> tf.Tensor:
        """Return the loss of a pair, a scalar, after `_model` has been called on its inputs."""
        return tf.add_n([tf.cast(loss, tf.float32) for loss in self._model.losses])

    def fit(self, *args, verbose="auto", callbacks=None, **kwargs):
        """Train as `keras.Model.fit` does, with its progress in one line."""
        if verbose not in ("auto", 1):
            return super().fit(*args, verbose=verbose, callbacks=callbacks, **kwargs)
        with with_progress(callbacks) as reporting:
            return super().fit(*args, verbose=0, callbacks=reporting, **kwargs)


def hooks_of(model: object) -> type[Method]:
    """Return the class whose hooks a model, or a model's class, has.

    Args:
        model: a DeepReg model or its class.

    Returns:
        Its class where that is a `Method`, else `Method` with the defaults.
    """
    cls = model if isinstance(model, type) else type(model)
    return cls if issubclass(cls, Method) else Method
