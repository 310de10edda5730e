"""Random large deformation of the moving image, as a DeepReg data augmentation.

Source: Deform-GAN (Zhang et al. 2020), section 3.1: "random shift, rotation, scaling and elastic
deformation", displacements of up to 40 voxels on 112 x 128 x 96. Nothing more is said, and the
generator was not released; what follows is ours: an elastic B-spline first, an affine map about the
centre after it, each one to one by construction, both shrunk alike where a voxel would move farther
than the size. Edge values are repeated outside.
"""

import math

import tensorflow as tf

from mmzoo.checks import check_positive
from mmzoo.framework import keras
from mmzoo.ops.bspline import bspline_field, control_shape
from mmzoo.ops.grid import reference_grid
from mmzoo.ops.warp import sample

# A cubic B-spline displacement whose coefficients stay below spacing / 2.479472 is one to one.
# Y. Choi and S. Lee, Graphical Models 62 (2000) 411-427. Not quite as far, for the steps between
# voxels.
INJECTIVITY = 0.95 / 2.479472
# Degrees about each axis. With it, and scalings below 0.5, no vector is turned by a right angle, so
# that I + s (A - I) is regular for every s up to 1.
LARGEST_ROTATION = 30.0
UNDEFORMED = "undeformed_image"  # of a batch, if it is kept
SETTINGS = ("size", "shift", "rotation", "scaling", "elastic", "spacing")


@keras.saving.register_keras_serializable(package="mmzoo")
class RandomDeformation(keras.layers.Layer):
    """Deforms the moving images of a batch, anew at each call; drawn from TensorFlow's seed.

    Input and output: a dict of `moving_image` (batch, dim1, dim2, dim3), maybe `moving_label` of
    the same shape, which goes with it, and others, which stay as they are. With `keep_undeformed`
    the output has `undeformed_image` too, the moving image as it came.
    """

    def __init__(
        self,
        moving_image_size,
        fixed_image_size,
        batch_size: int,
        size: float = 40.0,
        shift: float = 15.0,
        rotation: float = 15.0,
        scaling: float = 0.1,
        elastic: float = 8.0,
        spacing: float = 32.0,
        keep_undeformed: bool = False,
        name: str = "RandomDeformation",
        **kwargs,
    ):
        """Keep the settings; see `random_deformation` for those with a default.

        Args:
            moving_image_size: (m_dim1, m_dim2, m_dim3).
            fixed_image_size: (f_dim1, f_dim2, f_dim3); not used.
            batch_size: pairs in a batch.
            size: largest displacement along an axis, anywhere in the volume, voxels.
            shift: voxels.
            rotation: degrees.
            scaling: share of the size.
            elastic: voxels.
            spacing: of the elastic deformation's control points, voxels.
            keep_undeformed: whether the moving image as it came stays in the batch.
            name: of the layer.
            **kwargs: for `keras.layers.Layer`.

        Raises:
            ValueError: a setting is out of its range.
        """
        super().__init__(name=name, **kwargs)
        self.moving_image_size = tuple(moving_image_size)
        self.fixed_image_size = tuple(fixed_image_size)
        self.batch_size = batch_size
        settings = (size, shift, rotation, scaling, elastic, spacing)
        self.settings = dict(zip(SETTINGS, settings, strict=True))
        check_settings(**self.settings)
        self.keep_undeformed = keep_undeformed

    def call(self, inputs: dict) -> dict:
        """Return the batch with its moving images deformed."""
        ddf = random_deformation(self.batch_size, self.moving_image_size, **self.settings)
        points = reference_grid(self.moving_image_size) + ddf
        outputs = dict(inputs)
        if self.keep_undeformed:
            outputs[UNDEFORMED] = inputs["moving_image"]
        for name in ("moving_image", "moving_label"):
            if name in inputs:
                outputs[name] = sample(inputs[name][..., None], points)[..., 0]
        return outputs

    def get_config(self) -> dict:
        """Return the settings, for recreating this layer."""
        names = ("moving_image_size", "fixed_image_size", "batch_size", "keep_undeformed")
        own = {name: getattr(self, name) for name in names}
        return {**super().get_config(), **own, **self.settings}


