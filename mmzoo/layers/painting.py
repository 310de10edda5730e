"""Images of label maps in contrasts drawn at random, as a scanner may show them.

Source: Billot et al. 2023 (SynthSeg), as in Hoffmann et al. 2022 (SynthMorph); where it differs,
`mmzoo.layers.contrast` says so.
"""

import tensorflow as tf

from mmzoo.ops.bspline import bspline_matrix, control_shape
from mmzoo.ops.compiled import traced
from mmzoo.ops.filters import apply_along_axes
from mmzoo.ops.matrices import line, resize_matrix

PERCENTILES = (1.0, 99.0)  # what becomes 0 and 1, as of `mmzoo register`
# How images differ; each is drawn anew for each image, evenly, from 0 to what is said here.
VARIATION = 0.04  # of intensities within a label, standard deviation, as a share of the range
GAIN = 0.25  # largest logarithm of the coil's gain, about
BLUR = (0.3, 0.8)  # standard deviation, voxels, from and to
THICK = 2.0  # length of a voxel along the axis of the slices, voxels
NOISE = 0.04  # standard deviation, share of the range
GAMMA = 0.3  # of the logarithm of the exponent, either way
CROP = 0.3  # share of an axis that a cropped field of view lacks
# How often.
DARK = 0.8  # air shows nothing
STRIPPED = 0.35  # what is around the structures is left out, as after skull stripping
SLICES = 0.25
CROPPED = 0.15


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
    stripped = happens(STRIPPED)
    means = tf.where((number > inside) & stripped, 0.0, means)
    return tf.where((number == 0) & (stripped | happens(DARK)), 0.0, means)


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
    thick = tf.where(happens(SLICES), tf.random.uniform((), 1, THICK), 1.0)
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
    """Draw the field of view: 1 inside, and sometimes 0 in the first or last planes of an axis."""
    chosen = tf.random.uniform((), 0, 3, tf.int32)
    lacks = tf.where(happens(CROPPED), tf.random.uniform((), 0, CROP), 0.0)
    at_end = happens(0.5)
    inside = tf.ones(())
    for axis, n in enumerate(shape):
        place = (tf.range(n, dtype=tf.float32) + 0.5) / n
        place = tf.where(at_end, 1 - place, place)
        seen = tf.cast((place > lacks) | (chosen != axis), tf.float32)
        inside = inside * tf.reshape(seen, [-1 if k == axis else 1 for k in range(3)])
    return inside


def _below(largest: float) -> tf.Tensor:
    return tf.random.uniform((), 0, largest)


def happens(share: float) -> tf.Tensor:
    """Draw true in a share of all calls."""
    return tf.random.uniform(()) < share
