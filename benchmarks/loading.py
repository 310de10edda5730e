"""What reading the data costs of a training step: seconds a batch, and its share of the step.

    python benchmarks/loading.py configs/mmregnet/vm_ncc.yaml DATA/fold0.yaml \
        configs/scale/laptop.yaml [--steps 40] [--no-cache]

Three figures: the input pipeline alone (files, resizing, augmentation; after an epoch's first
batches), the step alone (one batch again and again), and steps that the pipeline feeds. Reading
costs what the third takes longer than the second; on few cores also what the first keeps them busy
with. Processor seconds are of all threads, so that other work on the machine does not count.
"""

import argparse
import os
import tempfile
import time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("configs", nargs="+", help="configuration files, later ones win")
    parser.add_argument("--steps", type=int, default=40, help="measured, after half as many")
    parser.add_argument("--no-cache", action="store_true", help="read every image every time")
    options = parser.parse_args()
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if options.no_cache:
        os.environ["MMZOO_CACHE_GB"] = "0"
    measure(options)


def measure(options: argparse.Namespace) -> None:
    """Print a Markdown table."""
    import mmzoo.deepreg

    mmzoo.deepreg.activate()
    import tensorflow as tf
    from deepreg.model.optimizer import build_optimizer
    from deepreg.registry import REGISTRY
    from deepreg.train import build_config, build_dataset

    config, *_ = build_config(options.configs, "", tempfile.mkdtemp(), "")
    loader, dataset, _ = build_dataset(
        dataset_config=config["dataset"],
        preprocess_config=config["train"]["preprocess"],
        mode="train",
        training=True,
        repeat=True,
    )
    model = REGISTRY.build_model(
        {
            "name": config["train"]["method"],
            "moving_image_size": loader.moving_image_shape,
            "fixed_image_size": loader.fixed_image_shape,
            "index_size": loader.num_indices,
            "labeled": config["dataset"]["labeled"],
            "batch_size": config["train"]["preprocess"]["batch_size"],
            "config": config["train"],
        }
    )
    model.compile(build_optimizer(optimizer_config=config["train"]["optimizer"]))
    step = model.make_train_function()
    batches = iter(dataset)
    one = iter(tf.data.Dataset.from_tensors(next(batches)).repeat())
    rows = {
        "pipeline alone": timed(lambda: next(batches), options.steps),
        "step alone": timed(lambda: step(one)["loss"].numpy(), options.steps),
        "steps fed by the pipeline": timed(lambda: step(batches)["loss"].numpy(), options.steps),
    }
    print("| | s | processor s | share of a step |\n| --- | ---: | ---: | ---: |")
    whole = rows["steps fed by the pipeline"][1]
    for name, (wall, processor) in rows.items():
        print(f"| {name} | {wall:.4f} | {processor:.4f} | {processor / whole:.1%} |")
    extra = whole - rows["step alone"][1]
    print(f"| reading: the third less the second | | {extra:.4f} | {extra / whole:.1%} |")


def timed(function, count: int) -> tuple[float, float]:
    """Return seconds and processor seconds of one call, the mean of `count` after half as many."""
    for _ in range(count // 2):
        function()
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(count):
        function()
    return (time.perf_counter() - wall) / count, (time.process_time() - processor) / count


if __name__ == "__main__":
    main()
