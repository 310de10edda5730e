"""Seconds and peak memory of one training step, or of one prediction, of a configuration.

    python benchmarks/step.py configs/mmregnet/mmregnet.yaml [--size 48 64x64x6] [--batch 1]
    python benchmarks/step.py configs/devos_mi/unet_nmi.yaml --size 256x256x128 --predict
    python benchmarks/step.py configs/rigid_bones/us.yaml --plain    see speed/plainly.py

Each size runs in a process of its own, on random images; prints a Markdown table. Seconds of
processors are of all cores together: they say what a machine that is busy otherwise would need.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

if not __package__:  # run as a file
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.memory import resident_mb  # noqa: E402

STEPS = 5  # measured, after one that compiles


def measure(options: argparse.Namespace) -> None:
    """Train or predict some times at one size; print seconds each and the peak memory in GB."""
    size, batch, steps = dims(options.size[0]), options.batch, options.steps
    model, pair = build(options.configs, size, batch, options.predict)
    import tensorflow as tf

    if options.predict:
        run = tf.function(lambda: model(pair, training=False)["ddf"])
    else:
        step = model.make_train_function()
        batches = iter(tf.data.Dataset.from_tensors(pair).repeat())

        def run():
            return step(batches)["loss"]

    measured = []
    for _ in range(steps + 1):
        start = time.perf_counter(), time.process_time()
        run().numpy()
        measured.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    seconds, work = (sorted(each[1:])[steps // 2] for each in zip(*measured, strict=True))
    peak = resident_mb()
    if options.json:
        print(json.dumps({"gradient_s": seconds, "memory_mb": peak}))
        return
    name = "x".join(map(str, size))
    print(f"| {name} | {batch} | {seconds:.2f} | {work:.2f} | {peak / 1024:.1f} |")


def form(plain: bool):
    """Return the context in which a model is built and run: with the fast pieces or plain ones."""
    if not plain:
        return contextlib.nullcontext()
    import mmzoo.deepreg

    mmzoo.deepreg.activate()
    from benchmarks.speed.plainly import plainly

    return plainly()


def build(
    configs: list[str],
    size: tuple[int, ...],
    batch: int,
    predict: bool = False,
    backbone: str = "",
):
    """Return a compiled model of configuration files and a pair of random images for it.

    Args:
        configs: later ones win.
        size: (dim1, dim2, dim3) of both images.
        batch: pairs a step.
        predict: leave labels out that only a training needs.
        backbone: its name, if it is not the configuration's.
    """
    import mmzoo.deepreg

    mmzoo.deepreg.activate()
    import tensorflow as tf
    from deepreg.registry import REGISTRY

    from mmzoo.config_merge import merge_files
    from mmzoo.deepreg.preflight.configuration import method_of
    from mmzoo.deepreg.training import build_model

    train = merge_files(configs)["train"]
    if backbone:
        train["backbone"] = {**train["backbone"], "name": backbone}
    needs = method_of(train).needs_labels
    labeled = not predict and any(section in train["loss"] for section in needs)
    settings = {
        "name": train["method"],
        "moving_image_size": size,
        "fixed_image_size": size,
        "index_size": 2,
        "labeled": labeled,
        "batch_size": batch,
        "config": train,
    }
    model = (REGISTRY.build_model if predict else build_model)(settings)
    model.compile(tf.keras.optimizers.Adam(1e-3))
    images = tf.random.stateless_uniform((2, batch, *size), (1, 2))
    pair = {"moving_image": images[0], "fixed_image": images[1], "indices": tf.zeros((batch, 2))}
    if labeled:
        pair |= dict.fromkeys(("moving_label", "fixed_label"), boxes(batch, size))
    return model, pair


def boxes(batch: int, size: tuple[int, ...]):
    """Return three labels that fill two hundredths of the volume together, as L3, L4 and L5 may."""
    import numpy as np

    labels = np.zeros((batch, *size, 3), np.float32)
    length, height, width = (round(0.19 * n) for n in size)
    for k in range(3):
        start = size[1] // 4 + k * size[1] // 5
        labels[:, size[0] // 3 :, start:, size[2] // 3 :, k][:, :length, :height, :width] = 1
    return labels


def dims(text: str) -> tuple[int, ...]:
    """Read 48 as 48x48x48."""
    size = tuple(int(n) for n in text.split("x"))
    return size * 3 if len(size) == 1 else size


def main() -> None:
    """Start one process a size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("configs", nargs="+", help="configuration files, later ones win")
    parser.add_argument("--size", nargs="+", default=["48", "64", "96"], help="48 or 128x128x6")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--steps", type=int, default=STEPS, help="to take the median of")
    parser.add_argument("--predict", action="store_true", help="instead of training")
    parser.add_argument("--plain", action="store_true", help="losses and warps written plainly")
    parser.add_argument("--json", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        with form(options.plain):
            measure(options)
        return
    unit = "prediction" if options.predict else "step"
    print(
        f"| size | batch | s a {unit} | of processors | peak memory, GB |\n"
        "| --- | ---: | ---: | ---: | ---: |",
        flush=True,
    )
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", **os.environ}
    for size in options.size:
        arguments = ["--one", "--size", size, "--batch", str(options.batch)]
        arguments += ["--steps", str(options.steps), *["--predict"] * options.predict]
        arguments += ["--plain"] * options.plain
        command = [sys.executable, __file__, *options.configs, *arguments]
        run = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True)
        if run.returncode:
            raise SystemExit(f"step: {size} failed.\n{run.stderr[-2000:]}")


if __name__ == "__main__":
    main()
