"""Real templates of several modalities in one space, and T1 and PD of one person (MMZOO_REAL_DATA).

A known deformation is put on the fixed image, a turn and a shift on the moving one's header. The
truth is known up to how far the two lay apart before: templates by how they differ, T1 and PD of
one person by how well a rigid registration brings them together.
"""

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from benchmarks.registration.brains import (
    apply_turn,
    at_points,
    middle,
    move_header,
    plain,
    points_of,
    turn_of,
)
from benchmarks.registration.pair import BenchmarkPair, displacement_from
from mmzoo.io.images import read_image, read_labels
from mmzoo.io.paths import select
from mmzoo.phantoms.fields import SplineDeformation

FILES = {
    "T1": "single_subj_T1.nii.gz",
    "FLAIR": "gg-flair-181-asym-8mmFWHM.nii.gz",
    "SPECT": "SPECT.nii.gz",
    "transmission": "Transm.nii.gz",
}
STRUCTURES = {  # Neuromorphometrics' ids
    "brain stem": (35,),
    "thalamus": (59, 60),
    "caudate": (36, 37),
    "putamen": (57, 58),
    "pallidum": (55, 56),
    "lateral ventricles": (51, 52),
    "hippocampus": (47, 48),
    "white matter": (44, 45),
    "cerebellum": (38, 39, 71, 72, 73),
}
SPACING_MM, SIZE_MM = (30.0, 40.0), (4.0, 5.0)  # of the deformations, by index


def template(folder: Path, name: str) -> sitk.Image:
    """Return a template on the grid of the T1, which all share whatever their headers say."""
    first = read_image(folder / FILES["T1"], "T1").image
    # Where two of its headers disagree, the array is as the sform says.
    image = read_image(select(folder / FILES[name], "sform"), name).image
    found = sitk.GetImageFromArray(sitk.GetArrayFromImage(image))
    found.CopyInformation(first)
    return found


def template_pair(folder: Path, name: str, index: int, seed: int) -> BenchmarkPair:
    """Return the T1 to be moved onto a template that was deformed by a known field."""
    rng = np.random.default_rng([seed, index, len(name)])
    fixed, moving = template(folder, name), template(folder, "T1")
    labels = read_labels(folder / "labels_Neuromorphometrics.nii.gz").image
    return deformed(rng, index, "templates", f"T1 to {name}, {index}", fixed, moving, labels)


def t1_pd_pair(folder: Path, index: int, seed: int, still: bool = False) -> BenchmarkPair:
    """Return T1 and PD of one person, brought together rigidly, the PD deformed if not `still`."""
    from mmzoo.registration.frame import ImagePair
    from mmzoo.registration.linear import register_linear
    from mmzoo.spatial.frames import matrix_of

    rng = np.random.default_rng([seed, index, 99])
    fixed = read_image(folder / "chris_PD.nii.gz", "PD").image
    moving = read_image(folder / "chris_t1.nii.gz", "T1").image
    back = matrix_of(register_linear(ImagePair(fixed, moving), "rigid")[0].GetInverse())
    rigid = sitk.Euler3DTransform()
    rigid.SetMatrix(back[:3, :3].ravel().tolist(), 1e-5)
    rigid.SetTranslation(back[:3, 3].tolist())
    move_header(moving, rigid)
    name = "T1 to PD, as they are" if still else f"T1 to PD, {index}"
    return deformed(rng, index, "T1 and PD", name, fixed, moving, None, still)


def deformed(
    rng, index: int, group: str, name: str, fixed, moving, labels, still: bool = False
) -> BenchmarkPair:
    """Return a pair that lay together, the fixed image deformed and the moving one turned."""
    size = 0.0 if still else SIZE_MM[index % 2]
    bend = SplineDeformation(rng, middle(fixed), 260.0, SPACING_MM[index % 2], size)
    points = points_of(fixed)
    goal = bend(points)
    bent = plain(at_points(fixed, goal, sitk.sitkLinear).astype(np.float32), fixed)
    if labels is None:
        labels = sitk.Cast(sitk.OtsuThreshold(moving, 0, 1), sitk.sitkUInt8)
        mask = sitk.Cast(sitk.OtsuThreshold(bent, 0, 1), sitk.sitkUInt8)
        fixed_labels = sitk.Resample(labels, fixed, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
        fixed_labels = plain(at_points(fixed_labels, goal, sitk.sitkNearestNeighbor), fixed)
    else:
        values = _structures(at_points(labels, goal, sitk.sitkNearestNeighbor, outside=0))
        fixed_labels = plain(values, fixed)
        brain = at_points(labels, goal, sitk.sitkNearestNeighbor, outside=0) > 0
        mask = plain(brain.astype(np.uint8), fixed)
        structures = sitk.GetImageFromArray(_structures(sitk.GetArrayFromImage(labels)))
        structures.CopyInformation(labels)
        labels = structures
    turn = turn_of(rng, middle(moving), still)
    truth = displacement_from(apply_turn(turn, goal) - points, bent)
    moving, labels = sitk.Image(moving), sitk.Image(labels)
    for image in (moving, labels):
        move_header(image, turn)
    return BenchmarkPair(group, name, bent, moving, fixed_labels, labels, truth, mask)


def _structures(values: np.ndarray) -> np.ndarray:
    found = np.zeros(values.shape, np.uint8)
    for index, ids in enumerate(STRUCTURES.values(), start=1):
        found[np.isin(values, ids)] = index
    return found
