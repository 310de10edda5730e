"""Transforms in the formats of ITK, ANTs, elastix, FreeSurfer and FSL, read and written.

All take points of the fixed image to the moving one, LPS mm, as `sitk.Resample` has it. A name may
end in `:inverse`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from mmzoo.checks import reason_of
from mmzoo.io import transform_file
from mmzoo.io.atomic import whole_file, write_text
from mmzoo.io.header_checks import check_image_file, check_place
from mmzoo.io.images import write_image
from mmzoo.io.paths import check_writable
from mmzoo.spatial.frames import change_frame, matrix_of, transform_of
from mmzoo.spatial.geometry import total_displacement

INVERSE = ":inverse"
FIELDS = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".nhdr")
ENTRY = re.compile(r"^\s*\((\w+)\s+(.*?)\)\s*$", re.MULTILINE)  # of elastix' parameters
LINEAR: dict[str, Callable[[], Any]] = {
    "EulerTransform": sitk.Euler3DTransform,
    "SimilarityTransform": sitk.Similarity3DTransform,
    "AffineTransform": lambda: sitk.AffineTransform(3),
    "TranslationTransform": lambda: sitk.TranslationTransform(3),
}
ITK = (".h5", ".hdf5", ".tfm", ".txt", ".xfm")


@dataclass(frozen=True)
class Step:
    """One transform of several that a point goes through.

    Attributes:
        transform: of points, LPS mm.
        inverse: whether the point goes through its inverse.
        file: where it comes from.
    """

    transform: sitk.Transform
    inverse: bool = False
    file: Path = Path()

    def reversed(self) -> Step:
        """Return the inverse step."""
        return replace(self, inverse=not self.inverse)


def read_steps(names, fixed: Path | None = None, moving: Path | None = None) -> list[Step]:
    """Read transforms in the order in which a point of the fixed image goes through them.

    Args:
        names: a file or several, each with `:inverse` behind it if wanted; the order is that of
            `antsApplyTransforms -t`.
        fixed: fixed image, which FSL's matrices depend on.
        moving: moving image, likewise.

    Raises:
        ValueError: for a file that is not there or no transform; says which.
    """
    names = [names] if isinstance(names, (str, Path)) else list(names)
    steps = []
    for name in map(str, names):
        inverse = name.endswith(INVERSE)
        path = Path(name.removesuffix(INVERSE)).expanduser()
        steps.append(Step(read_transform(path, fixed, moving), inverse, path))
    return steps


def read_transform(
    path: Path, fixed: Path | None = None, moving: Path | None = None
) -> sitk.Transform:
    """Read a transform of points in 3-D.

    Args:
        path: ITK's .h5, .tfm, .txt, ANTs' .mat, a displacement field in mm as an image (ANTs'
            1Warp.nii.gz, mmzoo's displacement_mm.nii.gz), elastix' TransformParameters with those
            it begins with, FreeSurfer's .lta, FSL's .mat.
        fixed: NIfTI of the fixed image, which FSL's matrices depend on.
        moving: NIfTI of the moving image, likewise.

    Raises:
        ValueError: the file is not there, is no transform, is one in 2-D, or holds NaN.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path} is not there; check the name and the folder.")
    if path.name.lower().endswith(FIELDS):
        return _field(path)
    text = _text(path)
    if path.suffix.lower() == ".lta":
        return _by_nitransforms(path, "lta")
    if "(Transform " in text:
        return _elastix(path, text)
    if (matrix := _matrix(text)) is not None:
        return _fsl(path, matrix, fixed, moving)
    return transform_file.read_transform(path)


def _checked(path: Path, transform: sitk.Transform) -> sitk.Transform:
    for part in parts(transform):
        if not np.isfinite([*part.GetParameters(), *part.GetFixedParameters()]).all():
            raise ValueError(f"{path} holds NaN or infinity in its {part.GetName()}.")
    return transform


