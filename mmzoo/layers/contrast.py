"""Random contrasts of labelled images, as a DeepReg data augmentation.

Source: Hoffmann et al. 2022 (SynthMorph) and Billot et al. 2023 (SynthSeg): a network that never
sees the same contrast twice learns to register by shape alone, and then takes any contrast. Both
paint label maps: an intensity drawn for each label, a coil's gain, blur, resolution, noise, gamma.
Theirs are classes of Gaussian mixtures with another noise in each voxel; here each label varies
smoothly about its mean, and the noise is one for the whole image. The numbers are ours.

Incoming images are ignored: the output is the deformed labels and images painted from them.
"""

import tensorflow as tf

from mmzoo.checks import check_one_size, check_positive
from mmzoo.framework import keras
from mmzoo.layers.deformation import check_settings, random_deformation, random_linear
from mmzoo.layers.painting import happens, random_image, random_means
from mmzoo.ops.compiled import traced
from mmzoo.ops.grid import reference_grid

SIDES = ("moving", "fixed")
FIELDS = ("shift", "rotation", "scaling", "elastic", "spacing")  # of each image, in voxels


@keras.saving.register_keras_serializable(package="mmzoo")
class RandomContrast(keras.layers.Layer):
    """Deforms the labels of a batch and paints images of them, anew at each call.

    Drawn from TensorFlow's seed. Input and output: a dict of `moving_image`, `fixed_image`
    (batch, dim1, dim2, dim3), `moving_label`, `fixed_label` (batch, dim1, dim2, dim3, labels),
    which do not overlap, and others, which stay as they are. The images that come out are in
    [0, 1]; of the labels, the first ones come out, 0 or 1.
    """

    def __init__(
        self,
        moving_image_size,
        fixed_image_size,
        batch_size: int,
        structures: int | None = None,
        turn: float = 15.0,
        move: float = 6.0,
        mirror: bool = True,
        alike: float = 0.2,
        same: float = 0.0,
        shift: float = 2.0,
        rotation: float = 5.0,
        scaling: float = 0.08,
        elastic: float = 1.0,
        spacing: float = 8.0,
        name: str = "RandomContrast",
        **kwargs,
    ):
        """Keep the settings.

        Args:
            moving_image_size: (dim1, dim2, dim3).
            fixed_image_size: the same.
            batch_size: pairs in a batch.
            structures: the first so many labels are returned; the others are surroundings, which
                are painted, and sometimes left out. None: all are structures.
            turn: degrees about each axis that both images are turned by together, at most 30.
            move: voxels along each axis that both are shifted by together.
            mirror: mirror both along the first axis in half of the pairs: left and right must be
                one label.
            alike: share of pairs whose images have one contrast, from 0 to 1.
            same: share of pairs both of whose images are of the moving labels, as of one person.
            shift: voxels that each image is shifted by, on its own, as are those that follow.
            rotation: degrees.
            scaling: share of the size.
            elastic: voxels, see `mmzoo.layers.deformation.random_deformation`.
            spacing: of the elastic deformation's control points, voxels.
            name: of the layer.
            **kwargs: for `keras.layers.Layer`.

        Raises:
            ValueError: a setting is out of its range, or images of two sizes.
        """
        super().__init__(name=name, **kwargs)
        self.moving_image_size = tuple(moving_image_size)
        self.fixed_image_size = tuple(fixed_image_size)
        check_one_size("random-contrast", moving_image_size, fixed_image_size)
        self.batch_size = batch_size
        if structures is not None:
            check_positive("structures", structures)
        self.structures = structures
        self.turn, self.move, self.mirror = turn, move, mirror
        self.alike, self.same = alike, same
        own = (shift, rotation, scaling, elastic, spacing)
        self.settings = dict(zip(FIELDS, own, strict=True))
        check_settings(1.0, **self.settings)
        check_settings(1.0, move, turn, 0.0, 0.0, 1.0)
        for name, share in (("alike", alike), ("same", same)):
            if not 0 <= share <= 1:
                raise ValueError(f"`{name}` must be from 0 to 1, got {share!r}.")

    def call(self, inputs: dict) -> dict:
        """Return the batch with other labels and images.

        Raises:
            ValueError: labels are missing, or have no axis for the labels.
        """
        shape = self.fixed_image_size
        outputs = dict(inputs)
        common = self._common()
        contrasts: list = []
        same = tf.random.uniform((self.batch_size, 1, 1, 1)) < self.same
        maps: dict = {}
        for side in SIDES:
            label = inputs.get(f"{side}_label")
            if label is None or len(label.shape) != 5:
                raise ValueError(
                    "random-contrast paints images from all labels of a pair, (batch, dim1, dim2, "
                    "dim3, labels): set `dataset.labeled: true` and `train.method: labels-ddf`."
                )
            ddf = random_deformation(self.batch_size, shape, size=1e6, **self.settings)
            points = _affine(reference_grid(shape) + ddf, *common, shape)
            maps[side] = label_map(label)
            which = nearest(tf.where(same, maps["moving"], maps[side]), points)
            count = label.shape[-1] or tf.shape(label)[-1]
            inside = count if self.structures is None else self.structures
            outputs[f"{side}_label"] = tf.one_hot(which, count + 1)[..., 1 : inside + 1]
            contrasts.append([random_means(count, inside) for _ in range(self.batch_size)])
            chosen = [
                tf.where(happens(self.alike), first, own)
                for first, own in zip(contrasts[0], contrasts[-1], strict=True)
            ]
            images = [random_image(*each) for each in zip(tf.unstack(which), chosen, strict=True)]
            outputs[f"{side}_image"] = tf.stack(images)
        return outputs

    def _common(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Draw what both images of a pair do: (batch, 3, 3), and a shift (batch, 3)."""
        linear = random_linear(self.batch_size, self.turn, 0.0)
        if self.mirror:
            side = tf.sign(tf.random.uniform((self.batch_size, 1), -1, 1))
            flip = tf.concat([side, tf.ones((self.batch_size, 2))], axis=1)
            linear = linear @ tf.linalg.diag(flip)
        return linear, tf.random.uniform((self.batch_size, 3), -self.move, self.move)

    def get_config(self) -> dict:
        """Return the settings, for recreating this layer."""
        sizes = ("moving_image_size", "fixed_image_size", "batch_size", "structures")
        own = {
            name: getattr(self, name)
            for name in (*sizes, "turn", "move", "mirror", "alike", "same")
        }
        return {**super().get_config(), **own, **self.settings}


# === Labels ===


@traced(jit_compile=True)
def label_map(labels: tf.Tensor) -> tf.Tensor:
    """Return 0 where no label is, else its number from 1: (batch, dim1, dim2, dim3) int32.

    Args:
        labels: (batch, dim1, dim2, dim3, labels), 0 or 1; of two in a voxel the first counts.
    """
    there = labels > 0.5
    first = tf.argmax(tf.cast(there, tf.int32), axis=-1, output_type=tf.int32)
    return tf.where(tf.reduce_any(there, axis=-1), first + 1, 0)


@traced(jit_compile=True)
def nearest(labels: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
    """Return the label of the voxel nearest to each point, 0 outside: as `labels`.

    Args:
        labels: (batch, dim1, dim2, dim3) int32.
        points: (batch, dim1, dim2, dim3, 3), voxel coordinates.
    """
    size = tf.constant(tuple(labels.shape[1:4]))
    index = tf.cast(tf.round(points), tf.int32)
    inside = tf.reduce_all((index >= 0) & (index < size), axis=-1)
    index = tf.clip_by_value(index, 0, size - 1)
    flat = (index[..., 0] * size[1] + index[..., 1]) * size[2] + index[..., 2]
    start = tf.range(labels.shape[0])[:, None, None, None] * tf.reduce_prod(size)
    return tf.where(inside, tf.gather(tf.reshape(labels, [-1]), flat + start), 0)


def _affine(points: tf.Tensor, linear: tf.Tensor, shift: tf.Tensor, shape) -> tf.Tensor:
    """Return points moved by an affine map about the middle of a volume."""
    middle = (tf.constant(shape, tf.float32) - 1) / 2
    turned = tf.einsum("bpq,bijkq->bijkp", linear, points - middle)
    return turned + middle + shift[:, None, None, None]
