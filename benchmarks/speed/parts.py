"""What a training step is made of: its convolutions, its losses and warps, and all of it.

    python -m benchmarks.speed.parts [--size 64] [--name "AMD EPYC, AVX512"]

Measures each method in a process of its own, writes results/speed/parts/NAME.json and the page
results/speed/parts.md, which has a table for each such file.

Convolutions are those of the step's graph, each run by itself. For losses and warps alone, weights
of the shape of their output stand in the place of the networks. Processor seconds, the least of
several turns, in which the three take turns: other work on the machine adds next to nothing.
"""

import argparse
import collections
import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.speed.steps import ALONE, STEPS, UNET  # noqa: E402

OUT = ROOT / "benchmarks/results/speed"
METHODS = {title: path for title, path in STEPS.items() if title != ALONE and path != UNET}
TURNS = 6
ORDER = 2048  # of the matrices that convolutions are compared with
KINDS = ("Conv3D", "Conv3DBackpropInputV2", "Conv3DBackpropFilterV2")
GIVEN = "given"  # the backbone that is none


def measure(config: str, size: tuple[int, ...]) -> dict[str, float]:
    """Return the processor seconds of the three parts, and the convolutions' multiply-adds."""
    from benchmarks.step import build

    whole, graph = step_of(*build([config], size, 1))
    with given_networks(fields_of(config)):
        losses, _ = step_of(*build([config], size, 1, backbone=GIVEN))
    kinds = collections.Counter(map(kind_of, convolutions(graph)))
    parts = {"whole": whole, "losses": losses} | {kind: replay(kind) for kind in kinds}
    best = dict.fromkeys(parts, float("inf"))
    for turn in range(1 + TURNS):
        for name, run in parts.items():
            start = time.process_time()
            run()
            if turn:  # the first one compiles
                best[name] = min(best[name], time.process_time() - start)
    found = {name: best[name] for name in ("whole", "losses")}
    found["convolutions"] = sum(count * best[kind] for kind, count in kinds.items())
    found["multiply_adds"] = sum(multiply_adds(kind) * count for kind, count in kinds.items())
    return found


def step_of(model, pair):
    """Return a function of nothing that takes a training step, and the step's graph."""
    import tensorflow as tf

    step = model.make_train_function()
    batches = iter(tf.data.Dataset.from_tensors(pair).repeat())
    graph = step.get_concrete_function(batches).graph
    return lambda: step(batches)["loss"].numpy(), graph


def convolutions(graph, results=()):
    """Yield the convolutions that run, in functions of the graph too.

    A gradient by the images, which nothing asks for, is traced and never runs.
    """
    from mmzoo.planning.graph_cost import needed

    for operation in needed(graph, results):
        if operation.type in KINDS:
            yield operation
        elif operation.type in ("PartitionedCall", "StatefulPartitionedCall"):
            inner = graph._get_function(operation.get_attr("f").name).graph
            yield from convolutions(inner, inner.outputs)


def kind_of(operation) -> tuple:
    """Return what two convolutions that take the same time have in common."""
    tensors = [t.shape for t in operation.inputs if len(t.shape) > 1]
    shapes = [tuple(shape) for shape in (*tensors, operation.outputs[0].shape)]
    settings = (tuple(operation.get_attr("strides")), operation.get_attr("padding").decode())
    return (operation.type, *shapes, *settings)


def multiply_adds(kind: tuple) -> int:
    """Return the multiply-adds of a convolution: taps by voxels of the smaller volume."""
    import numpy as np

    kernel, volumes = {
        KINDS[0]: (kind[2], (kind[1], kind[3])),
        KINDS[1]: (kind[1], (kind[2], kind[3])),
        KINDS[2]: (kind[3], (kind[1], kind[2])),
    }[kind[0]]
    voxels = min(int(np.prod(volume[:-1])) for volume in volumes)
    return voxels * int(np.prod(kernel))


def replay(kind: tuple):
    """Return a function that runs one convolution of this kind."""
    import tensorflow as tf

    name, first, second, out, strides, padding = kind
    one, two = (tf.random.stateless_normal(shape, (1, 2)) for shape in (first, second))
    settings = {"strides": strides, "padding": padding}
    run = {
        KINDS[0]: lambda: tf.raw_ops.Conv3D(input=one, filter=two, **settings),
        KINDS[1]: lambda: tf.raw_ops.Conv3DBackpropInputV2(
            input_sizes=out, filter=one, out_backprop=two, **settings
        ),
        KINDS[2]: lambda: tf.raw_ops.Conv3DBackpropFilterV2(
            input=one, filter_sizes=out, out_backprop=two, **settings
        ),
    }[name]
    return tf.function(run, autograph=False)