def parts(transform: sitk.Transform) -> list[sitk.Transform]:
    """Return the transforms that a composite is made of, the last one acting first."""
    if transform.GetTransformEnum() != sitk.sitkComposite:
        return [transform.Downcast()]
    whole = sitk.CompositeTransform(transform)
    found = [whole.GetNthTransform(k) for k in range(whole.GetNumberOfTransforms())]
    return [part for each in found for part in parts(each)]


def _text(path: Path) -> str:
    """Return the contents of a file of text, empty for another."""
    data = path.read_bytes()[:2_000_000_000]
    return "" if b"\0" in data[:4096] else data.decode("utf-8", "replace")


def _field(path: Path) -> sitk.Transform:
    """Return the transform of an image of displacements, mm towards left, posterior, superior."""
    check_image_file(path)
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        reason = reason_of(error)
        raise ValueError(f"{path} cannot be read as a field of displacements: {reason}") from error
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 3:
        raise ValueError(
            f"{path} is no transform: an image of displacements must be 3-D with 3 values a voxel "
            f"(NIfTI: 5-D, intent vector), got size {image.GetSize()} with "
            f"{image.GetNumberOfComponentsPerPixel()}."
        )
    check_place(image, path)
    if not np.isfinite(sitk.GetArrayViewFromImage(image)).all():
        raise ValueError(f"{path} holds NaN or infinity.")
    return sitk.DisplacementFieldTransform(sitk.Cast(image, sitk.sitkVectorFloat64))


def _matrix(text: str) -> np.ndarray | None:
    """Return the affine matrix, (4, 4), of a text that holds nothing else, or None."""
    try:
        numbers = np.array(text.split(), float)
    except ValueError:
        return None
    is_affine = numbers.size == 16 and np.allclose(numbers[12:], (0, 0, 0, 1))
    return numbers.reshape(4, 4) if is_affine else None


def _fsl(path: Path, matrix: np.ndarray, fixed: Path | None, moving: Path | None):
    if fixed is None or moving is None:
        raise ValueError(
            f"{path} is a matrix of FSL, which means something only between two images; give both "
            "NIfTI files (mmzoo convert --reference ... --moving ...)."
        )
    return _by_nitransforms(path, "fsl", fixed, moving)


def _nitransforms():
    try:
        import nitransforms
    except ImportError as error:
        raise ValueError(
            "matrices of FSL and FreeSurfer are read by nitransforms, which is not installed: "
            '`pip install "mmzoo[transforms]"`.'
        ) from error
    return nitransforms


def _by_nitransforms(path: Path, kind: str, fixed=None, moving=None) -> sitk.AffineTransform:
    nitransforms = _nitransforms()
    readers = {
        "lta": nitransforms.io.lta.FSLinearTransform,
        "fsl": nitransforms.io.fsl.FSLLinearTransform,
    }
    try:
        found = readers[kind].from_string(path.read_text())
        matrix = np.array(found.to_ras(moving=moving, reference=fixed), float)
    except Exception as error:  # the library raises many types for damaged text
        raise ValueError(f"{path} cannot be read as a transform: {error!r}") from error
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise ValueError(f"{path} must hold one (4, 4) matrix of finite numbers.")
    return transform_of(change_frame(matrix))


def _elastix(path: Path, text: str, depth: int = 0) -> sitk.Transform:
    """Return a transform of elastix, its initial transforms included, which act first.

    elastix writes ITK's own parameters, so nothing is resampled.
    """
    said = {key: value.replace('"', "").split() for key, value in ENTRY.findall(text)}
    try:
        kind, numbers = said["Transform"][0], np.array(said["TransformParameters"], float)
        own = _elastix_part(kind, numbers, said)
    except (KeyError, ValueError, IndexError, RuntimeError) as error:
        raise ValueError(f"{path} is no transform of elastix that is known: {error!r}") from error
    own = _checked(path, own)
    first = said.get("InitialTransformParameterFileName") or said.get(
        "InitialTransformParametersFileName", ["NoInitialTransform"]
    )
    if first[0] == "NoInitialTransform":
        return own
    if said.get("HowToCombineTransforms", ["Compose"])[0] != "Compose":
        raise ValueError(f"{path} adds to its initial transform; elastix must have composed them.")
    earlier = Path(" ".join(first))
    # If the folder was moved since, the file beside this one.
    earlier = earlier if earlier.is_file() else path.with_name(earlier.name)
    if not earlier.is_file() or depth > 20:
        raise ValueError(f"{path} begins with {' '.join(first)}, which is not there.")
    return compose([_elastix(earlier, _text(earlier), depth + 1), own])


