"""The figures of the Learn2Reg challenge, of a field of voxels and of arrays as files store them.

Definitions of the challenge's evaluation (github.com/MDL-UzL/L2R, folder evaluation, read at commit
00106df), in our own words and code. `log_jacobian_std` has its SDlogJ.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from mmzoo.metrics.arrays import check_field, check_same_shape, check_spacing
from mmzoo.metrics.overlap import dice
from mmzoo.metrics.surface import hausdorff_distance, surface_distances


@dataclass(frozen=True)
class LabelFigures:
    """What the challenge says of label maps, by label; NaN where one map lacks the label.

    Attributes:
        dice: in [0, 1].
        hd95: voxels, not mm; infinity where the field takes the whole label out of the image.
    """

    dice: dict[int, float]
    hd95: dict[int, float]


def label_figures(
    ddf: np.ndarray, fixed: np.ndarray, moving: np.ndarray, labels: Iterable[int] | None = None
) -> LabelFigures:
    """Compare a label map with another that a field carries to it.

    The moving map is sampled at the nearest voxel of x + u(x), and is 0 beyond the centres of its
    outermost voxels. A label that one of the maps lacks before that counts nowhere. Distances take
    every voxel for a cube of edge 1.

    Args:
        ddf: u, (dim1, dim2, dim3, 3), voxels of the moving array.
        fixed: label map, (dim1, dim2, dim3).
        moving: label map, (m_dim1, m_dim2, m_dim3).
        labels: values to compare; all of either map but 0 if None.

    Returns:
        The figures of each label.

    Raises:
        ValueError: the shapes do not fit, or the field is not finite.
    """
    ddf = check_field("ddf", ddf)
    check_same_shape("fixed", fixed, "one component of ddf", ddf[..., 0])
    where = np.indices(ddf.shape[:-1]) + np.moveaxis(ddf, -1, 0)
    warped = map_coordinates(moving, where, order=0)
    present = [set(np.unique(each).tolist()) - {0} for each in (fixed, moving)]
    overlap, far = {}, {}
    for label in sorted(present[0] | present[1]) if labels is None else labels:
        overlap[int(label)] = far[int(label)] = math.nan
        if all(label in each for each in present):
            masks = fixed == label, warped == label
            overlap[int(label)] = dice(*masks)
            found = surface_distances(*masks, spacing_mm=(1,) * fixed.ndim)
            far[int(label)] = hausdorff_distance(found)
    return LabelFigures(overlap, far)


def landmark_distances(
    ddf: np.ndarray, fixed: np.ndarray, moving: np.ndarray, *, spacing_mm: Iterable[float]
) -> np.ndarray:
    """Return how far a field takes each landmark from where it should be: TRE, mm.

    |S (x + u(x) - y)|, u between voxels by cubic B-splines, and 0 beyond the outermost voxels'
    centres.

    Args:
        ddf: u, (dim1, dim2, dim3, 3), voxels of the moving array.
        fixed: x, (n, 3), indices into the fixed array.
        moving: y, (n, 3), indices into the moving array.
        spacing_mm: voxel size of the moving array, mm.

    Returns:
        (n,), mm.

    Raises:
        ValueError: the shapes do not fit, or the field is not finite.
    """
    ddf = check_field("ddf", ddf)
    check_same_shape("fixed", fixed, "moving", moving)
    rank = ddf.shape[-1]
    moved = [map_coordinates(ddf[..., k], np.transpose(fixed)) for k in range(rank)]
    apart = fixed + np.stack(moved, axis=-1) - moving
    return np.linalg.norm(apart * check_spacing(tuple(spacing_mm), rank), axis=-1)
