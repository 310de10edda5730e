"""Warping on voxel grids, for the evaluation alone (SciPy; independent of the zoo's ops)."""

import numpy as np
from scipy.ndimage import map_coordinates

ORDERS = {"linear": 1, "cubic-bspline": 3}  # how `pairs.json` says that images were sampled


def warp(moving: np.ndarray, ddf: np.ndarray, interpolation: str = "linear") -> np.ndarray:
    """Return moving(x + ddf(x)).

    Points outside the moving grid take the value of its nearest voxel.

    Args:
        moving: (m_dim1, m_dim2, m_dim3).
        ddf: (f_dim1, f_dim2, f_dim3, 3), voxels.
        interpolation: one of `ORDERS`.

    Returns:
        (f_dim1, f_dim2, f_dim3), float32.
    """
    points = np.indices(ddf.shape[:-1], dtype=np.float32) + np.moveaxis(ddf, -1, 0)
    order = ORDERS[interpolation]
    return map_coordinates(moving, points, output=np.float32, order=order, mode="nearest")


def warp_label(moving_label: np.ndarray, ddf: np.ndarray) -> np.ndarray:
    """Return the warped mask: linear interpolation of the label, 1 where it reaches 0.5.

    Every stage (before, affine, network) is warped by this function, so none gains from its
    own way of interpolating.

    Args:
        moving_label: (m_dim1, m_dim2, m_dim3), values in [0, 1].
        ddf: (f_dim1, f_dim2, f_dim3, 3), voxels.

    Returns:
        (f_dim1, f_dim2, f_dim3), bool.
    """
    return warp(moving_label, ddf) >= 0.5


def identity_ddf(shape: tuple[int, ...]) -> np.ndarray:
    """Return the field that moves nothing: (*shape, rank) zeros."""
    return np.zeros((*shape, len(shape)), dtype=np.float32)


def affine_ddf(matrix: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the field of an affine transform of voxel indices.

    Args:
        matrix: (4, 4), takes fixed voxel indices to moving voxel indices.
        shape: of the fixed grid.

    Returns:
        (*shape, 3), float32, voxels.
    """
    grid = np.moveaxis(np.indices(shape, dtype=np.float64), 0, -1)
    return (grid @ matrix[:3, :3].T + matrix[:3, 3] - grid).astype(np.float32)
