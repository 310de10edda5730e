"""The Learn2Reg challenge's figures, beside those of the challenge's own program on the same files.

`CHALLENGE` holds what `evaluation.py` (commit e7eccac) with its `utils.py` (commit 8847509) of
github.com/MDL-UzL/L2R, folder evaluation, said of files with what `drawn` draws.
"""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from mmzoo.metrics import label_figures, landmark_distances, log_jacobian_std

SHAPES = {  # of the fixed and of the moving array
    1: ((23, 17, 20), (19, 21, 22)),
    2: ((14, 25, 19), (14, 25, 19)),
    3: ((31, 16, 13), (18, 15, 27)),
}
SPACING = (1.5, 2.0, 2.75)  # of the moving array, mm; float32 has each exactly
LABELS = (1, 2, 3, 4, 5)  # 4 is one voxel, 5 in no map
NONE, FAR = math.nan, math.inf
CHALLENGE = {
    1: {
        "LogJacDetStd": 1.244812,
        "in the mask": 1.204379,
        "DSC": [0.405145, 0.022917, 0.129374, 0.0, NONE],
        "HD95": [4.898979, 12.688578, 7.348469, FAR, NONE],
        "TRE": [47.592195, 19.639315, 27.496359, 31.032958, 16.312187, 20.440594],
    },
    2: {
        "LogJacDetStd": 0.856663,
        "in the mask": 0.778494,
        "DSC": [0.246696, 0.083958, 0.0, 0.0, NONE],
        "HD95": [6.0, 9.273618, 9.899495, FAR, NONE],
        "TRE": [20.389133, 40.559312, 34.748076, 41.732525, 33.210691, 16.66109],
    },
    3: {
        "LogJacDetStd": 1.526529,
        "in the mask": 1.093011,
        "DSC": [0.006645, 0.222566, 0.349951, 0.0, NONE],
        "HD95": [11.874342, 5.0, 8.062258, FAR, NONE],
        "TRE": [23.511175, 42.298691, 16.536115, 5.352596, 43.792766, 30.986803],
    },
}


def drawn(case: int) -> SimpleNamespace:
    """A field that folds in places, two label maps, a mask, landmarks; of random numbers alone."""
    random = np.random.default_rng(case)
    shape, other = SHAPES[case]
    corner = [[-0.3, 2, 3]]  # beyond the centres of the outermost voxels
    return SimpleNamespace(
        ddf=waves(random, shape, np.array(other) / shape - 1).astype(np.float32),
        fixed=blobs(random, shape),
        moving=blobs(random, other),
        mask=random.random(shape) < 0.5,
        fixed_points=np.concatenate([corner, random.random((5, 3)) * (np.array(shape) - 1)]),
        moving_points=random.random((6, 3)) * (np.array(other) - 1),
    )


def waves(random, shape, stretch) -> np.ndarray:
    """Displacements of voxels: a stretch, and waves along all axes."""
    grid = np.indices(shape, dtype=float)
    field = grid * np.reshape(stretch, (3, 1, 1, 1))
    for component in field:
        for _ in range(3):
            along = random.random(3) * 0.8
            component += (0.7 + random.random()) * np.sin(
                np.tensordot(along, grid, 1) + 6 * random.random()
            )
    return np.moveaxis(field, 0, -1)


def blobs(random, shape) -> np.ndarray:
    """Labels 1 to 3 in ellipsoids, which the border cuts off in places; 4 in a corner."""
    places = (np.indices(shape).T + 0.5) / shape
    labels = np.zeros(shape, np.uint8)
    for label in (3, 1, 2):
        centre, radius = 0.2 + 0.6 * random.random(3), 0.15 + 0.2 * random.random(3)
        labels[(((places - centre) / radius) ** 2).sum(-1).T < 1] = label
    labels[0, 0, 0] = 4
    return labels


@pytest.mark.parametrize("case", SHAPES)
def test_figures_are_those_of_the_challenge_s_own_program(case):
    given, wanted = drawn(case), CHALLENGE[case]
    found = label_figures(given.ddf, given.fixed, given.moving, LABELS)
    assert list(found.dice.values()) == pytest.approx(wanted["DSC"], abs=1e-4, nan_ok=True)
    assert list(found.hd95.values()) == pytest.approx(wanted["HD95"], abs=1e-4, nan_ok=True)
    points = given.fixed_points, given.moving_points
    apart = landmark_distances(given.ddf, *points, spacing_mm=SPACING)
    assert apart.tolist() == pytest.approx(wanted["TRE"], abs=1e-4)
    for name, mask in (("LogJacDetStd", None), ("in the mask", given.mask)):
        assert log_jacobian_std(given.ddf, mask) == pytest.approx(wanted[name], abs=1e-4)
