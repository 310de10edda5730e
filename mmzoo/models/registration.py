"""The plain Keras model around a registration network: two images in, fields and images out."""

from __future__ import annotations

from collections.abc import Sequence

from mmzoo.framework import check_same_keras, keras
from mmzoo.layers import BSplineField, Pair, Warp

DIRECTIONS = ("", "backward_")  # of a network's fields, prefixes of the outputs


def registration_model(
    network: keras.Model,
    image_size: Sequence[int] | None = None,
    *,
    signed: bool = False,
    generator: keras.Model | None = None,
    name: str | None = None,
) -> keras.Model:
    """Return the functional model of a network.

    Inputs, in this order or by name, (batch, dim1, dim2, dim3) in [0, 1]: `moving`, `fixed`.
    Outputs, by name:

        ddf              (batch, dim1, dim2, dim3, 3), voxels, on the fixed grid
        warped           (batch, dim1, dim2, dim3): warped(x) = moving(x + ddf(x))
        backward_ddf     of a network of two fields, on the moving grid
        backward_warped  fixed(x + backward_ddf(x))
        translated       with a generator: the warped image in the modality of the fixed one, [0, 1]

    Args:
        network: from a pair (batch, dim1, dim2, dim3, 2) to one or two fields of three channels, or
            to control points of B-splines, if it says their `grid_spacing`.
        image_size: (dim1, dim2, dim3); None for all that the network takes.
        signed: whether the network is made for [-1, 1]; the model's images are in [0, 1] anyway.
        generator: a translator from the moving to the fixed modality, made for [-1, 1].
        name: of the model; the network's by default.

    Raises:
        ValueError: a size that the network does not take, or a network of other outputs.
    """
    return RegistrationModel(network, image_size, signed=signed, generator=generator, name=name)


@keras.saving.register_keras_serializable(package="mmzoo")
class RegistrationModel(keras.Model):
    """What `registration_model` returns: a functional model, saved as its networks and settings.

    Keras 2 and Keras 3 write the graph of a functional model each in its own way. The settings are
    the same in both, so that either reads what the other has saved.
    """

    def __init__(
        self,
        network: keras.Model,
        image_size: Sequence[int] | None = None,
        signed: bool = False,
        generator: keras.Model | None = None,
        name: str | None = None,
    ):
        """Build the graph; see `registration_model` for the arguments."""
        size = (None, None, None) if image_size is None else tuple(image_size)
        moving, fixed = keras.Input(size, name="moving"), keras.Input(size, name="fixed")
        fields = network(Pair(signed, name="pair")([moving, fixed]))
        if hasattr(network, "grid_spacing"):
            fields = BSplineField(None, network.grid_spacing, name="bspline")([fields, fixed])
        channels = fields.shape[-1]
        if channels not in (3, 6):
            raise ValueError(
                f"A registration network has one or two fields of 3 channels, got {channels} "
                f"channels from {network.name!r}."
            )
        outputs = {}
        halves = [fields] if channels == 3 else [fields[..., :3], fields[..., 3:]]
        for direction, image, ddf in zip(DIRECTIONS, (moving, fixed), halves, strict=False):
            outputs[f"{direction}ddf"] = ddf
            outputs[f"{direction}warped"] = Warp(name=f"{direction}warped")([image, ddf])
        if generator is not None:
            translated = generator(Pair(signed=True, name="source")([outputs["warped"]]))
            translated = keras.layers.Rescaling(0.5, 0.5, name="translated")(translated)
            outputs["translated"] = translated[..., 0]
        super().__init__([moving, fixed], outputs, name=name or network.name)
        self.settings = {
            "network": network.name,
            "image_size": None if image_size is None else list(image_size),
            "signed": signed,
            "generator": None if generator is None else generator.name,
        }

    def compile(self, *args, **kwargs) -> None:
        """Compile as every model of Keras.

        Raises:
            TypeError: an optimizer, a loss or a metric of the other Keras.
        """
        check_same_keras(args, kwargs)
        super().compile(*args, **kwargs)

    def compile_from_config(self, config: dict) -> None:
        """Compile a model that was saved compiled, which Keras leaves to those with `compile`."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def get_config(self) -> dict:
        """Return networks and settings, for recreating this model."""
        parts = {
            key: self.settings[key] and self._saved(self.settings[key])
            for key in ("network", "generator")
        }
        return {**self.settings, **parts, "name": self.name}

    def _saved(self, name: str) -> dict:
        return keras.saving.serialize_keras_object(self.get_layer(name))

    @classmethod
    def from_config(cls, config: dict, custom_objects=None) -> RegistrationModel:
        """Return a model of such settings."""
        parts = {
            key: config[key] and keras.saving.deserialize_keras_object(config[key], custom_objects)
            for key in ("network", "generator")
        }
        return cls(**{**config, **parts})
