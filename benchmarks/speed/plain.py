"""The papers' pieces as one writes them down first: whole tensors, convolutions, no compiler.

Each takes the settings of the zoo's function of the same name and returns the same value.
"""

import numpy as np
import tensorflow as tf

from mmzoo.losses.bending import REACH
from mmzoo.losses.local_correlation import window_sizes
from mmzoo.losses.spacing import per_axis
from mmzoo.ops.filters import gaussian_kernel


def warp(moving, ddf):
    """DeepReg's sampling as it stands, with edge values continued outside the image."""
    from deepreg.model import layer_util

    grid = layer_util.get_reference_grid(grid_size=ddf.shape[1:4])
    return layer_util.resample(moving, grid + ddf, zero_boundary=False)


def segi(
    fixed,
    warped,
    *,
    sigmas=(1.0, 1.5, 3.0),
    order="normalise-then-smooth",
    absolute=True,
    eps=1e-5,
    spacing=1.0,
):
    """SEGI as the authors formulate it: separable 3-D convolutions."""
    lengths = np.array(per_axis(spacing))
    a, b = (_differences(v, lengths / np.prod(lengths) ** (1 / 3)) for v in (fixed, warped))
    if order == "normalise-then-smooth":
        a, b = (v / tf.sqrt(tf.reduce_sum(v**2, -1, keepdims=True) + eps) for v in (a, b))
    total = 0.0
    for sigma in sigmas:
        smooth = [_smooth(v, sigma / lengths) for v in (a, b)]
        total -= tf.reduce_mean(_cosine(*smooth, eps, absolute), (1, 2, 3))
    return total / len(sigmas)


def local_gradient(fixed, warped, *, window=7, absolute=True, eps=1.0):
    """Deform-GAN's Eq. 1-3: the sum over a window is one convolution a component, as theirs."""
    if len(fixed.shape) == 5:  # as the translator gives them, one channel
        fixed, warped = fixed[..., 0], warped[..., 0]
    a, b = (_window_sum(_differences(v), window) for v in (fixed, warped))
    return -tf.reduce_mean(_cosine(a, b, eps, absolute), axis=(1, 2, 3))


def local_correlation(fixed, warped, *, window=7, eps=1e-5):
    """VoxelMorph's squared local correlation, from five window sums by convolutions."""
    n = tf.constant(window_sizes(fixed.shape[1:], window), tf.float32)
    fixed, warped = fixed[..., None], warped[..., None]
    products = (fixed, warped, fixed**2, warped**2, fixed * warped)
    a, b, aa, bb, ab = (_window_sum(v, window)[..., 0] for v in products)
    cross = ab - a * b / n
    variances = (aa - a * a / n) * (bb - b * b / n)
    return -tf.reduce_mean(cross**2 / (variances + eps), axis=(1, 2, 3))


def mind_ssc(fixed, warped, *, dilation=2, radius=1):
    """MIND-SSC as ConvexAdam formulates it: 12 squared differences, pooled, all at once."""
    first, second = (_self_similarity(v[..., None], dilation, radius) for v in (fixed, warped))
    return tf.reduce_sum(tf.reduce_mean((first - second) ** 2, axis=(1, 2, 3)), axis=-1)


def _self_similarity(volume, dilation, radius):
    """Return the 12 descriptors of a volume (batch, dim1, dim2, dim3, 1) as channels."""
    sides = [sign * step for step in np.eye(3, dtype=int) for sign in (-1, 1)]
    pairs = [(p, q) for i, p in enumerate(sides) for q in sides[:i] if (p != -q).any()]
    wide = _repeated(volume, dilation)

    def at(side):
        low = dilation * (1 + side)
        cut = [slice(a, a + n) for a, n in zip(low, volume.shape[1:4], strict=True)]
        return wide[(slice(None), *cut)]

    squares = tf.concat([(at(p) - at(q)) ** 2 for p, q in pairs], axis=-1)
    distances = tf.nn.avg_pool3d(_repeated(squares, radius), 2 * radius + 1, 1, "VALID")
    above = distances - tf.reduce_min(distances, axis=-1, keepdims=True)
    variance = tf.reduce_mean(above, axis=-1, keepdims=True)
    mean = tf.stop_gradient(tf.reduce_mean(variance, axis=(1, 2, 3), keepdims=True))
    return tf.exp(-above / tf.clip_by_value(variance, 1e-3 * mean, 1e3 * mean))


