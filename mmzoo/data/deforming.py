"""Known deformations of images that lie on their partners already, as Deform-GAN's were made."""

import numpy as np
from scipy.ndimage import map_coordinates

from mmzoo.data import motion
from mmzoo.data.brain_motion import draw_motion
from mmzoo.data.grid import Grid

STEP_MM = 10.0


def deform(image: np.ndarray, labels: np.ndarray | None, spacing_mm, seed: int, size_mm: float):
    """Deform an image and its labels smoothly and without folds.

    Args:
        image: (dim1, dim2, dim3).
        labels: (dim1, dim2, dim3, num_labels) binary, or None.
        spacing_mm: voxel size.
        seed: of the deformation.
        size_mm: largest displacement within the volume; 80 to 100 % of it is drawn.

    Returns:
        The two as they were given, deformed (image linear, labels nearest, its smallest value and
        none from outside), and the field that undoes it: (dim1, dim2, dim3, 3) in voxels,
        image(x) = deformed(x + ddf(x)), NaN in the background (the smallest value) and where x + ddf(x)
        leaves the volume.
    """
    grid = Grid.centred((0, 0, 0), spacing_mm, image.shape)
    edges = np.array(image.shape) * spacing_mm
    coarse = np.maximum(2, edges // STEP_MM).astype(int)
    inner = Grid.centred((0, 0, 0), edges / coarse, coarse).points().reshape(-1, 3)
    share = np.random.default_rng(seed).uniform(0.8, 1.0)
    moves = draw_motion(seed, share * size_mm, inner)
    points = moves(grid.points().astype(np.float64))
    index = np.moveaxis((points - grid.origin_mm) / grid.spacing_mm, -1, 0)
    lowest = float(image.min())
    moved = map_coordinates(image, index, order=1, mode="constant", cval=lowest)
    if labels is not None:
        channels = [map_coordinates(labels[..., k], index, order=0) for k in range(labels.shape[3])]
        labels = np.stack(channels, axis=-1)
    ddf = motion.true_field(moves, grid, image > lowest)
    return moved.astype(np.float32), labels, ddf

