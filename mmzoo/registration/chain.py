"""Composition, inversion and conversion of saved transforms."""

from collections.abc import Sequence
from pathlib import Path

import SimpleITK as sitk

from mmzoo.io import images
from mmzoo.io.paths import check_writable
from mmzoo.io.transforms import Step, compose, parts, read_steps, write_transform
from mmzoo.registration.inverse import inverse_transform

Transforms = str | Path | Sequence[str | Path]


def one_transform(
    steps: list[Step], reference: sitk.Image, moving: sitk.Image, inverse: bool = False
) -> sitk.Transform:
    """Return one transform of several steps.

    A nonlinear step is inverted on the grid of the moving image if it is the last step, else on the
    grid of its own field, or on the reference if it has none.

    Args:
        steps: in the order in which a point of the reference goes through them.
        reference: image that the points are in.
        moving: image that they are mapped to.
        inverse: invert the whole chain.

    Raises:
        ValueError: a step has no inverse.
    """
    if inverse:
        steps = [step.reversed() for step in reversed(steps)]
    found = []
    for k, step in enumerate(steps):
        way = step.transform
        if step.inverse and all(part.IsLinear() for part in parts(way)):
            way = way.GetInverse()
        elif step.inverse:
            last = k == len(steps) - 1
            way = inverse_transform(way, moving if last else _domain(way, reference))
        found.append(way)
    return compose(found)


def _domain(transform: sitk.Transform, otherwise: sitk.Image) -> sitk.Image:
    """Return an empty image on the grid of a transform's field."""
    for part in parts(transform):
        if part.GetTransformEnum() == sitk.sitkDisplacementField:
            field = sitk.DisplacementFieldTransform(part).GetDisplacementField()
            return sitk.VectorIndexSelectionCast(field, 0)
    return otherwise


def convert(
    transform: Transforms,
    out: str | Path,
    reference: images.Source | None = None,
    moving: images.Source | None = None,
    overwrite: bool = False,
) -> None:
    """Write transforms as one, in the format that a file's suffix says.

    Args:
        transform: as of `apply_to_image`.
        out: .h5, .tfm, .txt (ITK, ANTs, Slicer), .mat (ANTs' affine), .lta (FreeSurfer), or an
            image of displacements in mm (.nii.gz, .mha, .nrrd: ANTs, ITK).
        reference: fixed image: its grid for displacements; needed too for FSL's matrices, and to
            invert nonlinear transforms.
        moving: moving image, likewise.
        overwrite: replace what is there.

    Raises:
        ValueError: for bad input, or a format that cannot hold the transform.
    """
    out = Path(out)
    check_writable(out, overwrite)
    files = [Path(each) if isinstance(each, (str, Path)) else None for each in (reference, moving)]
    steps = read_steps(transform, *files)
    grid = (
        None
        if reference is None
        else images.read(reference, "reference", series=True, flat=True).image
    )
    end = grid if moving is None else images.read(moving, "moving", series=True, flat=True).image
    curved = [s for s in steps if s.inverse and not all(p.IsLinear() for p in parts(s.transform))]
    if curved and (grid is None or end is None):
        raise ValueError(
            f"{curved[0].file} is curved: to undo it, give `--reference` and `--moving`, between "
            "which it goes."
        )
    write_transform(one_transform(steps, grid, end), out, grid)  # type: ignore[arg-type]