def _repeated(volume, count):
    """Return a volume with `count` copies of its outermost planes around."""
    for axis in (1, 2, 3):
        ends = [tf.gather(volume, [at], axis=axis) for at in (0, volume.shape[axis] - 1)]
        volume = tf.concat([*ends[:1] * count, volume, *ends[1:] * count], axis=axis)
    return volume


def nmi(fixed, warped, *, num_bins=64, sigma=0.003):
    """De Vos' Eq. 1 with the windows of all voxels at once, as TorchIR has them."""
    windows = [_windows(v, num_bins, sigma) for v in (fixed, warped)]
    h_fixed, h_warped, h_joint = _entropies(*windows)
    return -(h_fixed + h_warped - h_joint) / (h_fixed + h_warped)


def mi(fixed, warped, *, num_bins=24, sigma_ratio=0.5):
    """Van Ulsen's Eq. 3.5 with the windows of all voxels at once, as DeepReg's `gmi` has them."""
    windows = [_windows(v, num_bins, sigma_ratio / (num_bins - 1)) for v in (fixed, warped)]
    shares = [w / tf.reduce_sum(w, axis=-1, keepdims=True) for w in windows]
    h_fixed, h_warped, h_joint = _entropies(*shares)
    return h_joint - h_fixed - h_warped


def ncc(fixed, warped, *, eps=1e-8):
    """De Vos' correlation coefficient of each pair."""
    a, b = (v - tf.reduce_mean(v, axis=(1, 2, 3), keepdims=True) for v in (fixed, warped))
    cov, var_a, var_b = (tf.reduce_mean(v, axis=(1, 2, 3)) for v in (a * b, a * a, b * b))
    return -cov / tf.sqrt((var_a + eps) * (var_b + eps))


def bending(ddf, *, stencil="compact", spacing=1.0):
    """Ding's Eq. 10: six second derivatives from shifted copies of the field."""
    reach, lengths = REACH[stencil], per_axis(spacing)
    ddf = ddf * tf.constant(lengths, tf.float32)

    def at(*steps):  # the interior, seen from some voxels away
        offset = np.zeros(3, int)
        for axis, step in steps:
            offset[axis] += step
        cut = [slice(reach + o, n - reach + o) for o, n in zip(offset, ddf.shape[1:4], strict=True)]
        return ddf[(slice(None), *cut)]

    total = 0.0
    for i in range(3):
        pure = at((i, reach)) - 2 * at() + at((i, -reach))
        total += _mean_square(pure / (reach * lengths[i]) ** 2)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        mixed = (
            at((i, 1), (j, 1)) + at((i, -1), (j, -1)) - at((i, 1), (j, -1)) - at((i, -1), (j, 1))
        )
        total += 2 * _mean_square(mixed / (4 * lengths[i] * lengths[j]))
    return total


def diffusion(ddf):
    """Squared one-sided differences, averaged over the axes."""
    steps = (ddf[:, 1:] - ddf[:, :-1], ddf[:, :, 1:] - ddf[:, :, :-1])
    steps += (ddf[:, :, :, 1:] - ddf[:, :, :, :-1],)
    return tf.add_n([_mean_square(step) for step in steps]) / 3


