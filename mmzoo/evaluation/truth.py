"""The case that a file shows, and the true field and motions of two cases, where they are known."""

from pathlib import Path

from mmzoo.datasets.layout import DESCRIPTION, FIELD, MOTIONS


def case_name(file: str) -> str:
    """Return the case a file shows.

    The zoo's layout names a file <moving>__<fixed>.nii.gz in a folder of its side; any other
    name is kept as it is.
    """
    path = Path(file)
    stem = path.name.removesuffix(".gz").removesuffix(".nii")
    moving, separator, fixed = stem.partition("__")
    if separator and path.parent.name in ("moving_images", "fixed_images"):
        return moving if path.parent.name == "moving_images" else fixed
    return stem


def true_field_file(moving: str, fixed: str) -> Path | None:
    """Return the true field of two files of one data set, where that has it.

    Args:
        moving: file of the moving image, or a link to it in the folder of a split.
        fixed: that of the fixed image.
    """
    return _truth(FIELD, moving, fixed)


def true_motions_file(moving: str, fixed: str) -> Path | None:
    """Return the file of the true rigid motions of two files, as `true_field_file` does."""
    return _truth(MOTIONS, moving, fixed)


def _truth(pattern: str, moving: str, fixed: str) -> Path | None:
    if not (moving and fixed):
        return None
    folders = [Path(file).resolve().parents for file in (moving, fixed)]
    for folder in folders[1]:
        if folder in folders[0] and (folder / DESCRIPTION).is_file():
            path = folder / pattern.format(moving=case_name(moving), fixed=case_name(fixed))
            return path if path.is_file() else None
    return None
