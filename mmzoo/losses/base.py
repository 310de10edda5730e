"""What losses share: their Keras class, channels and masks, one-sided differences."""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from mmzoo.checks import check_rank, check_same_shape
from mmzoo.framework import KerasTensor, keras
from mmzoo.losses.spacing import per_axis


def tensor(values: Any) -> tf.Tensor:
    """Return a tensor as it is, and anything else, as a NumPy array, in Keras' float type."""
    if tf.is_tensor(values) or isinstance(values, KerasTensor):
        return values
    return tf.convert_to_tensor(np.asarray(values, keras.backend.floatx()))


@dataclasses.dataclass(eq=False)  # two losses of the same settings are two losses, as in Keras
class FunctionLoss(keras.losses.Loss):
    """A Keras loss that returns a function's value for each item of a batch.

    A subclass is a dataclass. Its fields are the function's settings under the same names and with
    the same defaults; keyword arguments `reduction` and `name` (the class's name by default) are
    Keras's. A field `spacing` is kept as three lengths.

    Attributes:
        function: (y_true, y_pred, **settings) -> (batch,).
    """

    _: dataclasses.KW_ONLY
    reduction: str = "sum_over_batch_size"
    name: str | None = None
    function: ClassVar[Callable[..., tf.Tensor]]

    def __post_init__(self) -> None:
        """Check the settings and make the Keras loss.

        Raises:
            ValueError: a setting is out of its range, as in the function.
        """
        super().__init__(reduction=self.reduction, name=self.name or type(self).__name__)
        if "spacing" in self.settings:
            self.__dict__.update(spacing=per_axis(self.settings["spacing"]))
        self.check_settings()

    def check_settings(self) -> None:
        """Raise ValueError where a setting is out of its range."""

    @property
    def settings(self) -> dict[str, Any]:
        """The function's keyword arguments."""
        names = {field.name for field in dataclasses.fields(FunctionLoss)}
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in names
        }

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Return the loss of (fixed, warped) or of what the function compares, shape (batch,)."""
        return type(self).function(tensor(y_true), tensor(y_pred), **self.settings)

    def get_config(self) -> dict[str, Any]:
        """Return the settings, for recreating this loss."""
        return {**super().get_config(), **self.settings}


def mean_over_channels(
    compare: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor],
    fixed: tf.Tensor,
    warped: tf.Tensor,
    mask: tf.Tensor | None,
) -> tf.Tensor:
    """Return the mean over the channels of a dissimilarity of images without a channel axis.

    Args:
        compare: (fixed, warped, mask) -> (batch,), of images without a channel axis.
        fixed: (batch, dim1, dim2, dim3) or with a channel axis.
        warped: the same shape.
        mask: (batch or 1, dim1, dim2, dim3); ones if None.

    Returns:
        (batch,).

    Raises:
        ValueError: unequal shapes or a wrong rank.
    """
    check_rank("fixed", fixed, (4, 5))
    check_same_shape("fixed", fixed, "warped", warped)
    if len(fixed.shape) == 5:
        channels = zip(tf.unstack(fixed, axis=4), tf.unstack(warped, axis=4), strict=True)
        values = [mean_over_channels(compare, f, w, mask) for f, w in channels]
        return tf.add_n(values) / len(values)
    mask = tf.ones_like(fixed[:1]) if mask is None else tf.cast(mask, fixed.dtype)
    return compare(fixed, warped, mask)


def mask_of_differences(mask: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
    """Return the mask of an image's one-sided differences, which have no first planes.

    Args:
        mask: (batch or 1, dim1, dim2, dim3).
        image: (batch, dim1, dim2, dim3), dims known.

    Returns:
        (batch or 1, dim1, dim2 - 1, dim3 - 1), zeros in the first row.

    Raises:
        ValueError: an axis of one voxel.
    """
    if min(image.shape[1:]) < 2:
        raise ValueError(f"`fixed` needs at least 2 voxels an axis, got {tuple(image.shape)}.")
    return tf.pad(mask[:, 1:, 1:, 1:], [[0, 0], [1, 0], [0, 0], [0, 0]])