def rigidity(
    ddf,
    mask,
    *,
    linearity=1.0,
    orthonormality=1.0,
    properness=1.0,
    stencil="compact",
    spacing=1.0,
):
    """Van Ulsen's Eq. 3.11-3.16 everywhere in the volume, then weighted with the mask."""
    reach, lengths = REACH[stencil], np.array(per_axis(spacing), np.float32)
    first = [_central(ddf, axis) * (lengths / lengths[axis]) for axis in range(3)]
    jacobian = tf.stack([_inner(d, reach) for d in first], axis=-1) + tf.eye(3)
    second = [
        _inner(_central_twice(ddf, i, j, stencil), reach) * (lengths / (lengths[i] * lengths[j]))
        for i in range(3)
        for j in range(3)
    ]
    curvature = tf.reduce_sum(tf.stack(second) ** 2, axis=(0, -1))
    product = tf.matmul(jacobian, jacobian, transpose_b=True) - tf.eye(3)
    turning = tf.reduce_sum(product**2, axis=(-2, -1))
    growth = (tf.linalg.det(jacobian) - 1) ** 2
    inside = _inner(mask, reach)
    penalty = linearity * curvature + orthonormality * turning + properness * growth
    return tf.reduce_sum(inside * penalty, (1, 2, 3)) / tf.reduce_sum(inside, (1, 2, 3))


def _central(ddf, axis: int):
    return (tf.roll(ddf, -1, axis + 1) - tf.roll(ddf, 1, axis + 1)) / 2


def _central_twice(ddf, i: int, j: int, stencil: str):
    if i == j and stencil == "compact":
        return tf.roll(ddf, -1, i + 1) - 2 * ddf + tf.roll(ddf, 1, i + 1)
    return _central(_central(ddf, i), j)


def _inner(volume, margin: int):
    cut = slice(margin, -margin)
    return volume[:, cut, cut, cut]


def _mean_square(field):
    return tf.reduce_mean(field**2, axis=(1, 2, 3, 4))


def _differences(volume, lengths=(1.0, 1.0, 1.0)):
    """Return one-sided differences, (batch, dim1 - 1, dim2 - 1, dim3 - 1, 3)."""
    here = volume[:, 1:, 1:, 1:]
    before = volume[:, :-1, 1:, 1:], volume[:, 1:, :-1, 1:], volume[:, 1:, 1:, :-1]
    return tf.stack([(here - b) / n for b, n in zip(before, lengths, strict=True)], axis=-1)


def _cosine(a, b, eps: float, absolute: bool):
    dot = tf.reduce_sum(a * b, -1)
    norms = (tf.reduce_sum(a**2, -1) + eps) * (tf.reduce_sum(b**2, -1) + eps)
    return (tf.abs(dot) if absolute else dot) / tf.sqrt(norms)


def _smooth(gradient, sigmas):
    """Smooth each component along each axis; a sigma of 0 leaves it."""
    components = []
    for component in tf.split(gradient, 3, axis=-1):
        for axis, sigma in enumerate(sigmas):
            if sigma:
                shape = [1] * 5
                shape[axis] = -1
                kernel = tf.constant(gaussian_kernel(sigma).reshape(shape), tf.float32)
                component = tf.nn.conv3d(component, kernel, [1] * 5, "SAME")
        components.append(component)
    return tf.concat(components, axis=-1)


def _window_sum(volume, size: int):
    kernel = tf.constant(np.ones((size, size, size, 1, 1), np.float32))
    components = tf.split(volume, volume.shape[-1], axis=-1)
    return tf.concat([tf.nn.conv3d(c, kernel, [1] * 5, "SAME") for c in components], axis=-1)


def _windows(volume, num_bins: int, sigma: float):
    """Return how much each voxel counts in each bin, (batch, voxels, bins)."""
    centres = tf.linspace(0.0, 1.0, num_bins)
    voxels = int(np.prod(volume.shape[1:]))
    return tf.exp(-0.5 * ((tf.reshape(volume, [-1, voxels, 1]) - centres) / sigma) ** 2)


def _entropies(a, b):
    """Return the entropies of two images' windows, of each and of both, (batch,)."""
    joint = tf.matmul(a, b, transpose_a=True)
    joint /= tf.reduce_sum(joint, axis=(1, 2), keepdims=True)
    both = tf.reshape(joint, [-1, joint.shape[1] * joint.shape[2]])
    return [_entropy(p) for p in (tf.reduce_sum(joint, 2), tf.reduce_sum(joint, 1), both)]


def _entropy(p):
    return -tf.reduce_sum(p * tf.math.log(tf.maximum(p, 1e-10)), axis=-1)