def fields_of(config: str) -> int:
    """Return how many fields the network of a configuration predicts."""
    from mmzoo.config_merge import merge_files
    from mmzoo.deepreg.methods.bidirectional_ddf import FIELDS

    return FIELDS if merge_files([config])["train"]["method"] == "bidirectional-ddf" else 1


def product_rate() -> float:
    """Return the multiply-adds of a product of matrices in a second of one core."""
    import tensorflow as tf

    square, best = tf.ones((ORDER, ORDER)), float("inf")
    for _ in range(TURNS):
        start = time.process_time()
        tf.matmul(square, square)
        best = min(best, time.process_time() - start)
    return ORDER**3 / best


@contextlib.contextmanager
def given_networks(fields: int = 1):
    """Return a context in which `GIVEN` is a backbone, and Deform-GAN's networks are none too."""
    from unittest import mock

    import tf_keras as keras
    from deepreg.registry import REGISTRY

    from mmzoo.networks.registration.dirnet import control_shape
    from mmzoo.networks.translation import table

    class Given(keras.Model):
        """Weights of the output's shape, whatever comes in."""

        def __init__(self, image_size=None, grid_spacing=None, out_channels=3, **_):
            super().__init__()
            self.shape, self.channels = image_size, out_channels
            if grid_spacing:
                self.grid_spacing = grid_spacing
                self.shape = control_shape(image_size, grid_spacing)

        def build(self, input_shape):
            shape = (1, *(self.shape or input_shape[1:4]), self.channels)
            self.output_weights = self.add_weight("output", shape, initializer="zeros")

        def call(self, inputs):
            return self.output_weights + 0 * inputs[:, :1, :1, :1, :1]

    def of_fields(out_channels=3, **settings):
        return Given(out_channels=fields * out_channels, **settings)

    networks = {"unet": lambda **_: Given(out_channels=1)}
    logits = {"strided": lambda **_: Given(image_size=(1, 1, 1), out_channels=1)}
    with (
        mock.patch.dict(REGISTRY._dict),  # which is as it was afterwards
        mock.patch.dict(table.GENERATORS, networks),
        mock.patch.dict(table.DISCRIMINATORS, logits),
    ):
        REGISTRY.register_backbone(name=GIVEN, cls=of_fields, force=True)
        yield


def write_page(out: Path) -> Path:
    """Write parts.md from the files of all processors."""
    text = (
        "# What a training step is made of\n\nBy `python -m benchmarks.speed.parts`, batch 1, "
        "random images. Processor seconds, the least of several turns: of the step's convolutions "
        "by themselves, of its losses and warps alone (weights stand in the place of the "
        "networks), and of the whole step. The rest is normalisation, activations, pooling, "
        "resizing and the optimizer. Convolutions are also compared with a product of matrices on "
        "the same machine; zeros that they multiply by count.\n"
    )
    head = "| method | convolutions | losses and warps | whole | whole / convolutions | {} |\n"
    for path in sorted((out / "parts").glob("*.json")):
        kept = json.loads(path.read_text())
        text += f"\n## {kept['processor']}, {'x'.join(map(str, kept['size']))}\n\n"
        text += head.format("of the product's rate") + "| --- " + "| ---: " * 5 + "|\n"
        for title, part in kept["methods"].items():
            times = "".join(f"| {part[k]:.3f} " for k in ("convolutions", "losses", "whole"))
            rate = part["multiply_adds"] / part["convolutions"] / kept["multiply_adds_s"]
            ratio = part["whole"] / part["convolutions"]
            text += f"| {title} {times}| {ratio:.2f}x | {100 * rate:.0f} % |\n"
    page = out / "parts.md"
    page.write_text(text)
    return page


def main() -> None:
    """Measure each method in a process of its own."""
    parser = argparse.ArgumentParser(prog="parts", description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=64, help="voxels along each axis")
    parser.add_argument("--name", default="", help="of the processor, the system's own if left out")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    size = (options.size,) * 3
    if options.one:
        print(json.dumps(measure(options.one, size)))
        return
    from benchmarks.speed.processors import processor, slug

    os.environ |= {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    name = options.name or processor()
    rate, methods = product_rate(), {}
    for title, config in METHODS.items():
        command = [sys.executable, __file__, "--size", str(options.size), "--one", str(config)]
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode:
            raise SystemExit(f"parts: {title} failed.\n{run.stderr[-2000:]}")
        methods[title] = json.loads(run.stdout.splitlines()[-1])
        print(title, methods[title], flush=True)
    kept = {"processor": name, "size": size, "multiply_adds_s": rate, "methods": methods}
    path = options.out / "parts" / f"{slug(name)}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(kept, indent=1) + "\n")
    print(write_page(options.out))


if __name__ == "__main__":
    main()
