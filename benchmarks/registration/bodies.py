"""A CT of CHAOS (MMZOO_REAL_DATA), deformed, onto itself: what a follow-up scan is, truth known."""

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
from mmzoo.datasets.sets.chaos import SET
from mmzoo.phantoms.fields import SplineDeformation
from mmzoo.spatial.geometry import make_grid

SPACING_MM = 2.5  # of both images
NOISE_HU = 15.0  # drawn anew for each, so that no image matches the other's noise
AIR_HU = -1024.0
BODY_HU = -300.0
SPACING_OF_BEND_MM, SIZE_MM = (50.0, 35.0), (8.0, 6.0)  # by index


def ct_pair(folder: Path, index: int, seed: int, still: bool = False) -> BenchmarkPair:
    """Return the CT to be moved onto itself, deformed by a known field; the liver is the label.

    Args:
        folder: of the case, with DICOM_anon/ and Ground/.
        index: which deformation.
        seed: of deformation, position and noise.
        still: without deformation, in its own position.
    """
    rng = np.random.default_rng([seed, index, 5])
    (scan,) = SET().find(folder)
    volume = SET().read(scan)
    image, labels = volume.image, volume.label_map()
    size = np.array(image.GetSize())
    shape = np.floor(size * image.GetSpacing() / SPACING_MM).astype(int)
    grid = make_grid(image, np.full(3, -0.5), size - 0.5, shape)
    extent = float(max(size * image.GetSpacing()))
    length = 0.0 if still else SIZE_MM[index % 2]
    bend = SplineDeformation(rng, middle(image), extent, SPACING_OF_BEND_MM[index % 2], length)
    points = points_of(grid)
    goal = bend(points)
    smooth = sitk.SmoothingRecursiveGaussian(sitk.Cast(image, sitk.sitkFloat32), 0.4 * SPACING_MM)
    scans, maps = [], []
    for at in (goal, points):
        values = at_points(smooth, at, sitk.sitkLinear, outside=AIR_HU)
        noisy = values + rng.normal(0, NOISE_HU, values.shape) * (values > AIR_HU + 100)
        scans.append(plain(noisy.astype(np.float32), grid))
        livers = at_points(labels, at, sitk.sitkNearestNeighbor, outside=0)
        maps.append(plain(livers.astype(np.uint8), grid))
    known = at_points(smooth, goal, sitk.sitkLinear, outside=AIR_HU) > BODY_HU
    turn = turn_of(rng, middle(scans[1]), still)
    truth = displacement_from(apply_turn(turn, goal) - points, scans[0])
    for each in (scans[1], maps[1]):
        move_header(each, turn)
    mask = plain(known.astype(np.uint8), scans[0])
    name = "CT to itself, " + ("as it is" if still else str(index))
    return BenchmarkPair("CT", name, *(scans[0], scans[1], maps[0], maps[1]), truth, mask)
