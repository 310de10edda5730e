"""A training step of DeepReg 0.1.2 as it is: also for Python 3.8 with TensorFlow 2.3.1.

    python3.8 benchmarks/speed/old_step.py benchmarks/speed/unet.yaml 64x64x64

Prints JSON as `step` does. Knows nothing of mmzoo.
"""

import json
import sys
import time
from pathlib import Path

import tensorflow as tf
import yaml
from deepreg.registry import REGISTRY

if not __package__:  # run as a file
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from benchmarks.memory import resident_mb  # noqa: E402


def main():
    """Measure one configuration at one size."""
    with open(sys.argv[1]) as file:
        config = yaml.safe_load(file)["train"]
    size = tuple(int(n) for n in sys.argv[2].split("x"))
    settings = {
        "name": config["method"],
        "moving_image_size": size,
        "fixed_image_size": size,
        "index_size": 2,
        "labeled": False,
        "batch_size": 1,
        "config": config,
    }
    model = REGISTRY.build_model(settings)
    model.compile(tf.keras.optimizers.Adam(1e-3))
    images = tf.random.stateless_uniform((2, 1) + size, (1, 2))
    pair = {"moving_image": images[0], "fixed_image": images[1], "indices": tf.zeros((1, 2))}
    step = model.make_train_function()
    batches = iter(tf.data.Dataset.from_tensors(pair).repeat())
    times = []
    for _ in range(6):
        start = time.perf_counter()
        step(batches)["loss"].numpy()
        times.append(time.perf_counter() - start)
    figures = {"gradient_s": sorted(times[1:])[2], "memory_mb": resident_mb()}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
