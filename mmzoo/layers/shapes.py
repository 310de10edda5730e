"""Random shapes without anatomy, as a DeepReg data augmentation: label maps from smooth noise.

Source: Hoffmann et al. 2022 (SynthMorph), the shapes of its "sm-shapes": of several images of
smooth noise each voxel takes the number of the largest. A network trained on such shapes is not
specialised in any organ. Here the shapes lie in a body with air around it, as scans show it; the
grains of the noise, the body and their numbers are ours.

Incoming labels are ignored; `random-contrast`, after this one, deforms and paints the new ones.
"""

import tensorflow as tf

from mmzoo.checks import check_one_size, check_positive
from mmzoo.framework import keras
from mmzoo.layers.contrast import SIDES
from mmzoo.layers.painting import smooth_noise
from mmzoo.ops.grid import reference_grid

RADIUS = (0.6, 1.1)  # of the body along each axis, from and to, as a share of half the volume
UNEVEN = 0.15  # standard deviation of the body's surface about an ellipsoid, likewise


@keras.saving.register_keras_serializable(package="mmzoo")
class RandomShapes(keras.layers.Layer):
    """Draws the labels of a batch anew at each call, from TensorFlow's seed.

    Input and output: a dict of `moving_label` and `fixed_label`, which are replaced by one label
    map for both, (batch, dim1, dim2, dim3, count), 0 or 1, and others, which stay as they are.
    """

    def __init__(
        self,
        moving_image_size,
        fixed_image_size,
        batch_size: int,
        count: int = 16,
        coarse: float = 24.0,
        fine: float = 8.0,
        name: str = "RandomShapes",
        **kwargs,
    ):
        """Keep the settings.

        Args:
            moving_image_size: (dim1, dim2, dim3).
            fixed_image_size: the same.
            batch_size: pairs in a batch.
            count: labels of a pair.
            coarse: grain of the largest shapes, voxels; each label has its own, down to `fine`.
            fine: of the smallest.
            name: of the layer.
            **kwargs: for `keras.layers.Layer`.

        Raises:
            ValueError: a setting is not positive, or images of two sizes.
        """
        super().__init__(name=name, **kwargs)
        self.moving_image_size = tuple(moving_image_size)
        self.fixed_image_size = tuple(fixed_image_size)
        check_one_size("random-shapes", moving_image_size, fixed_image_size)
        for setting, value in (("count", count), ("coarse", coarse), ("fine", fine)):
            check_positive(setting, value)
        self.batch_size, self.count, self.coarse, self.fine = batch_size, count, coarse, fine

    def call(self, inputs: dict) -> dict:
        """Return the batch with other labels."""
        maps = [self._draw() for _ in range(self.batch_size)]
        labels = tf.one_hot(tf.stack(maps), self.count + 1)[..., 1:]
        return {**inputs, **{f"{side}_label": labels for side in SIDES}}

    def _draw(self) -> tf.Tensor:
        """Return a label map (dim1, dim2, dim3), 0 for air."""
        shape = self.fixed_image_size
        largest, numbers = tf.fill(shape, -float("inf")), tf.zeros(shape, tf.int32)
        for number in range(1, self.count + 1):
            share = tf.random.uniform(())
            coarse, fine = (smooth_noise(shape, grain) for grain in (self.coarse, self.fine))
            noise = tf.sqrt(share) * coarse + tf.sqrt(1 - share) * fine
            numbers = tf.where(noise > largest, number, numbers)
            largest = tf.maximum(noise, largest)
        return tf.where(self._body(), numbers, 0)

    def _body(self) -> tf.Tensor:
        """Draw where the body is: (dim1, dim2, dim3), true within it."""
        shape = tf.constant(self.fixed_image_size, tf.float32)
        radius = tf.random.uniform((3,), *RADIUS) * shape / 2
        place = (reference_grid(self.fixed_image_size) - (shape - 1) / 2) / radius
        surface = 1 + UNEVEN * smooth_noise(self.fixed_image_size, self.coarse)
        return tf.norm(place, axis=-1) < surface

    def get_config(self) -> dict:
        """Return the settings, for recreating this layer."""
        sizes = ("moving_image_size", "fixed_image_size", "batch_size")
        names = (*sizes, "count", "coarse", "fine")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
