"""Seconds for value and gradient of the zoo's pieces beside DeepReg's and the plain forms.

    python benchmarks/speed.py [--size 96] [--repeats 9]

Prints a Markdown table. All in one process, in turns, so that ratios hold on a busy machine too;
the median counts.
"""

import argparse
import os
import platform
import statistics
import time

os.environ["MMZOO_ACCELERATE"] = "0"  # DeepReg's own forms are what is compared with
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import mmzoo.host  # noqa: E402

mmzoo.host.activate()

import tensorflow as tf  # noqa: E402
from deepreg.loss.deform import BendingEnergy, GradientNorm  # noqa: E402
from deepreg.loss.image import (  # noqa: E402
    EPS,
    GlobalMutualInformation,
    LocalNormalizedCrossCorrelation,
)
from deepreg.model.layer_util import warp_image_ddf  # noqa: E402

from mmzoo.host.adaptations.acceleration.gmi import mutual_information  # noqa: E402
from mmzoo.host.adaptations.acceleration.gradient import gradient_norm  # noqa: E402
from mmzoo.host.adaptations.acceleration.lncc import local_correlation  # noqa: E402
from mmzoo.losses import bending_energy, segi  # noqa: E402
from mmzoo.losses.segi import SIGMAS  # noqa: E402
from mmzoo.ops.filters import gaussian_kernel  # noqa: E402
from mmzoo.ops.warp import warp  # noqa: E402

BOX = ((1.0,) * 9,) * 3 + ((1.0,),)  # the window of DeepReg's lncc, as products


def segi_by_convolutions(fixed, warped):
    """SEGI in the authors' order, as they formulate it: separable 3-D convolutions."""

    def smooth(gradient, sigma):  # (batch, dim1, dim2, dim3, 3)
        kernel = tf.constant(gaussian_kernel(sigma), tf.float32)
        components = []
        for component in tf.split(gradient, 3, axis=-1):
            for axis in range(3):
                shape = [1] * 5
                shape[axis] = len(kernel)
                filters = tf.reshape(kernel, shape)
                component = tf.nn.conv3d(component, filters, [1] * 5, "SAME")
            components.append(component)
        return tf.concat(components, axis=-1)

    def gradient(v):
        here = v[:, 1:, 1:, 1:]
        before = v[:, :-1, 1:, 1:], v[:, 1:, :-1, 1:], v[:, 1:, 1:, :-1]
        return tf.stack([here - b for b in before], axis=-1)

    a, b, total = gradient(fixed), gradient(warped), 0.0
    for sigma in SIGMAS:
        p, q = smooth(a, sigma), smooth(b, sigma)
        dot = tf.abs(tf.reduce_sum(p * q, -1))
        norms = (tf.reduce_sum(p**2, -1) + 1e-5) * (tf.reduce_sum(q**2, -1) + 1e-5)
        total -= tf.reduce_mean(dot / tf.sqrt(norms), axis=(1, 2, 3))
    return total / len(SIGMAS)


def value_and_gradient(function, *tensors, of=-1):
    """Return a compiled graph of the value and its gradient with respect to one tensor."""

    @tf.function
    def run():
        with tf.GradientTape() as tape:
            tape.watch(tensors[of])
            value = tf.reduce_sum(function(*tensors))
        return value, tape.gradient(value, tensors[of])

    return run


def cases(size: int):
    """Yield (piece, other form, the zoo's run, the other run)."""
    a, b = tf.random.stateless_uniform((2, 1, size, size, size), (1, 2))
    ddf = tf.random.stateless_normal((1, size, size, size, 3), (3, 4))
    pieces = {
        "trilinear warp": (warp, lambda v, u: warp_image_ddf(v, u, None), (a, ddf), "DeepReg"),
        "bending energy": (
            lambda u: bending_energy(u, stencil="nested"),
            BendingEnergy(),
            (ddf,),
            "DeepReg",
        ),
        "gradient": (gradient_norm, GradientNorm(), (ddf,), "DeepReg"),
        "local correlation, 9": (
            lambda f, w: local_correlation(f[..., None], w[..., None], BOX, 9.0**3, EPS),
            LocalNormalizedCrossCorrelation(kernel_size=9),
            (a, b),
            "DeepReg",
        ),
        "mutual information, 23 bins": (
            lambda f, w: mutual_information(f[..., None], w[..., None], 23, 0.5, EPS),
            GlobalMutualInformation(num_bins=23),
            (a, b),
            "DeepReg",
        ),
        "SEGI, 3 sigmas": (
            lambda f, w: segi(f, w, order="smooth-then-normalise"),
            segi_by_convolutions,
            (a, b),
            "separable convolutions",
        ),
    }
    for name, (ours, theirs, tensors, label) in pieces.items():
        yield name, label, value_and_gradient(ours, *tensors), value_and_gradient(theirs, *tensors)


def seconds(ours, theirs, repeats: int) -> list[float]:
    """Return the median seconds of two runs, taken in turns after a first that compiles."""
    times = [[], []]
    for repeat in range(repeats + 1):
        for index, run in enumerate((ours, theirs)):
            start = time.perf_counter()
            run()[0].numpy()
            if repeat:
                times[index].append(time.perf_counter() - start)
    return [statistics.median(t) for t in times]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=96, help="voxels along each axis")
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    machine = f"{os.cpu_count()} cores, TensorFlow {tf.__version__}, Python"
    print(f"{options.size}^3, float32, {machine} {platform.python_version()}\n")
    print("| value and gradient | mmzoo s | other form | s | ratio |")
    print("| --- | ---: | --- | ---: | ---: |")
    for name, label, ours, theirs in cases(options.size):
        mine, other = seconds(ours, theirs, options.repeats)
        print(f"| {name} | {mine:.4f} | {label} | {other:.4f} | {other / mine:.1f}x |")


if __name__ == "__main__":
    main()
