"""Fields as the Learn2Reg challenge takes them: disp_FFFF_MMMM.nii.gz.

FFFF and MMMM are the numbers of the fixed and the moving case. The file has the fixed file's own
voxel grid, (X, Y, Z, 3), float32: u, in voxels of the moving file's array, so that the challenge
samples the moving array at x + u(x) (learn2reg.grand-challenge.org, Submission).
"""

from __future__ import annotations

import re
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk

from mmzoo.evaluation.prediction import open_prediction
from mmzoo.io.atomic import whole_file
from mmzoo.io.nifti import read_array
from mmzoo.io.transforms import read_steps
from mmzoo.registration.apply import one_transform
from mmzoo.registration.output import REPORT, TRANSFORM
from mmzoo.registration.quality import read_report
from mmzoo.spatial.frames import RAS_TO_LPS

NUMBER = re.compile(r"_(\d{4})(?=_|\.|$)")


def write_learn2reg(run: Path, out: Path, overwrite: bool = False) -> list[Path]:
    """Write the fields of a registration, or of each pair of a prediction.

    Args:
        run: folder of `mmzoo register`, or a prediction.
        out: folder to write into.
        overwrite: replace files of these names.

    Returns:
        The files.

    Raises:
        ValueError: names without a number, files that are missing, or there already.
    """
    if (run / REPORT).is_file():
        return [_of_registration(run, out, overwrite)]
    prediction = open_prediction(run)
    named = []
    for pair in prediction.pairs:
        numbers = (case_number(pair.fixed_name), case_number(pair.moving_name))
        named.append((_free(out, numbers, overwrite), pair.folder / "ddf.nii.gz"))
    if len({path for path, _ in named}) < len(named):
        raise ValueError(f"{run} has two pairs of the same numbers; the files would be one.")
    for path, source in named:
        _write(path, *read_array(source))
    return [path for path, _ in named]


def _of_registration(folder: Path, out: Path, overwrite: bool) -> Path:
    files = read_report(folder).get("files", {})
    if not {"fixed", "moving"} <= set(files):
        raise ValueError(f"{folder / REPORT} does not name its images; register files.")
    fixed, moving = (Path(files[name]) for name in ("fixed", "moving"))
    path = _free(out, (case_number(fixed.name), case_number(moving.name)), overwrite)
    grids = []
    for file in (fixed, moving):
        if not (file.is_file() and file.name.endswith((".nii", ".nii.gz"))):
            raise ValueError(f"{file} must be there, as the NIfTI file that was registered.")
        image = nib.load(file)
        grids.append((image.shape[:3], image.affine))
    transform = one_transform(read_steps(folder / TRANSFORM), *(sitk.Image(),) * 2)
    _write(path, array_displacement(transform, *grids[0], grids[1][1]), grids[0][1])
    return path


def array_displacement(
    transform: sitk.Transform, shape: tuple[int, ...], affine: np.ndarray, moving_affine: np.ndarray
) -> np.ndarray:
    """Return a transform as displacement of array indices.

    Args:
        transform: from the fixed to the moving image, LPS mm.
        shape: of the fixed array.
        affine: its voxels to RAS mm, (4, 4).
        moving_affine: that of the moving array.

    Returns:
        (*shape, 3), float32, voxels: moving(x + u(x)) lies on fixed(x).
    """
    to_lps = RAS_TO_LPS @ affine
    grid = np.moveaxis(np.indices(shape, dtype=np.float64), 0, -1)
    points = grid @ to_lps[:3, :3].T + to_lps[:3, 3]
    moved = points + _displacement(transform, shape, to_lps)
    back = np.linalg.inv(RAS_TO_LPS @ moving_affine)
    return (moved @ back[:3, :3].T + back[:3, 3] - grid).astype(np.float32)


def _displacement(transform: sitk.Transform, shape, to_lps: np.ndarray) -> np.ndarray:
    """Return a transform's displacement, LPS mm, at each voxel of an array."""
    spacing = np.linalg.norm(to_lps[:3, :3], axis=0)
    field = sitk.TransformToDisplacementField(
        transform,
        sitk.sitkVectorFloat64,
        [int(n) for n in shape],
        to_lps[:3, 3].tolist(),
        spacing.tolist(),
        (to_lps[:3, :3] / spacing).ravel().tolist(),
    )
    return np.moveaxis(sitk.GetArrayFromImage(field), (0, 1, 2), (2, 1, 0))


def case_number(name: str) -> str:
    """Return the four digits that a file's name has after its first word, as TASK_0001_0000.

    Raises:
        ValueError: it has none.
    """
    found = NUMBER.search(name)
    if not found:
        raise ValueError(
            f"{name!r} has no number of four digits as the challenge's files have, such as "
            "AbdomenCTCT_0001_0000.nii.gz; give your files such names."
        )
    return found[1]


def _free(out: Path, numbers: tuple[str, str], overwrite: bool) -> Path:
    path = out / f"disp_{numbers[0]}_{numbers[1]}.nii.gz"
    if path.exists() and not overwrite:
        raise ValueError(f"{path} is there already; give another folder, or --overwrite.")
    return path


def _write(path: Path, field: np.ndarray, affine: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as partial:
        nib.save(nib.Nifti1Image(field.astype(np.float32), affine), partial)
