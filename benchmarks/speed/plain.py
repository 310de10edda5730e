"""The papers' pieces as one writes them down first: whole tensors, convolutions, no compiler."""

import numpy as np
import tensorflow as tf

SIGMAS = (1.0, 1.5, 3.0)


def swapped(function):
    """Return a function of (mask, ddf), since the last tensor is what is differentiated."""
    return lambda mask, ddf: function(ddf, mask)


def segi(fixed, warped):
    """SEGI in the authors' order, as they formulate it: separable 3-D convolutions."""
    a, b = _differences(fixed), _differences(warped)
    total = 0.0
    for sigma in SIGMAS:
        total -= tf.reduce_mean(_cosine(_smooth(a, sigma), _smooth(b, sigma), 1e-5), (1, 2, 3))
    return total / len(SIGMAS)


def local_gradient(fixed, warped):
    """Deform-GAN's Eq. 1-3: the sum over 7^3 voxels is one convolution a component, as theirs."""
    a, b = (_window_sum(_differences(v), 7) for v in (fixed, warped))
    return -tf.reduce_mean(_cosine(a, b, 1.0), axis=(1, 2, 3))


def local_correlation(fixed, warped):
    """VoxelMorph's squared local correlation, from five window sums by convolutions."""
    n = 7.0**3
    fixed, warped = fixed[..., None], warped[..., None]
    products = (fixed, warped, fixed**2, warped**2, fixed * warped)
    a, b, aa, bb, ab = (_window_sum(v, 7)[..., 0] for v in products)
    cross = ab - a * b / n
    variances = (aa - a * a / n) * (bb - b * b / n)
    return -tf.reduce_mean(cross**2 / (variances + 1e-5), axis=(1, 2, 3))


def nmi(fixed, warped):
    """De Vos' Eq. 1 with the windows of all voxels at once, as TorchIR has them."""
    bins, sigma = 64, 0.003
    centres = tf.linspace(0.0, 1.0, bins)
    a, b = (
        tf.exp(-0.5 * ((tf.reshape(v, [1, -1, 1]) - centres) / sigma) ** 2) for v in (fixed, warped)
    )
    joint = tf.matmul(a, b, transpose_a=True)
    joint /= tf.reduce_sum(joint, axis=(1, 2), keepdims=True)
    both = _entropy(tf.reduce_sum(joint, 2)) + _entropy(tf.reduce_sum(joint, 1))
    return -(both - _entropy(tf.reshape(joint, [1, -1]))) / both


def diffusion(ddf):
    """Squared one-sided differences, averaged over the axes."""
    steps = (ddf[:, 1:] - ddf[:, :-1], ddf[:, :, 1:] - ddf[:, :, :-1])
    steps += (ddf[:, :, :, 1:] - ddf[:, :, :, :-1],)
    return tf.add_n([tf.reduce_mean(step**2, axis=(1, 2, 3, 4)) for step in steps]) / 3


def rigidity(mask, ddf):
    """Van Ulsen's Eq. 3.11-3.16 everywhere in the volume, then weighted with the mask."""
    first = [_central(ddf, axis) for axis in range(3)]
    jacobian = tf.stack([_inner(d, 1) for d in first], axis=-1) + tf.eye(3)
    second = tf.stack([_inner(_central_twice(ddf, i, j), 1) for i in range(3) for j in range(3)])
    linearity = tf.reduce_sum(second**2, axis=(0, -1))
    product = tf.matmul(jacobian, jacobian, transpose_b=True) - tf.eye(3)
    orthonormality = tf.reduce_sum(product**2, axis=(-2, -1))
    properness = (tf.linalg.det(jacobian) - 1) ** 2
    inside = _inner(mask, 1)
    total = tf.reduce_sum(inside * (linearity + orthonormality + properness), axis=(1, 2, 3))
    return total / tf.reduce_sum(inside, axis=(1, 2, 3))


def _central(ddf, axis: int):
    return (tf.roll(ddf, -1, axis + 1) - tf.roll(ddf, 1, axis + 1)) / 2


def _central_twice(ddf, i: int, j: int):
    if i == j:
        return tf.roll(ddf, -1, i + 1) - 2 * ddf + tf.roll(ddf, 1, i + 1)
    return _central(_central(ddf, i), j)


def _inner(volume, margin: int):
    cut = slice(margin, -margin)
    return volume[:, cut, cut, cut]


def _differences(volume):
    """Return one-sided differences, (batch, dim1 - 1, dim2 - 1, dim3 - 1, 3)."""
    here = volume[:, 1:, 1:, 1:]
    before = volume[:, :-1, 1:, 1:], volume[:, 1:, :-1, 1:], volume[:, 1:, 1:, :-1]
    return tf.stack([here - b for b in before], axis=-1)


def _cosine(a, b, eps: float):
    dot = tf.abs(tf.reduce_sum(a * b, -1))
    norms = (tf.reduce_sum(a**2, -1) + eps) * (tf.reduce_sum(b**2, -1) + eps)
    return dot / tf.sqrt(norms)


def _smooth(gradient, sigma: float):
    from mmzoo.ops.filters import gaussian_kernel

    kernel = tf.constant(gaussian_kernel(sigma), tf.float32)
    components = []
    for component in tf.split(gradient, 3, axis=-1):
        for axis in range(3):
            shape = [1] * 5
            shape[axis] = len(kernel)
            component = tf.nn.conv3d(component, tf.reshape(kernel, shape), [1] * 5, "SAME")
        components.append(component)
    return tf.concat(components, axis=-1)


def _window_sum(volume, size: int):
    kernel = tf.constant(np.ones((size, size, size, 1, 1), np.float32))
    components = tf.split(volume, volume.shape[-1], axis=-1)
    return tf.concat([tf.nn.conv3d(c, kernel, [1] * 5, "SAME") for c in components], axis=-1)


def _entropy(p):
    return -tf.reduce_sum(p * tf.math.log(tf.maximum(p, 1e-10)), axis=-1)
