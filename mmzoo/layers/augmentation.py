"""Random affine deformation of training images, as a DeepReg data augmentation.

Source: Hu et al. 2018, whose augmentation the authors' code of Ding 2021 uses: four corners of the
volume move inwards by up to `scale` of their distance from the centre, independently along each
axis, and the affine map that carries them is applied to the whole volume. Moving and fixed images
get maps of their own; labels go with their images.
Differs from their code and from DeepReg's `affine`: the map is applied in the coordinates it is
drawn in, about the centre (they apply it to voxel indices, where it acts about voxel zero and
hardly shifts), and edge values are repeated outside (DeepReg's sampling blanks the first plane of
each axis: an edge that test images do not have).
"""

import tensorflow as tf

from mmzoo.checks import check_positive
from mmzoo.framework import keras
from mmzoo.ops.compiled import traced
from mmzoo.ops.grid import reference_grid
from mmzoo.ops.warp import sample

# Four corners of the cube [-1, 1]^3, in homogeneous coordinates: they determine an affine map.
CORNERS = ((-1, -1, -1, 1), (-1, -1, 1, 1), (-1, 1, -1, 1), (1, -1, -1, 1))


@keras.saving.register_keras_serializable(package="mmzoo")
class RandomAffine(keras.layers.Layer):
    """Deforms a batch of pairs, anew at each call; drawn from TensorFlow's seed.

    Input and output: a dict of `moving_image`, `fixed_image` (batch, dim1, dim2, dim3), maybe
    `moving_label` and `fixed_label` of the same shapes or with a channel a label, and `indices`,
    which stays as it is.
    """

    def __init__(
        self,
        moving_image_size,
        fixed_image_size,
        batch_size: int,
        scale: float = 0.1,
        name: str = "RandomAffine",
        **kwargs,
    ):
        """Keep the settings.

        Args:
            moving_image_size: (m_dim1, m_dim2, m_dim3).
            fixed_image_size: (f_dim1, f_dim2, f_dim3).
            batch_size: pairs in a batch.
            scale: how far a corner may move, as a share of its distance from the centre: in
                [0, 1). 0 changes nothing.
            name: of the layer.
            **kwargs: for `keras.layers.Layer`.

        Raises:
            ValueError: the scale is out of its range.
        """
        super().__init__(name=name, **kwargs)
        check_positive("scale", scale, allow_zero=True)
        if scale >= 1:
            raise ValueError(f"`scale` must be below 1, got {scale}; the authors use 0.1.")
        self.moving_image_size = tuple(moving_image_size)
        self.fixed_image_size = tuple(fixed_image_size)
        self.batch_size = batch_size
        self.scale = scale

    def call(self, inputs: dict) -> dict:
        """Return the deformed batch."""
        outputs = dict(inputs)
        for side in ("moving", "fixed"):
            theta = random_affine(self.batch_size, self.scale)
            for name in (f"{side}_image", f"{side}_label"):
                if name in inputs:
                    outputs[name] = _deform(inputs[name], theta)
        return outputs

    def get_config(self) -> dict:
        """Return the settings, for recreating this layer."""
        names = ("moving_image_size", "fixed_image_size", "batch_size", "scale")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@traced(jit_compile=True)
def _deform(volume: tf.Tensor, theta: tf.Tensor) -> tf.Tensor:
    """Sample a volume with or without channels where an affine map says.

    As one loop over the voxels (see mmzoo/ops/warp.py): this runs for every batch, on the cores
    that the training step wants.
    """
    points = affine_points(theta, tuple(volume.shape[1:4]))
    if len(volume.shape) == 5:
        return sample(volume, points)
    return sample(volume[..., None], points)[..., 0]


def random_affine(batch_size: int, scale: float) -> tf.Tensor:
    """Draw affine maps x -> [x, 1] @ theta of the cube [-1, 1]^3: shape (batch, 4, 3)."""
    corners = tf.constant(CORNERS, tf.float32)
    moved = corners[:, :3] * tf.random.uniform((batch_size, 4, 3), 1 - scale, 1)
    return tf.linalg.inv(corners) @ moved


def affine_points(theta: tf.Tensor, size) -> tf.Tensor:
    """Return where each voxel of a volume is sampled: (batch, dim1, dim2, dim3, 3), voxels.

    Args:
        theta: (batch, 4, 3), acting on coordinates in [-1, 1] along each axis.
        size: (dim1, dim2, dim3).
    """
    half = (tf.cast(tf.constant(size), tf.float32) - 1) / 2
    x = reference_grid(size) / half - 1
    mapped = tf.einsum("ijkq,bqp->bijkp", x, theta[:, :3]) + theta[:, None, None, None, 3]
    return (mapped + 1) * half
