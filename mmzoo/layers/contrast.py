"""Random contrasts of labelled images, as a DeepReg data augmentation.

Source: Hoffmann et al. 2022 (SynthMorph) and Billot et al. 2023 (SynthSeg): a network that never
sees the same contrast twice learns to register by shape alone, and then takes any contrast. Both
paint label maps: an intensity drawn for each label, a coil's gain, blur, resolution, noise, gamma.
Theirs are classes of Gaussian mixtures with another noise in each voxel; here each label varies
smoothly about its mean, and the noise is one for the whole image. The numbers are ours.

The images that come in are not looked at: labels come in and go out, deformed, with images of them.
"""

from __future__ import annotations

import tensorflow as tf

from mmzoo.checks import check_positive
from mmzoo.framework import keras
from mmzoo.layers.deformation import check_settings, random_deformation, random_linear
from mmzoo.ops.bspline import bspline_matrix, control_shape
from mmzoo.ops.compiled import traced
from mmzoo.ops.filters import apply_along_axes, line, resize_matrix
from mmzoo.ops.grid import reference_grid

SIDES = ("moving", "fixed")
PERCENTILES = (1.0, 99.0)  # what becomes 0 and 1, as of `mmzoo register`
FIELDS = ("shift", "rotation", "scaling", "elastic", "spacing")  # of each image, in voxels
# How images differ; each is drawn anew for each image, evenly, from 0 to what is said here.
VARIATION = 0.12  # of intensities within a label, standard deviation, as a share of the range
GAIN = 0.5  # largest logarithm of the coil's gain, about
BLUR = (0.3, 1.0)  # standard deviation, voxels, from and to
THICK = 2.5  # length of a voxel along the axis of the slices, voxels
NOISE = 0.08  # standard deviation, share of the range
GAMMA = 0.5  # of the logarithm of the exponent, either way
CROP = 0.3  # share of an axis that a cropped field of view lacks
# How often.
DARK = 0.8  # air shows nothing
STRIPPED = 0.35  # what is around the structures is left out, as after skull stripping
SLICES = 0.4
CROPPED = 0.25


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
            structures: so many labels, the first, come out; those after them are surroundings,
                which are painted, and left out at times. None: all are structures.
            turn: degrees about each axis that both images are turned by together, at most 30.
            move: voxels along each axis that both are shifted by together.
            mirror: mirror both along the first axis in half of the pairs: left and right must be
                one label.
            alike: share of pairs whose images have one contrast, from 0 to 1.
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
        if self.moving_image_size != self.fixed_image_size:
            raise ValueError(
                "random-contrast needs moving and fixed images of one size, got "
                f"{self.moving_image_size} and {self.fixed_image_size}."
            )
        self.batch_size = batch_size
        if structures is not None:
            check_positive("structures", structures)
        self.structures = structures
        self.turn, self.move, self.mirror, self.alike = turn, move, mirror, alike
        own = (shift, rotation, scaling, elastic, spacing)
        self.settings = dict(zip(FIELDS, own, strict=True))
        check_settings(1.0, **self.settings)
        check_settings(1.0, move, turn, 0.0, 0.0, 1.0)
        if not 0 <= alike <= 1:
            raise ValueError(f"`alike` must be from 0 to 1, got {alike!r}.")

    def call(self, inputs: dict) -> dict:
        """Return the batch with other labels and images.

        Raises:
            ValueError: labels are missing, or have no axis for the labels.
        """
        shape = self.fixed_image_size
        outputs = dict(inputs)
        common = self._common()
        contrasts: list = []
        for side in SIDES:
            label = inputs.get(f"{side}_label")
            if label is None or len(label.shape) != 5:
                raise ValueError(
                    "random-contrast paints images from all labels of a pair, (batch, dim1, dim2, "
                    "dim3, labels): set `dataset.labeled: true` and `train.method: labels-ddf`."
                )
            ddf = random_deformation(self.batch_size, shape, size=1e6, **self.settings)
            points = _affine(reference_grid(shape) + ddf, *common, shape)
            which = nearest(label_map(label), points)
            count = label.shape[-1] or tf.shape(label)[-1]
            inside = count if self.structures is None else self.structures
            outputs[f"{side}_label"] = tf.one_hot(which, count + 1)[..., 1 : inside + 1]
            contrasts.append([random_means(count, inside) for _ in range(self.batch_size)])
            chosen = [
                tf.where(_happens(self.alike), first, own)
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
        own = {name: getattr(self, name) for name in (*sizes, "turn", "move", "mirror", "alike")}
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


# === Images ===


def random_image(labels: tf.Tensor, means: tf.Tensor) -> tf.Tensor:
    """Paint one image of a label map, in [0, 1]; all but its means is drawn from the seed.

    Args:
        labels: (dim1, dim2, dim3) int32.
        means: (count + 1,), intensity of no label and of each label.

    Returns:
        (dim1, dim2, dim3) float32: as a scanner may show it, its 1st and 99th percentile 0 and 1.
    """
    shape = tuple(labels.shape)
    spread = tf.random.uniform(tf.shape(means), 0, VARIATION) * tf.cast(means > 0, tf.float32)
    image = paint(labels, means, spread, smooth_noise(shape, 4.0))
    image = image * tf.exp(_below(GAIN) * smooth_noise(shape, max(shape) / 3))
    image = apply_along_axes(image, [_resolution(n, length) for n, length in _voxels(shape)])
    noise = tf.random.normal(shape) * _below(NOISE) * tf.reduce_max(image)
    image = tf.abs(image + noise)
    image = scaled(image) ** tf.exp(tf.random.uniform((), -GAMMA, GAMMA))
    return image * _field_of_view(shape)


def random_means(count: int, inside: int) -> tf.Tensor:
    """Draw the mean intensity of no label and of each label, (count + 1,) in [0, 1]."""
    means = tf.random.uniform((count + 1,), 0.02, 1)
    number = tf.range(count + 1)
    stripped = _happens(STRIPPED)
    means = tf.where((number > inside) & stripped, 0.0, means)
    return tf.where((number == 0) & (stripped | _happens(DARK)), 0.0, means)


@traced(jit_compile=True)
def paint(labels, means, spread, texture) -> tf.Tensor:
    """Return each label's mean, and its spread times a texture about it, not below 0.

    Args:
        labels: (dim1, dim2, dim3) int32.
        means: (count + 1,), by label, as `spread`.
        spread: standard deviations.
        texture: (dim1, dim2, dim3), of standard deviation one about 0.
    """
    return tf.nn.relu(tf.gather(means, labels) + tf.gather(spread, labels) * texture)


def smooth_noise(shape, spacing: float) -> tf.Tensor:
    """Draw noise with grains of about so many voxels, a B-spline of normal coefficients.

    Of standard deviation one in the middle of the volume.
    """
    # The squares of a cubic B-spline's weights add up to 0.479 on average, an axis.
    control = control_shape(shape, (spacing,) * 3)
    matrices = [
        bspline_matrix((line(n) + 0.5) / spacing - 0.5, number)
        for n, number in zip(shape, control, strict=True)
    ]
    return apply_along_axes(tf.random.normal(control), matrices) / 0.479**1.5


def scaled(image: tf.Tensor) -> tf.Tensor:
    """Return an image clipped to its 1st and 99th percentile, which become 0 and 1.

    Of each second voxel an axis: sorting all takes as long as the rest. A constant one becomes 0.
    """
    some = tf.sort(tf.reshape(image[::2, ::2, ::2], [-1]))
    last = some.shape[0] - 1
    low, high = (some[round(last * percent / 100)] for percent in PERCENTILES)
    return tf.clip_by_value(tf.math.divide_no_nan(image - low, high - low), 0, 1)


def _voxels(shape):
    """Yield each axis' number of voxels, and how long a voxel of the scan is, in voxels."""
    thick = tf.where(_happens(SLICES), tf.random.uniform((), 1, THICK), 1.0)
    chosen = tf.random.uniform((), 0, 3, tf.int32)
    for axis, n in enumerate(shape):
        yield n, tf.where(chosen == axis, thick, 1.0)


def _resolution(n: int, length: tf.Tensor) -> tf.Tensor:
    """Return the matrix of an axis that blurs it, and goes to longer voxels and back."""
    sigma = tf.random.uniform((), *BLUR) * length
    apart = line(n)[:, None] - line(n)[None, :]
    blur = tf.exp(-0.5 * tf.square(tf.constant(apart, tf.float32) / sigma))
    blur /= tf.reduce_sum(blur, axis=1, keepdims=True)
    fewer = tf.cast(tf.math.ceil(n / length - 1e-3), tf.int32)
    there, back = resize_matrix(n, fewer), resize_matrix(fewer, n)
    return tf.cast(back, tf.float32) @ (tf.cast(there, tf.float32) @ blur)


def _field_of_view(shape) -> tf.Tensor:
    """Draw what is shown: 1, and at times 0 in the first or last planes of an axis."""
    chosen = tf.random.uniform((), 0, 3, tf.int32)
    lacks = tf.where(_happens(CROPPED), tf.random.uniform((), 0, CROP), 0.0)
    at_end = _happens(0.5)
    shown = tf.ones(())
    for axis, n in enumerate(shape):
        place = (tf.range(n, dtype=tf.float32) + 0.5) / n
        place = tf.where(at_end, 1 - place, place)
        seen = tf.cast((place > lacks) | (chosen != axis), tf.float32)
        shown = shown * tf.reshape(seen, [-1 if k == axis else 1 for k in range(3)])
    return shown


def _below(largest: float) -> tf.Tensor:
    return tf.random.uniform((), 0, largest)


def _happens(share: float) -> tf.Tensor:
    return tf.random.uniform(()) < share
