"""Names of images: what they select, where they are found, and whether they may be written."""

import itertools
from collections.abc import Iterator
from pathlib import Path

from mmzoo.io.dicom_frames import may_be_dicom

SUFFIXES = (".nii.gz", ".nii", ".mgz", ".mgh", ".mha", ".mhd", ".nrrd", ".nhdr", ".hdr")
IN_TWO = (".hdr", ".img", ".mhd", ".nhdr", ".raw")


def select(path: Path | None, geometry: str = "", series: str = "") -> Path | None:
    """Return a path that also says which form of its header, or which series, is to count."""
    if path is None or not (choice := series if path.is_dir() else geometry):
        return path
    path = path if path.name else path.resolve()
    return path.with_name(f"{path.name}#{choice}")


def select_all(paths, geometry: str) -> list[Path]:
    """Return paths that also say which form of their headers is to count; see ``select``."""
    return [path if not geometry else select(path, geometry) or path for path in paths or []]


def exists(path: Path) -> bool:
    """Whether what a path names is there, a selection behind it or not."""
    return selected(path)[0].exists()


def selected(path: Path) -> tuple[Path, str]:
    """Return the path itself, and what it selects."""
    if not path.exists() and "#" in path.name:
        name, _, choice = path.name.rpartition("#")
        if path.with_name(name).exists():
            return path.with_name(name), choice
    return path, ""


def find_images(folder: Path) -> Iterator[Path]:
    """Yield the image files below a folder, and the folders that hold DICOM files, as one each."""
    files = sorted(file for file in folder.rglob("*") if not file.name.startswith("."))
    known = [file for file in files if file.name.lower().endswith(SUFFIXES)]
    yield from known
    others = [file for file in files if file.is_file() and file not in set(known)]
    yield from sorted({file.parent for file in others if may_be_dicom(file)})


def check_writable(path: Path, overwrite: bool = False) -> None:
    """Raise ValueError unless a file may be written: an image in one file, not there yet."""
    if path.name.lower().endswith(IN_TWO):
        raise ValueError(
            f"{path} would be written as two files, of which an interruption could leave one; give "
            "a name that ends in .nii.gz, .mha or .nrrd."
        )
    if path.is_dir():
        raise ValueError(f"{path} is a folder; give the name of a file to write.")
    if path.exists() and not overwrite:
        raise ValueError(
            f"{path} is there already and was not touched; give another name, or --overwrite to "
            "replace it."
        )


def free_name(path: Path) -> Path:
    """Return a path, or where it is there already, the first of name-2, name-3 and so on."""
    names = (path.with_name(f"{path.stem}-{k}{path.suffix}") for k in itertools.count(2))
    return path if not path.exists() else next(name for name in names if not name.exists())
