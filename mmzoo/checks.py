"""Checks of what a user gives: each message says what was expected, what came, and what to do."""

import difflib
import re
from collections.abc import Iterable, Sequence


def reason_of(error: Exception, line: int = -1) -> str:
    """Return a line of an error's message, by default the last one; its type if it is empty."""
    return (str(error).strip().splitlines() or [type(error).__name__])[line]


def check_choice(name: str, value: object, choices: Iterable[str]) -> None:
    """Raise ValueError unless `value` is one of `choices`; names the closest one.

    Args:
        name: what the value is called where the user wrote it.
        value: what the user wrote.
        choices: the names that are allowed.
    """
    allowed = sorted(choices)
    if value in allowed:
        return
    meant = closest(str(value), allowed)
    hint = f"did you mean {meant!r}? " if meant else ""
    raise ValueError(f"`{name}` is {value!r}: {hint}Expected one of {', '.join(allowed)}.")


def closest(name: str, names: Iterable[str], at_least: float = 0.4) -> str | None:
    """Return the one of some names that is most like another; None if none is much like it.

    Args:
        name: what the user wrote.
        names: what may have been meant.
        at_least: how much they must be alike, 1 where they are the same.
    """
    return next(iter(difflib.get_close_matches(name, names, n=1, cutoff=at_least)), None)


def not_taken(where: str, key: str, taken: Iterable[str], why: str) -> str:
    """Return the message for a key that a section does not take, with the one that may be meant.

    Args:
        where: the section.
        key: what the user wrote.
        taken: the keys that it takes.
        why: what is wrong, as "is no key of it".
    """
    taken = list(dict.fromkeys(taken))
    meant = closest(key, taken)
    hint = f" Did you mean {meant!r}?" if meant else ""
    return f"{where} has {key!r}, which {why}.{hint} It takes {', '.join(taken)}."


def check_positive(name: str, value: float, *, allow_zero: bool = False) -> None:
    """Raise ValueError unless `value` is a number above zero (or zero, if allowed)."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not (value > 0 or (allow_zero and value == 0)):
        bound = "at least 0" if allow_zero else "above 0"
        raise ValueError(f"`{name}` must be a number {bound}, got {value!r}.")


def check_number(name: str, value: object) -> None:
    """Raise ValueError unless `value` is a number."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise ValueError(f"`{name}` must be a number, got {value!r}.")


def check_file_name(what: str, name: str) -> None:
    """Raise ValueError unless a name can be part of a file's name, and leads nowhere else."""
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]|_(?!_))*", name):
        raise ValueError(
            f"`{what}` becomes part of file names and must be letters, digits, '-', '.' and single "
            f"'_', beginning with a letter or digit; got {name!r}."
        )


def check_window(name: str, value: object) -> None:
    """Raise ValueError unless `value` is an odd number of voxels, which have one in the middle."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole or value < 1 or value % 2 == 0:  # type: ignore[operator]
        raise ValueError(f"`{name}` must be an odd whole number of voxels, got {value!r}.")


def are_percentiles(value: object) -> bool:
    """Whether `value` is a list of two rising numbers from 0 to 100."""
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        return False
    numbers = all(isinstance(number, (int, float)) for number in value)
    return numbers and 0 <= value[0] < value[1] <= 100


def check_three_axes(name: str, size: Sequence[int] | None) -> None:
    """Raise ValueError unless a size is three numbers of voxels, or None for any size."""
    if size is not None and len(size) != 3:
        raise ValueError(f"`{name}` must be three numbers of voxels, got {size!r}.")


def check_one_size(what: str, moving: Sequence[int], fixed: Sequence[int]) -> None:
    """Raise ValueError unless moving and fixed images have one size."""
    if tuple(moving) != tuple(fixed):
        raise ValueError(
            f"{what} needs moving and fixed images of one size, got {tuple(moving)} and "
            f"{tuple(fixed)}; set dataset.moving_image_shape and dataset.fixed_image_shape to the "
            "same."
        )


def check_halvings(network: str, image_size: Sequence[int], times: int, remedy: str = "") -> None:
    """Raise ValueError unless each of three axes can be halved so many times.

    Args:
        network: its name, for the message.
        image_size: (dim1, dim2, dim3).
        times: how often the network halves it.
        remedy: what else can be done, for the end of the message.
    """
    step = 2**times
    if len(image_size) != 3 or any(n < step or n % step for n in image_size):
        nearest = tuple(max(step, round(n / step) * step) for n in image_size)
        raise ValueError(
            f"{network} halves the volume {times} times: each axis must be a multiple of {step}, "
            f"got {tuple(image_size)}; use {nearest}, which DeepReg resizes the images to{remedy}."
        )


def check_rank(name: str, tensor, ranks: Sequence[int]) -> None:
    """Raise ValueError unless the tensor has one of the given ranks."""
    if len(tensor.shape) not in ranks:
        wanted = " or ".join(str(rank) for rank in ranks)
        raise ValueError(f"`{name}` must have rank {wanted}, got shape {tuple(tensor.shape)}.")


def check_same_shape(name_a: str, a, name_b: str, b) -> None:
    """Raise ValueError unless two tensors have the same shape, as far as it is known."""
    if not _may_be_same(a.shape, b.shape):
        raise ValueError(
            f"`{name_a}` and `{name_b}` must have the same shape, "
            f"got {tuple(a.shape)} and {tuple(b.shape)}."
        )


def check_one_channel(name: str, volume) -> None:
    """Raise ValueError where (batch, dim1, dim2, dim3, channels) has more channels than one."""
    if len(volume.shape) == 5 and volume.shape[4] != 1:
        raise ValueError(
            f"`{name}` must have one channel, got {volume.shape[4]}; give one volume at a time."
        )


def _may_be_same(first, second) -> bool:
    """Whether two shapes are the same as far as they are known; of NumPy's, tuples, all is."""
    for one, other in ((first, second), (second, first)):
        if hasattr(one, "is_compatible_with"):
            return one.is_compatible_with(other)
    return tuple(first) == tuple(second)


def check_ddf(name: str, ddf) -> None:
    """Raise ValueError unless the tensor looks like (batch, dim1, dim2, dim3, 3)."""
    if len(ddf.shape) != 5 or ddf.shape[-1] != 3:
        raise ValueError(
            f"`{name}` must be (batch, dim1, dim2, dim3, 3) in voxels, got {tuple(ddf.shape)}."
        )


def check_image_values(name: str, values) -> None:
    """Raise ValueError where an image cannot be registered: NaN, infinity, or one value only.

    Args:
        name: of the image, for the message: its file.
        values: NumPy array of any shape.
    """
    import numpy as np  # here: the command line checks names long before it needs arrays

    bad = int(values.size - np.count_nonzero(np.isfinite(values)))
    if bad:
        raise ValueError(
            f"{name} must hold finite numbers, got {bad} voxels of NaN or infinity, of "
            f"{values.size}; replace them (by the background's value, say) or leave the case out."
        )
    if values.min() == values.max():
        raise ValueError(
            f"{name} is constant, {values.flat[0]:g} in every voxel: there is nothing to register. "
            "Was it saved with too few bits, or cropped to its background?"
        )