def random_deformation(
    batch_size: int,
    shape,
    *,
    size: float,
    shift: float,
    rotation: float,
    scaling: float,
    elastic: float,
    spacing: float,
) -> tf.Tensor:
    """Draw displacement fields from TensorFlow's seed: phi(x) = x + u(x), one to one.

        phi(x) = c + A (x + e(x) - c) + t

    with the centre c of the volume. Each angle, factor and shift is uniform over its range, each
    coefficient of e normal, limited so that e does not fold. Where a component of u would exceed
    the size at some voxel, A - I, t and e are shrunk by one factor, with which the largest comes
    next to the size. With the default settings on 112 x 128 x 96 one field in ten reaches it.

    Args:
        batch_size: number of fields.
        shape: (dim1, dim2, dim3).
        size: largest component of u at any voxel, voxels, above 0.
        shift: of t along each axis, voxels.
        rotation: about each axis, degrees, at most 30.
        scaling: along each axis, by a factor in [1 - scaling, 1 + scaling]; below 0.5.
        elastic: standard deviation of a coefficient, voxels, before it is limited to about 0.38
            of the spacing.
        spacing: of the coefficients along each axis, voxels, above 0.

    Returns:
        (batch, dim1, dim2, dim3, 3), voxels.

    Raises:
        ValueError: a setting is out of its range.
    """
    check_settings(size, shift, rotation, scaling, elastic, spacing)
    change = random_linear(batch_size, rotation, scaling) - tf.eye(3)  # A - I
    translation = tf.random.uniform((batch_size, 1, 1, 1, 3), -shift, shift)
    coefficients = _draw_coefficients(batch_size, shape, elastic, spacing)
    bent = bspline_field(coefficients, shape, (spacing,) * 3)
    straight = tf.einsum("bpq,ijkq->bijkp", change, reference_grid(shape) - _half(shape))
    straight += bent + translation
    crossed = tf.einsum("bpq,bijkq->bijkp", change, bent)  # shrinks with the factor's square
    largest = tf.reduce_max(tf.abs(straight) + tf.abs(crossed), axis=(1, 2, 3, 4), keepdims=True)
    factor = tf.minimum(1.0, size / tf.maximum(largest, 1e-6))
    return factor * (straight + factor * crossed)


def check_settings(size, shift, rotation, scaling, elastic, spacing) -> None:
    """Raise ValueError where a setting of `random_deformation` is out of its range."""
    check_positive("size", size)
    check_positive("spacing", spacing)
    ranges = {"shift": shift, "rotation": rotation, "scaling": scaling, "elastic": elastic}
    for name, value in ranges.items():
        check_positive(name, value, allow_zero=True)
    if rotation > LARGEST_ROTATION:
        raise ValueError(f"`rotation` must be at most {LARGEST_ROTATION} degrees, got {rotation}.")
    if scaling >= 0.5:
        raise ValueError(f"`scaling` must be below 0.5, got {scaling}; 0.1 is a tenth.")


def _half(shape) -> tf.Tensor:
    return (tf.constant(shape, tf.float32) - 1) / 2


def random_linear(batch_size: int, rotation: float, scaling: float) -> tf.Tensor:
    """Draw A = R_1 R_2 R_3 S, rotations about the axes after scalings along them, (batch, 3, 3)."""
    largest = math.radians(rotation)
    angles = tf.random.uniform((batch_size, 3), -largest, largest)
    cos, sin = tf.cos(angles), tf.sin(angles)
    linear = tf.linalg.diag(tf.random.uniform((batch_size, 3), 1 - scaling, 1 + scaling))
    one, zero = tf.ones(batch_size), tf.zeros(batch_size)
    for axis in (2, 1, 0):
        c, s = cos[:, axis], sin[:, axis]
        rows = [[one, zero, zero], [zero, c, -s], [zero, s, c]]  # about the first axis
        turned = [[rows[(i - axis) % 3][(j - axis) % 3] for j in range(3)] for i in range(3)]
        linear = tf.stack([tf.stack(row, axis=-1) for row in turned], axis=1) @ linear
    return linear


def _draw_coefficients(batch_size: int, shape, elastic: float, spacing: float) -> tf.Tensor:
    """Draw coefficients that are limited smoothly: a plain clip would pile them up there."""
    control = control_shape(shape, (spacing,) * 3)
    limit = INJECTIVITY * spacing
    return limit * tf.tanh(tf.random.normal((batch_size, *control, 3), 0.0, elastic) / limit)
