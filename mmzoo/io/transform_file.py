"""Transform files, checked before ITK reads them: it accepts damaged ones, or crashes."""

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk

from mmzoo.checks import reason_of
from mmzoo.io.header_checks import MOST_PACKED, check_space

# Parameters of ITK's transforms in 3-D, without "_double_3_3"; None for those on a grid.
PARAMETERS = {
    "Identity": 0,
    "IdentityTransform": 0,
    "CompositeTransform": 0,
    "TranslationTransform": 3,
    "ScaleTransform": 3,
    "ScaleLogarithmicTransform": 3,
    "VersorTransform": 3,
    "Euler3DTransform": 6,
    "VersorRigid3DTransform": 6,
    "Similarity3DTransform": 7,
    "ScaleVersor3DTransform": 9,
    "ScaleSkewVersor3DTransform": 15,
    "Rigid3DTransform": 12,
    "AffineTransform": 12,
    "MatrixOffsetTransformBase": 12,
    "DisplacementFieldTransform": None,
    "BSplineTransform": None,
}
GRID = 18  # size, origin, spacing and direction of a field or of control points


class TransformPart(NamedTuple):
    """One transform of a file.

    Attributes:
        kind: as ITK names it.
        fixed: fixed parameters.
        values: parameters.
    """

    kind: str
    fixed: np.ndarray
    values: np.ndarray


def read_transform(path: Path) -> sitk.Transform:
    """Read a transform of points in 3-D.

    Raises:
        ValueError: the file is not there, is no transform (an image, say), is one in 2-D, is cut or
            damaged, or holds NaN.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path} is not there; check the name and the folder.")
    parts = list(_parts(path))
    if not parts:
        raise ValueError(f"{path} holds no transform.")
    for part in parts:
        _check(path, part)
    try:
        transform = sitk.ReadTransform(str(path))
    except (RuntimeError, KeyError) as error:  # a type that SimpleITK does not wrap
        raise _no_transform(path, reason_of(error)) from error
    return transform


def _no_transform(path: Path, reason: str) -> ValueError:
    return ValueError(
        f"{path} is no transform that ITK reads ({reason.rstrip('.')}); `mmzoo register` writes "
        "one as transform.h5, ANTs and elastix write .mat, .tfm and .h5."
    )


def _parts(path: Path) -> Iterator[TransformPart]:
    """Yield what a file holds, read without ITK."""
    with path.open("rb") as file:
        start = file.read(64)
    try:
        if start.startswith(b"\x89HDF\r\n"):
            yield from _parts_of_hdf5(path)
        elif start.startswith(b"#Insight Transform File"):
            yield from _parts_of_text(path)
        elif path.suffix.lower() == ".mat":
            yield from _parts_of_matlab(path)
        else:
            raise ValueError("its beginning is that of no such file")
    # The libraries raise many types for files that are cut short, edited or of another kind.
    except Exception as error:
        raise _no_transform(path, reason_of(error)) from error


def _parts_of_hdf5(path: Path) -> Iterator[TransformPart]:
    import h5py

    with h5py.File(path, "r") as file:
        group = file["TransformGroup"]
        for name in sorted(group, key=int):
            kind = group[name]["TransformType"][()]
            kind = kind[0] if isinstance(kind, np.ndarray) else kind
            kind = kind.decode("latin-1") if isinstance(kind, bytes) else str(kind)
            if kind.startswith("CompositeTransform"):
                yield TransformPart(kind, np.zeros(0), np.zeros(0))
                continue
            # Old versions of ITK misspelt the names.
            sets = [
                group[name].get(f"Transform{key}Parameters")
                or group[name][f"Tranform{key}Parameters"]
                for key in ("Fixed", "")
            ]
            if max(each.size for each in sets) * 4 > MOST_PACKED * path.stat().st_size:
                raise ValueError("it claims more numbers than the file can hold")
            yield TransformPart(kind, *(np.asarray(each, float).ravel() for each in sets))


def _parts_of_text(path: Path) -> Iterator[TransformPart]:
    text = path.read_text(encoding="latin-1")
    for block in re.split(r"^#Transform \d+\s*$", text, flags=re.MULTILINE)[1:]:
        fields = dict(re.findall(r"^(\w+):[ \t]*(.*)$", block, flags=re.MULTILINE))
        fixed = np.array(fields.get("FixedParameters", "").split(), float)
        values = np.array(fields.get("Parameters", "").split(), float)
        yield TransformPart(fields["Transform"].strip(), fixed, values)


def _parts_of_matlab(path: Path) -> Iterator[TransformPart]:
    from scipy.io import loadmat

    found = loadmat(path, appendmat=False)
    names = [name for name in found if not name.startswith("__") and name != "fixed"]
    fixed = np.asarray(found.get("fixed", ()), float).ravel()
    for name in names:
        values = np.asarray(found[name], float).ravel()
        yield TransformPart(name, fixed, values)


def _check(path: Path, part: TransformPart) -> None:
    """Raise ValueError unless a transform is 3-D, of as many finite parameters as its type has."""
    match = re.fullmatch(r"(\w+?)_(?:double|float)_(\d)_(\d)(?:_(\d))?", part.kind)
    if match and (match[2], match[3]) != ("3", "3"):
        raise ValueError(f"{path} must be a transform in 3-D, got {match[2]}-D ({part.kind}).")
    if not match or match[1] not in PARAMETERS:
        raise _no_transform(path, f"{part.kind!r} is no kind that is known here")
    wanted = PARAMETERS[match[1]]
    if wanted is None:
        wanted = _check_grid(path, part)
    if part.values.size != wanted:
        raise _no_transform(
            path, f"{part.kind} has {part.values.size} parameters in place of {wanted}"
        )
    if not (np.isfinite(part.fixed).all() and np.isfinite(part.values).all()):
        raise ValueError(
            f"{path} holds NaN or infinity in its {part.kind}: it takes points to nowhere. Make it "
            "again."
        )


def _check_grid(path: Path, part: TransformPart) -> int:
    """Return how many parameters a displacement field or a B-spline transform has by its grid."""
    if part.fixed.size != GRID or not np.isfinite(part.fixed).all():
        raise _no_transform(path, f"the grid of its {part.kind} is damaged")
    size, rest = part.fixed[:3], part.fixed[3:]
    if np.any(size < 1) or np.any(size != np.round(size)):
        raise _no_transform(path, f"the grid of its {part.kind} has size {size.tolist()}")
    check_space(path, rest[3:6], rest[:3], rest[6:].reshape(3, 3))
    return 3 * math.prod(int(n) for n in size)


def write_transform(transform: sitk.Transform, path: Path) -> None:
    """Write a transform in one of ITK's formats.

    Raises:
        OSError: the disk is full.
    """
    # Checked before: ITK's HDF5 ends the process when a write fails.
    if hasattr(os, "posix_fallocate"):
        with path.open("wb") as file:
            size = 8 * transform.GetNumberOfParameters() + 100_000
            os.posix_fallocate(file.fileno(), 0, size)
        path.unlink()
    sitk.WriteTransform(transform, str(path))
    try:  # ITK's writers of text and .mat do not report a full disk
        sitk.ReadTransform(str(path))
    except RuntimeError as error:
        raise OSError(f"{path} could not be written whole: is the disk full?") from error
