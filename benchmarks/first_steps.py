"""How far the field of a new network moves in the first steps of its training, in voxels.

    python benchmarks/first_steps.py [CONFIG ...] [--scale laptop] [--size 48] [--seeds 2]

Trains each method of configs/, or the files given as one configuration, on one pair of smooth
random images, and prints how far its field is from the untrained network's after two and after five
steps (mean length of the difference). Output layers begin at or next to zero, and Adam moves all
their weights alike in the first steps, so that a network that sums many of them over large features
throws its field far off before it has learnt anything.
"""

import argparse
import os
import sys
from pathlib import Path

if not __package__:  # run as a file
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.step import build, dims  # noqa: E402

CONFIGS = Path(__file__).parents[1] / "configs"
SHOWN = (2, 5)  # steps


def mean_lengths(files: list[Path], size: tuple[int, ...], seed: int = 0) -> list[float]:
    """Return how far the field has moved after each of the first steps of a training, in voxels.

    Args:
        files: the configuration's, later ones win.
        size: (dim1, dim2, dim3) of both images; `train.preprocess.patch_size` is not used.
        seed: of the network and the images.

    Returns:
        The mean length of the field less that of the untrained network, after 1 to 5 steps.
    """
    import tensorflow as tf
    import tf_keras

    from mmzoo.config_merge import merge_files

    tf_keras.utils.set_random_seed(seed)
    train = merge_files(files)["train"]
    model, pair = build([str(file) for file in files], size, train["preprocess"]["batch_size"])
    from deepreg.model.optimizer import build_optimizer

    model.compile(build_optimizer(train["optimizer"]))
    pair |= smooth_images(pair["moving_image"].shape, seed)
    step = model.make_train_function()
    batches = iter(tf.data.Dataset.from_tensors(pair).repeat())
    start = model(pair, training=True)["ddf"]
    lengths = []
    for _ in range(max(SHOWN)):
        step(batches)
        ddf = model(pair, training=True)["ddf"]
        lengths.append(float(tf.reduce_mean(tf.norm(ddf - start, axis=-1))))
    return lengths


def smooth_images(shape: tuple[int, ...], seed: int) -> dict:
    """Return two smooth images in [0, 1] of one scene, of reversed contrast, a voxel apart."""
    import numpy as np
    import tensorflow as tf
    from scipy.ndimage import gaussian_filter, shift

    noise = np.random.default_rng(seed).standard_normal(shape)
    scene = np.stack([gaussian_filter(each, 3.0) for each in noise])
    scene = np.clip(0.5 + scene / (6 * scene.std()), 0, 1).astype(np.float32)
    moved = np.stack([shift(1 - each, 1.0, order=1, mode="nearest") for each in scene])
    return {"moving_image": tf.constant(moved), "fixed_image": tf.constant(scene)}


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("configs", nargs="*", type=Path, help="files of one configuration")
    parser.add_argument("--scale", default="laptop", help="of configs/scale; paper: none")
    parser.add_argument("--size", default="48", help="of the images, 48 or 48x56x40")
    parser.add_argument("--seeds", type=int, default=2)
    given = parser.parse_args()
    size = dims(given.size)
    print(f"| configuration | {' | '.join(f'{n} steps' for n in SHOWN)} |")
    print(f"| --- |{' ---: |' * len(SHOWN)}", flush=True)
    for files in [given.configs] if given.configs else [[path] for path in methods()]:
        scale = [] if given.scale == "paper" else [CONFIGS / "scale" / f"{given.scale}.yaml"]
        found = [mean_lengths([*files, *scale], size, seed) for seed in range(given.seeds)]
        cells = [", ".join(f"{lengths[n - 1]:.2f}" for lengths in found) for n in SHOWN]
        print(f"| {' '.join(path.stem for path in files)} | {' | '.join(cells)} |", flush=True)


def methods() -> list[Path]:
    """Return the files of configs/ that are a method by themselves."""
    from mmzoo.config_merge import read_file

    found = sorted(path for path in CONFIGS.rglob("*.yaml") if path.parent.name != "scale")
    return [path for path in found if "method" in read_file(path).get("train", {})]


if __name__ == "__main__":
    main()
