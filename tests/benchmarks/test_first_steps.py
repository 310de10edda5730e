"""No method of the zoo throws its field far off before it has learnt anything."""

import numpy as np
import pytest

from benchmarks.first_steps import CONFIGS, mean_lengths, methods, smooth_images

pytestmark = pytest.mark.slow
SIZE = (32, 32, 32)
FAR = 0.1 * SIZE[0]  # voxels
NIGHT = CONFIGS / "scale" / "night.yaml"
# De Vos' U-Net as printed: VoxelMorph's without normalisation, Adam at 1e-3.
FAR_AS_PRINTED = ("unet_ncc", "unet_nmi")
SHORT = ("mmregnet", "unet_nmi")  # one that was made to stay near, one that does not
METHODS = [
    pytest.param(path, marks=[] if path.stem in SHORT else pytest.mark.long, id=path.stem)
    for path in methods()
]


@pytest.mark.parametrize("path", METHODS)
def test_the_first_five_steps_move_a_small_share_of_the_image(path):
    lengths = mean_lengths([path, NIGHT], SIZE)
    assert max(lengths) > 0
    assert (max(lengths) > FAR) == (path.stem in FAR_AS_PRINTED), lengths


def test_mmregnet_as_printed_moves_far():
    names = ("mmregnet", "mmregnet_printed")
    lengths = mean_lengths([*(CONFIGS / "mmregnet" / f"{n}.yaml" for n in names), NIGHT], SIZE)
    assert max(lengths) > FAR


def test_the_images_are_in_range_and_reversed():
    pair = smooth_images((1, *SIZE), 0)
    moving, fixed = (np.ravel(pair[f"{role}_image"]) for role in ("moving", "fixed"))
    assert min(moving.min(), fixed.min()) >= 0 and max(moving.max(), fixed.max()) <= 1
    assert np.corrcoef(moving, fixed)[0, 1] < -0.3
