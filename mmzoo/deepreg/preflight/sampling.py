"""Checks of `train.preprocess`: its keys, patches, percentiles; and of `predict`."""

from mmzoo.checks import are_percentiles, check_choice
from mmzoo.errors import PreflightError

KEYS = (
    *("batch_size", "shuffle_buffer_num_batch", "data_augmentation"),  # DeepReg's
    *("patch_size", "percentiles"),  # the zoo's
)
INTERPOLATIONS = ("linear", "cubic-bspline")
SHAPES = ("moving_image_shape", "fixed_image_shape", "image_shape")  # of a dataset section


def check_sampling(config: dict) -> None:
    """Raise PreflightError for invalid patches, percentiles or interpolation.

    Args:
        config: the configuration, all its files merged.
    """
    preprocess = config["train"]["preprocess"]
    for key in preprocess:
        check_choice("train.preprocess", key, KEYS)
    if preprocess.get("patch_size") is not None:
        _check_patch_size(preprocess["patch_size"])
    if preprocess.get("percentiles") is not None:
        _check_percentiles(preprocess["percentiles"])
    predict = config.get("predict") or {}
    for key in predict:
        check_choice("predict", key, ("interpolation",))
    check_choice("predict.interpolation", interpolation_of(config), INTERPOLATIONS)


def interpolation_of(config: dict) -> str:
    """Return the interpolation of predicted images: `predict.interpolation`, or linear."""
    return (config.get("predict") or {}).get("interpolation", "linear")


def check_patches_fit(config: dict) -> None:
    """Raise PreflightError where volumes are smaller than the patches to be cut from them.

    Args:
        config: of a training; `dataset` says what size DeepReg brings all images to.
    """
    patch = config["train"]["preprocess"].get("patch_size")
    shapes = {key: config["dataset"][key] for key in SHAPES if key in config["dataset"]}
    if patch is None:
        return
    for key, shape in shapes.items():
        if any(whole < part for whole, part in zip(shape, patch, strict=False)):
            fitting = [min(whole, part) for whole, part in zip(shape, patch, strict=False)]
            raise PreflightError(
                f"`train.preprocess.patch_size` {list(patch)} is larger than `dataset.{key}` "
                f"{list(shape)}, the size of the volumes: use patches of {fitting} or smaller, or "
                "make the data larger."
            )
    if len({tuple(shape) for shape in shapes.values()}) > 1:
        named = ", ".join(f"`dataset.{key}` {list(shape)}" for key, shape in shapes.items())
        raise PreflightError(
            "`train.preprocess.patch_size` cuts the same place from moving and fixed images, which "
            f"must have one size, got {named}."
        )


def _check_patch_size(size) -> None:
    whole = isinstance(size, (list, tuple)) and all(type(n) is int and n > 0 for n in size)
    if not whole or len(size) != 3:
        raise PreflightError(
            "`train.preprocess.patch_size` must be three whole numbers of voxels above 0, such as "
            f"[64, 64, 64], got {size!r}; leave it out to train on whole volumes."
        )


def _check_percentiles(percentiles) -> None:
    if not are_percentiles(percentiles):
        raise PreflightError(
            "`train.preprocess.percentiles` must be two rising numbers from 0 to 100, such as "
            f"[1, 99], got {percentiles!r}; leave it out to scale by minimum and maximum."
        )
