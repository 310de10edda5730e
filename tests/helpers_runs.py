"""Runs as deepreg_train leaves them, without their training: random weights, tiny networks."""

from pathlib import Path

import numpy as np
import yaml

SIZE = (16, 16, 16)
GLOROT = {"out_kernel_initializer": "glorot_uniform"}
BENDING = {"name": "bending-energy", "weight": 0.1}
METHODS = {
    "bidirectional-ddf": {
        "backbone": {"name": "mmregnet", "num_channel_initial": 1, **GLOROT},
        "loss": {
            "image": {"name": "segi", "sigmas": [1.0], "weight": 1.0, "eps": 0.01},
            "cycle": {"weight": 0.1},
            "regularization": BENDING,
        },
    },
    "bspline-ddf": {
        "backbone": {"name": "dirnet", "grid_spacing": [8, 4, 1], "num_channels": 4, **GLOROT},
        "loss": {"image": {"name": "ncc", "weight": 1.0}, "regularization": BENDING},
        "percentiles": [1, 99],
    },
    "direct-ddf": {
        "backbone": {"name": "voxelmorph", "encoder": [2, 2], "decoder": [2] * 5, **GLOROT},
        "loss": {"image": {"name": "ncc", "weight": 1.0}, "regularization": BENDING},
    },
    "rigidity-ddf": {
        "backbone": {"name": "additive-unet", "num_channel_initial": 2, **GLOROT},
        "loss": {
            "image": {"name": "ncc", "weight": 0.5},
            "label": {"name": "dice", "weight": 0.5},
            "regularization": BENDING,
        },
    },
    "deform-gan": {
        "backbone": {"name": "deform-gan-unet", "num_channel_initial": 2, "depth": 1, **GLOROT},
        "loss": {
            "image": {"name": "local-gradient", "weight": 2.0, "window": 3},
            "translated": {"name": "local-correlation", "weight": 1.0, "window": 3},
            "regularization": {"name": "diffusion", "weight": 1.0},
        },
        "translator": {
            "generator": {"name": "unet", "num_channel_initial": 2, "depth": 1},
            "discriminator": {"name": "strided", "channels": [2, 3]},
        },
    },
}
# Of labels alone: nothing to refine a pair with.
LABELS = {
    "labels-ddf": {
        "backbone": {"name": "synthmorph", "encoder": [2, 2], "decoder": [2] * 3, **GLOROT},
        "loss": {
            "label": {"name": "dice", "weight": 1.0},
            "regularization": {"name": "diffusion", "weight": 1.0},
        },
    },
}


COST_VOLUME = {
    "name": "cost-volume",
    "encoder": [2, 2],
    "decoder": [2] * 3,
    "searches": [[2, 1, 2]],
    "steps": 1,
    **GLOROT,
}


def configuration(method: str) -> dict:
    """Return the configuration of a run, as its log folder holds it."""
    settings = dict((METHODS | LABELS)[method])
    percentiles = settings.pop("percentiles", None)
    preprocess = {"batch_size": 2, "shuffle_buffer_num_batch": 1}
    if percentiles:
        preprocess["percentiles"] = percentiles
    if method in LABELS:
        preprocess["data_augmentation"] = {"name": "random-contrast"}
    train = {"method": method, **settings, "preprocess": preprocess, "epochs": 3, "save_period": 1}
    train["optimizer"] = {"name": "Adam", "learning_rate": 1.0e-3}
    shapes = {f"{side}_image_shape": list(SIZE) for side in ("moving", "fixed")}
    dataset = {"labeled": True, "type": "paired", "format": "nifti", "dir": {}, **shapes}
    return {"dataset": dataset, "train": train}


def write_run(folder: Path, method: str, backbone: dict | None = None) -> Path:
    """Write a run of two checkpoints, ckpt-2 and ckpt-10, and return its folder."""
    import tensorflow as tf
    from deepreg.registry import REGISTRY

    config = configuration(method)
    config["train"]["backbone"] = backbone or config["train"]["backbone"]
    (folder / "save").mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    settings = {"moving_image_size": SIZE, "fixed_image_size": SIZE, "index_size": 2}
    settings |= {"labeled": True, "batch_size": 2, "config": config["train"]}
    tf.keras.utils.set_random_seed(1)
    model = REGISTRY.build_model({"name": method, **settings})
    checkpoint = tf.train.Checkpoint(model=model)
    for epoch in (2, 10):
        for variable in model._model.weights:
            if variable.name.endswith(("mean:0", "bias:0")):
                variable.assign(np.random.default_rng(epoch).normal(0, 0.1, variable.shape))
        checkpoint.write(str(folder / "save" / f"ckpt-{epoch}"))
    return folder


def random_pair(size=SIZE, batch=1) -> dict:
    """Return smooth images by input name, (batch, dim1, dim2, dim3) in [0, 1]."""
    from scipy.ndimage import gaussian_filter

    draws = np.random.default_rng(3)
    images = {}
    for name in ("moving", "fixed"):
        image = gaussian_filter(draws.random((batch, *size)), (0, 1.5, 1.5, 1.5))
        image = (image - image.min()) / (image.max() - image.min())
        images[name] = image.astype(np.float32)
    return images
