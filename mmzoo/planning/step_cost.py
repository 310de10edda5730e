"""Peak memory and seconds of a training step, predicted before anything is run.

The step is traced as `deepreg_train` would run it and its cost counted on the graph, see
`graph_cost`. What a process holds beside its tensors, and how fast this machine convolves and
moves, turn that into bytes and seconds.
"""

import copy
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmzoo.deepreg import training
from mmzoo.deepreg.preflight.configuration import check_keys, check_model, method_of
from mmzoo.deepreg.preflight.sampling import SHAPES
from mmzoo.errors import PreflightError
from mmzoo.planning.graph_cost import Cost, cost_of

# Fitted once on two cores: docs/plan.md has what was measured beside it.
PROCESS_BYTES = 1.05e9  # Python, TensorFlow, the traced and compiled step
SLACK = 2.0  # of tensors: what convolutions work in, and what the allocator holds back
CONVOLVED = 1.45  # times the measured convolution's time: layers of networks have fewer channels
MOVED, COMPILED = 4.5, 0.55  # times the measured sum's: of plain operations, of compiled loops
LABELS = 3  # channels that a label has where the configuration does not say


@dataclass(frozen=True)
class Rates:
    """What a machine does in a second: multiply-adds of convolutions, bytes moved."""

    multiply_adds: float
    moved_bytes: float


@dataclass(frozen=True)
class StepCost:
    """A prediction for one configuration.

    Attributes:
        size: (dim1, dim2, dim3) of what the network sees, in voxels.
        batch: pairs a step.
        parameters: numbers that are trained.
        memory_bytes: of the process at its highest, without images that are kept for later epochs.
        seconds: of one step.
        multiply_adds: of one step, in convolutions and products of matrices.
        steps: of the whole training, None where the data decides it.
    """

    size: tuple[int, ...]
    batch: int
    parameters: int
    memory_bytes: float
    seconds: float
    multiply_adds: int
    steps: int | None


def plan(
    config: dict,
    size: Sequence[int] | None = None,
    batch: int | None = None,
    rates: Rates | None = None,
) -> StepCost:
    """Predict one training step of a configuration.

    Args:
        config: merged from its files.
        size: (dim1, dim2, dim3); by default the patch's, or the volumes' of the dataset section.
        batch: `train.preprocess.batch_size` by default.
        rates: of the machine, measured by default, which takes a second or two.

    Raises:
        PreflightError: sections are missing, a name is unknown, or there is no size.
        ValueError: a size or setting that the network does not take.
    """
    train = _checked(config)
    size = tuple(size or _size_of(config))
    batch = batch or int(train.get("preprocess", {}).get("batch_size", 1))
    model, graph, results = trace_step(train, size, batch, _labels(config))
    compiled, mixed = training.compiles_step(train), train.get("mixed_precision", False)
    cost = cost_of(graph, results, compiled=compiled)
    variables = [*model.variables, *model.optimizer.variables()]
    return StepCost(
        size,
        batch,
        sum(_numbers(v) for v in model.trainable_variables),
        memory(cost, 4 * sum(map(_numbers, variables))),
        seconds(cost, rates or measure_rates(compiled, mixed)),
        cost.multiply_adds,
        _steps(train),
    )


def memory(cost: Cost, held: int) -> float:
    """Return the bytes of a process that runs a step, beside `held` bytes of variables."""
    return PROCESS_BYTES + SLACK * cost.peak_bytes + held


def seconds(cost: Cost, rates: Rates) -> float:
    """Return how long a step takes."""
    moved = MOVED * cost.moved_bytes + COMPILED * cost.compiled_bytes
    return CONVOLVED * cost.multiply_adds / rates.multiply_adds + moved / rates.moved_bytes


def trace_step(train: dict, size: tuple[int, ...], batch: int, labels: int):
    """Return (model, graph, results) of a training step that is traced and not run.

    Args:
        train: the section of that name.
        size: (dim1, dim2, dim3) of moving and fixed image.
        batch: pairs a step.
        labels: channels of the labels, 0 for none.
    """
    import tensorflow as tf

    from mmzoo.framework import keras

    settings = {"moving_image_size": size, "fixed_image_size": size, "index_size": 2}
    settings |= {"labeled": labels > 0, "batch_size": batch, "config": copy.deepcopy(train)}
    model = training.build_model({"name": train["method"], **settings})
    model.compile(keras.optimizers.Adam(1e-3))
    shapes = dict.fromkeys(("moving_image", "fixed_image"), size) | {"indices": (2,)}
    if labels:
        shapes |= dict.fromkeys(("moving_label", "fixed_label"), (*size, labels))
    pair = {name: tf.TensorSpec((batch, *shape)) for name, shape in shapes.items()}
    step = tf.function(model.train_step).get_concrete_function(pair)
    return model, step.graph, tuple(step.outputs)


def measure_rates(compiled: bool = False, mixed: bool = False) -> Rates:
    """Measure a convolution as networks have them, and a sum of two volumes, on this machine.

    Args:
        compiled: the convolution under XLA.
        mixed: the convolution in bfloat16.
    """
    import tensorflow as tf

    volume = tf.random.stateless_uniform((1, 48, 48, 48, 16), (1, 2))
    kernel = tf.random.stateless_uniform((3, 3, 3, 16, 16), (3, 4))
    if mixed:
        volume, kernel = tf.cast(volume, tf.bfloat16), tf.cast(kernel, tf.bfloat16)

    @tf.function(jit_compile=compiled)
    def convolve():
        with tf.GradientTape() as tape:
            tape.watch([volume, kernel])
            total = tf.reduce_sum(tf.nn.conv3d(volume, kernel, [1] * 5, "SAME"))
        return tape.gradient(total, [volume, kernel])

    def add():
        return volume + volume

    products = 3 * int(np.prod(volume.shape[1:4])) * int(np.prod(kernel.shape))
    moved = 3 * volume.dtype.size * int(np.prod(volume.shape))
    return Rates(products / _median(convolve), moved / _median(add))


def _median(function) -> float:
    times = []
    for _ in range(8):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def _checked(config: dict) -> dict:
    """Return the section `train` after checking what a model is built from."""
    train = config.get("train") or {}
    missing = [key for key in ("method", "backbone", "loss") if key not in train]
    if missing:
        raise PreflightError(
            f"The configuration lacks {', '.join('train.' + key for key in missing)}. "
            "Give the method's file, the data's and the scale's; later ones win."
        )
    check_keys(config, partial=True)
    check_model(train)
    training.check_options(train)
    return train


def _size_of(config: dict) -> Sequence[int]:
    patch = ((config.get("train") or {}).get("preprocess") or {}).get("patch_size")
    dataset = config.get("dataset") or {}
    sizes = [patch, *(dataset.get(key) for key in SHAPES)]
    size = next((size for size in sizes if size), None)
    if size is None:
        raise PreflightError(
            "There is no size of volumes: give the data's file too, such as data/heart/fold0.yaml, "
            "or --size 64 64 64."
        )
    return size


def _labels(config: dict) -> int:
    """Return the channels of labels that the step reads, 0 if it reads none."""
    train = config["train"]
    needs = method_of(train).needs_labels
    labeled = (config.get("dataset") or {}).get("labeled", False)
    return LABELS if labeled or any(section in train["loss"] for section in needs) else 0


def _steps(train: dict) -> int | None:
    epochs, each = train.get("epochs"), train.get("steps_per_epoch")
    return int(epochs) * int(each) if epochs and each else None


def _numbers(variable) -> int:
    return int(np.prod(variable.shape, dtype=np.int64))