def _elastix_part(kind: str, numbers: np.ndarray, said: dict) -> sitk.Transform:
    if int(said["FixedImageDimension"][0]) != 3:
        raise ValueError("must be 3-D")

    def floats(name: str) -> list[float]:
        return [float(value) for value in said[name]]

    made: Any
    if kind == "BSplineTransform":
        made = sitk.BSplineTransform(3, int(said.get("BSplineTransformSplineOrder", ["3"])[0]))
        # elastix writes the columns of the direction one after the other, ITK its rows.
        turn = np.array(floats("GridDirection")).reshape(3, 3).T.ravel()
        grid = [*floats("GridSize"), *floats("GridOrigin"), *floats("GridSpacing"), *turn]
        made.SetFixedParameters(grid)
    elif kind in LINEAR:
        made = LINEAR[kind]()
        if kind != "TranslationTransform":
            made.SetCenter(floats("CenterOfRotationPoint"))
        if kind == "EulerTransform":
            made.SetComputeZYX(said.get("ComputeZYX", ["false"])[0] == "true")
    else:
        raise ValueError(f"{kind} is not among {', '.join(LINEAR)} and BSplineTransform")
    made.SetParameters(numbers.tolist())
    return made


def compose(transforms: list[sitk.Transform]) -> sitk.Transform:
    """Return one transform of several, the first of which a point goes through first."""
    if len(transforms) == 1:
        return transforms[0]
    whole = sitk.CompositeTransform(3)
    for transform in reversed(transforms):  # ITK: what is added last acts first
        for part in parts(transform):
            whole.AddTransform(part)
    return whole


def write_transform(
    transform: sitk.Transform, path: Path, reference: sitk.Image | None = None
) -> None:
    """Write a transform in the format of the suffix.

    Args:
        transform: of points, LPS mm.
        path: .h5, .tfm or .txt (ITK, ANTs, Slicer), .mat (ANTs' affine), .lta (FreeSurfer), or an
            image, .nii.gz, .mha, .nrrd: displacements in mm, as ANTs and ITK read them.
        reference: whose grid an image of displacements fills.

    Raises:
        ValueError: for another suffix, a nonlinear transform in a format of matrices, or a missing
            reference.
    """
    name = path.name.lower()
    check_writable(path, overwrite=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    if name.endswith(FIELDS):
        if reference is None:
            raise ValueError(f"{path} needs `--reference`, whose grid the displacements fill.")
        write_image(total_displacement(transform, reference), path)
        return
    if name.endswith((".mat", ".lta")):
        if not all(part.IsLinear() for part in parts(transform)):
            raise ValueError(f"{path} holds one matrix, but the transform is curved; give .h5.")
        matrix = matrix_of(transform)
        if name.endswith(".lta"):
            nitransforms = _nitransforms()
            made = nitransforms.io.lta.FSLinearTransform.from_ras(change_frame(matrix))
            write_text(path, made.to_string())
            return
        transform = transform_of(matrix)
    elif not name.endswith(ITK):
        raise ValueError(
            f"{path} must end in .h5, .tfm, .txt, .mat, .lta, .nii.gz, .mha or .nrrd, which say "
            "the format."
        )
    with whole_file(path) as partial:
        transform_file.write_transform(transform, partial)
