"""One piece in one form at one size, in this process: prints its figures as JSON.

    python benchmarks/speed/measure.py warp mmzoo 96x96x96

Memory is the highest resident size during a first value and gradient above that before it, its
compilation for this size included; libraries and compiler were loaded by a small volume before.
"""

import json
import os
import statistics
import sys
import time
from pathlib import Path

import numpy as np

if not __package__:  # run as a file
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from benchmarks.memory import resident_mb  # noqa: E402

CALLS = range(3, 16)  # fewest and most that the median is of
SMALL = (16, 16, 16)
SECONDS = 4.0  # that are enough for one figure


def inputs(names: tuple[str, ...], size: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Return random tensors: volumes in [0, 1], a field of one voxel, boxes of bones."""
    generator = np.random.default_rng(0)
    return {name: _tensor(name, size, generator) for name in names}


def _tensor(name: str, size: tuple[int, ...], generator) -> np.ndarray:
    if name == "ddf":
        return generator.standard_normal((1, *size, 3), np.float32)
    if name != "bones":
        return generator.random((1, *size), np.float32)
    bones = np.zeros((1, *size), np.float32)
    bones[0][tuple(slice(n // 3, n // 3 + round(0.27 * n)) for n in size)] = 1
    return bones


def prepare(name: str, form: str, size: tuple[int, ...]):
    """Return the value, and the value with its gradient, as functions of nothing."""
    if form in ("MONAI", "ConvexAdam"):
        from benchmarks.speed import peers

        return peers.prepare(name, inputs(PEER_TENSORS.get(name, ("fixed", "warped")), size))
    return _in_tensorflow(name, form, size)


PEER_TENSORS = {"warp": ("volume", "ddf")} | dict.fromkeys(
    ("bending", "gradient", "diffusion"), ("ddf",)
)


def _in_tensorflow(name: str, form: str, size: tuple[int, ...]):
    os.environ["MMZOO_ACCELERATE"] = "0"  # DeepReg's own forms are what is compared with
    import mmzoo.deepreg

    mmzoo.deepreg.activate()
    import tensorflow as tf

    from benchmarks.speed.pieces import PIECES

    function = PIECES[name].forms[form]()
    tensors = [tf.constant(v) for v in inputs(PIECES[name].tensors, size).values()]

    @tf.function
    def value():
        return tf.reduce_sum(function(*tensors))

    @tf.function
    def gradient():
        with tf.GradientTape() as tape:
            tape.watch(tensors[-1])
            total = tf.reduce_sum(function(*tensors))
        return total, tape.gradient(total, tensors[-1])

    return lambda: float(value()), lambda: float(gradient()[0])


def seconds(function) -> float:
    """Return the median of several calls."""
    times: list[float] = []
    while len(times) < CALLS[0] or (sum(times) < SECONDS and len(times) < CALLS[-1]):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def extra_memory(function) -> float:
    """Return the megabytes that a first call takes at its highest above what the process holds."""
    Path("/proc/self/clear_refs").write_text("5")  # sets the highest resident size to today's
    before = resident_mb("VmRSS")
    function()
    return resident_mb() - before


def main() -> None:
    """Measure what the arguments name."""
    name, form, size = sys.argv[1], sys.argv[2], tuple(map(int, sys.argv[3].split("x")))
    prepare(name, form, SMALL)[1]()
    value, gradient = prepare(name, form, size)
    figures = {"memory_mb": extra_memory(gradient), "gradient_s": seconds(gradient)}
    value()
    figures |= {"value_s": seconds(value), "value": value()}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
