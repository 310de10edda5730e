"""Fields and figures as the Learn2Reg challenge has them: disp_FFFF_MMMM.nii.gz, metrics.json.

FFFF and MMMM are the numbers of the fixed and the moving case. The file has the fixed file's own
voxel grid, (X, Y, Z, 3), float32: u, in voxels of the moving file's array, so that the challenge
samples the moving array at x + u(x) (learn2reg.grand-challenge.org, Submission). If the modality
numbers at the end of the file names are neither equal nor 0000 and 0001, they are in the name too:
disp_FFFF_0001_MMMM_0000.nii.gz (github.com/MDL-UzL/L2R, evaluation/evaluation.py).
"""

import re
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk

from mmzoo.evaluation.prediction import PredictionFolder, open_prediction
from mmzoo.io.atomic import whole_file
from mmzoo.io.nifti import place, read_array
from mmzoo.io.transforms import read_steps
from mmzoo.registration.chain import one_transform
from mmzoo.registration.learn2reg_figures import (
    METRICS,
    ChallengeCase,
    Grid,
    case_figures,
    write_figures,
)
from mmzoo.registration.output import REPORT, TRANSFORM
from mmzoo.registration.quality import read_report
from mmzoo.registration.truth import Truth, known_truth
from mmzoo.spatial.frames import RAS_TO_LPS

NUMBERS = re.compile(r"_(\d{4})(?:_(\d{4}))?(?=_|\.|$)")


def write_learn2reg(
    run: Path,
    out: Path,
    truth: Truth | None = None,
    mask: Path | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Write the fields of registrations, or of a prediction's pairs, and the challenge's figures.

    Args:
        run: folder of `mmzoo register`, of one pair or of many, or a prediction.
        out: folder to write into.
        truth: labels and landmarks of one registration. What is not given is taken from its report;
            those of a prediction lie in its folder.
        mask: of one registration: voxels of the fixed image where the Jacobian counts.
        overwrite: replace files of these names.

    Returns:
        The files, `metrics.json` last.

    Raises:
        ValueError: names without a number, files that are missing, or there already.
    """
    folders = (
        [run] if (run / REPORT).is_file() else sorted(p.parent for p in run.glob(f"*/{REPORT}"))
    )
    if len(folders) != 1 and (truth or mask):
        raise ValueError("labels, landmarks and a mask go with one registration; leave them out.")
    if folders:
        given = truth or Truth()
        found = [_registered(folder, out, given, mask) for folder in folders]
    else:
        found = _predicted(open_prediction(run), out)
    paths = [case.path for case, _ in found]
    if len(set(paths)) < len(paths):
        raise ValueError(f"{run} has two pairs of the same numbers; the files would be one.")
    for path in (*paths, out / METRICS):
        if path.exists() and not overwrite:
            raise ValueError(f"{path} is there already; give another folder, or --overwrite.")
    out.mkdir(parents=True, exist_ok=True)
    figures = {}
    for case, make in found:
        field = make()
        figures[case.name] = case_figures(case, field)
        _write(case.path, field, case.grids[0][1])
    return [*paths, write_figures(figures, out)]


def _registered(folder: Path, out: Path, truth: Truth, mask: Path | None):
    """Return the case of a registration, and the function that computes its field."""
    report = read_report(folder)
    files = report.get("files", {})
    if not {"fixed", "moving"} <= set(files):
        raise ValueError(f"{folder / REPORT} does not name its images; register files.")
    images = [Path(files[name]) for name in ("fixed", "moving")]
    grids = tuple(_grid(path) for path in images)
    truth = known_truth(report, truth)
    labels, points = (
        (getattr(truth, f"fixed_{kind}"), getattr(truth, f"moving_{kind}"))
        for kind in ("label", "points")
    )
    case = ChallengeCase(
        **_named(images[0].name, images[1].name, out),
        grids=grids,
        labels={} if None in labels else {"": labels},
        points=None if None in points else points,
        frame=truth.frame,
        mask=mask,
    )
    transform = one_transform(read_steps(folder / TRANSFORM), *(sitk.Image(),) * 2)
    return case, partial(array_displacement, transform, *grids[0], grids[1][1])


def _predicted(prediction: PredictionFolder, out: Path) -> list:
    """Return the case of each pair, and the function that computes its field."""
    found = []
    for pair in prediction.pairs:
        images = [pair.folder / f"{side}_image.nii.gz" for side in ("fixed", "moving")]
        labels = {
            name: (folder / "fixed_label.nii.gz", folder / "moving_label.nii.gz")
            for name, folder in zip(prediction.structures, pair.label_folders, strict=True)
        }
        case = ChallengeCase(
            **_named(pair.fixed_name, pair.moving_name, out),
            grids=tuple(_grid(path) for path in images),
            labels=labels,
        )
        found.append((case, partial(_stored, pair.folder / "ddf.nii.gz")))
    return found


def _stored(path: Path) -> np.ndarray:
    return read_array(path)[0]


def _grid(path: Path) -> Grid:
    if not (path.is_file() and path.name.endswith((".nii", ".nii.gz"))):
        raise ValueError(f"{path} must be there, as the NIfTI file that was registered.")
    header = nib.load(path).header
    return header.get_data_shape()[:3], place(header, path)[0]


def _named(fixed: str, moving: str, out: Path) -> dict:
    """Return the challenge's name of a pair, and the file of its field."""
    (first, own), (second, other) = case_numbers(fixed), case_numbers(moving)
    short = own == other or (own, other) == ("0000", "0001") or not (own and other)
    file = f"disp_{first}_{second}" if short else f"disp_{first}_{own}_{second}_{other}"
    sides = (f"{first}_{own}".strip("_"), f"{second}_{other}".strip("_"))
    return {"name": "<--".join(sides), "path": out / f"{file}.nii.gz"}


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
        (*shape, 3), float32, voxels: moving(x + u(x)) corresponds to fixed(x).
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


def case_numbers(name: str) -> tuple[str, str]:
    """Return the numbers of case and modality in a file's name, TASK_0001_0000; "" for no second.

    Raises:
        ValueError: it has none.
    """
    found = NUMBERS.search(name)
    if not found:
        raise ValueError(
            f"{name!r} has no number of four digits as the challenge's files have, such as "
            "AbdomenCTCT_0001_0000.nii.gz; give your files such names."
        )
    return found[1], found[2] or ""


def _write(path: Path, field: np.ndarray, affine: np.ndarray) -> None:
    with whole_file(path) as unfinished:
        nib.save(nib.Nifti1Image(field, affine), unfinished)
