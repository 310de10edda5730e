"""Known deformations of real images: they make aligned pairs into tests of registration.

As for Deform-GAN's test pairs (Zhang et al. 2020, section 3.1), with the motion model of the brain
phantom: translation, rotation, scaling and elastic deformation without folding. See
``brain_motion``.
"""

import numpy as np
from scipy.ndimage import map_coordinates

from mmzoo.phantoms.motion.brain_motion import random_motion
from mmzoo.phantoms.motion.transforms import Chain, inverse_field
from mmzoo.spatial.grid import Grid

EVERY_MM = 10.0  # between the points at which the size of a motion is measured


def draw_deformation(seed: int, index: int, size_mm: float, shape, spacing_mm) -> Chain:
    """Return a deformation of a pair's moving image; see `deform`.

    Args:
        seed: of the data set.
        index: of the pair.
        size_mm: largest displacement in the volume; the pair gets 80 to 100 % of it.
        shape: (dim1, dim2, dim3).
        spacing_mm: voxel size along each axis.

    Raises:
        ValueError: there is no deformation of this size that does not fold.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, index]))
    edges = np.array(shape) * spacing_mm
    counts = np.maximum(2, (edges / EVERY_MM).astype(int))
    points = Grid.centred((0, 0, 0), edges / counts, counts).points().reshape(-1, 3)
    return random_motion(int(rng.integers(2**32)), size_mm * rng.uniform(0.8, 1.0), points)


def deform(motion: Chain, image: np.ndarray, labels, spacing_mm):
    """Return the deformed moving image, and the displacement field that undoes the deformation.

    Args:
        motion: of points of the deformed image, in mm about the middle of the volume, to points of
            the image as it was.
        image: (dim1, dim2, dim3); edge values are repeated outside.
        labels: (dim1, dim2, dim3, num_labels), binary, or None.
        spacing_mm: voxel size along each axis.

    Returns:
        image and labels, sampled linearly (labels from one half on), and ddf (dim1, dim2, dim3, 3)
        float32 in voxels with image(x) = deformed(x + ddf(x)), NaN where that leaves the grid.
    """
    grid = Grid.centred((0, 0, 0), spacing_mm, image.shape)
    index = (motion(grid.points()) - np.array(grid.origin_mm)) / spacing_mm

    def sample(volume: np.ndarray) -> np.ndarray:
        points = np.moveaxis(index, -1, 0)
        return map_coordinates(volume, points, order=1, mode="nearest", output=np.float32)

    if labels is not None:
        channels = [sample(labels[..., k].astype(np.float32)) for k in range(labels.shape[-1])]
        labels = (np.stack(channels, axis=-1) >= 0.5).astype(labels.dtype)
    return sample(image), labels, inverse_field(motion, grid, np.ones(image.shape, bool))
