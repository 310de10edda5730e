"""Upright heads: a rigid motion that brings brain structures to their mean positions.

Heads are tilted in the scanner by up to twenty degrees; published networks for deformable
registration get heads that were rigidly aligned before.
"""

import numpy as np
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from mmzoo.spatial.frames import RAS_TO_LPS

# Centroids of structures by FreeSurfer's ids, RAS millimetres from their mean: average of the
# sixteen maps of the SynthSeg repository, aligned to it (Procrustes), left and right averaged.
_SIDES = {
    (10, 49): (12.4, -0.5, 10.2),  # thalamus, left and right
    (12, 51): (25.6, 17.8, 8.3),  # putamen
    (11, 50): (15.1, 23.8, 18.4),  # caudate
    (17, 53): (24.7, -0.8, -8.0),  # hippocampus
    (8, 47): (22.5, -34.7, -35.4),  # cerebellar cortex
    (3, 42): (30.3, -2.6, 18.7),  # cortex
}
MIDDLES_MM = {16: (0.0, -5.9, -24.3)}  # brain stem
for (_left, _right), (_x, _y, _z) in _SIDES.items():
    MIDDLES_MM |= {_left: (-_x, _y, _z), _right: (_x, _y, _z)}

FEWEST = 3
LPS = RAS_TO_LPS[:3, :3]


def upright(labels: sitk.Image) -> tuple[sitk.Image, float]:
    """Return a label map turned upright, on 1 mm voxels that hold all of it, nearest voxels.

    Args:
        labels: FreeSurfer's ids, axes nearest to RAS.

    Returns:
        The label map, its origin in the middle of the brain; and by how many degrees it was turned.
        Unchanged, and 0, where fewer than three of the structures are present.
    """
    middles = _middles(labels)
    if len(middles) < FEWEST:
        return labels, 0.0
    there = np.array(list(middles.values()))
    target = np.array([MIDDLES_MM[value] for value in middles]) @ LPS
    centre, aim = there.mean(axis=0), target.mean(axis=0)
    turn, _ = Rotation.align_vectors(target - aim, there - centre)
    # From points of the upright head to the original one.
    back = sitk.AffineTransform(3)
    back.SetMatrix(turn.inv().as_matrix().ravel().tolist())
    back.SetTranslation((centre - turn.inv().apply(aim)).tolist())
    grid = _grid(labels, back)
    turned = sitk.Resample(labels, grid, back, sitk.sitkNearestNeighbor, 0)
    return turned, float(np.degrees(turn.magnitude()))


def _middles(labels: sitk.Image) -> dict[int, np.ndarray]:
    """Return the centroids of the structures that are present, LPS mm."""
    shapes = sitk.LabelShapeStatisticsImageFilter()
    shapes.Execute(labels)
    return {
        value: np.array(shapes.GetCentroid(value)) for value in MIDDLES_MM if shapes.HasLabel(value)
    }


def _grid(labels: sitk.Image, back: sitk.AffineTransform) -> sitk.Image:
    """Return a grid of 1 mm along RAS that holds all of a volume after it was turned."""
    forth = back.GetInverse()
    ends = [np.array(pick) * (np.array(labels.GetSize()) - 1) for pick in np.ndindex(2, 2, 2)]
    corners = np.array(
        [forth.TransformPoint(labels.TransformIndexToPhysicalPoint(end.tolist())) for end in ends]
    )
    low, high = np.sort([(corners @ LPS).min(axis=0), (corners @ LPS).max(axis=0)], axis=0)
    grid = sitk.Image([int(n) for n in np.ceil(high - low) + 1], sitk.sitkUInt8)
    grid.SetDirection(LPS.ravel().tolist())
    grid.SetOrigin((LPS @ low).tolist())
    return grid
