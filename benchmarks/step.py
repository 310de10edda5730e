"""Seconds and peak memory of one training step of a configuration.

    python benchmarks/step.py configs/mmregnet/mmregnet.yaml [--size 48 64 112x128x96] [--batch 1]

Each size runs in a process of its own, on random images; prints a Markdown table.
"""

import argparse
import os
import resource
import subprocess
import sys
import time

STEPS = 5


def measure(configs: list[str], size: tuple[int, ...], batch: int) -> None:
    """Train some steps at one size and print seconds a step and the peak memory in GB."""
    import mmzoo.host

    mmzoo.host.activate()
    import tensorflow as tf
    import yaml
    from deepreg.config.parser import update_nested_dict
    from deepreg.registry import REGISTRY

    merged: dict = {}
    for path in configs:
        with open(path) as file:
            merged = update_nested_dict(merged, yaml.safe_load(file))
    settings = {
        "name": merged["train"]["method"],
        "moving_image_size": size,
        "fixed_image_size": size,
        "index_size": 2,
        "labeled": False,
        "batch_size": batch,
        "config": merged["train"],
    }
    model = REGISTRY.build_model(settings)
    model.compile(tf.keras.optimizers.Adam(1e-3))
    images = tf.random.stateless_uniform((2, batch, *size), (1, 2))
    pair = {"moving_image": images[0], "fixed_image": images[1], "indices": tf.zeros((batch, 2))}
    dataset = tf.data.Dataset.from_tensors(pair).repeat()
    step = model.make_train_function()
    batches = iter(dataset)
    seconds = []
    for _ in range(STEPS + 1):  # the first one compiles
        start = time.perf_counter()
        step(batches)["loss"].numpy()
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    name = "x".join(map(str, size))
    print(f"| {name} | {batch} | {sorted(seconds[1:])[STEPS // 2]:.2f} | {peak:.1f} |")


def axes(text: str) -> tuple[int, ...]:
    """Return three axes of `112x128x96`, or of `96` for a cube."""
    numbers = tuple(map(int, text.split("x")))
    return numbers * 3 if len(numbers) == 1 else numbers


def main() -> None:
    """Start one process a size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("configs", nargs="+", help="configuration files, later ones win")
    parser.add_argument("--size", nargs="+", default=["48", "64", "96"], help="96 or 112x128x96")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        measure(options.configs, axes(options.size[0]), options.batch)
        return
    print("| size | batch | s a step | peak memory, GB |\n| --- | ---: | ---: | ---: |", flush=True)
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", **os.environ}
    for size in options.size:
        arguments = ["--one", "--size", size, "--batch", str(options.batch)]
        command = [sys.executable, __file__, *options.configs, *arguments]
        subprocess.run(command, env=environment, check=True, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
