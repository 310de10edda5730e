import functools
import os
import tempfile

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mmzoo.baselines import ants as tool
from mmzoo.evaluation.scipy_warp import affine_ddf, warp
from mmzoo.io.workers import run_tasks

SHAPE = (23, 17, 14)
FEW = {"type_of_transform": "SyN", "reg_iterations": [4, 4, 3]}
VOXEL = (1.0, 1.0, 1.0)
INSIDE = (slice(4, -4),) * 3

MATRIX = np.array(
    [[1.06, 0.1, 0.0, -1.5], [-0.07, 0.95, 0.05, 1.0], [0.03, 0.0, 1.04, 0.4], [0, 0, 0, 1]]
)


@pytest.fixture
def ants():
    return pytest.importorskip("ants", reason="antspyx is not installed")


def image(seed=0, shape=SHAPE):
    """A smooth image without any symmetry, values 0..255."""
    volume = gaussian_filter(np.random.default_rng(seed).random(shape), 2.0)
    return (255 * (volume - volume.min()) / np.ptp(volume)).astype(np.float32)


def body(shape=(24, 22, 20)):
    """Three blobs of different size and brightness on nothing, far from symmetrical."""
    grid = np.indices(shape)
    volume = np.zeros(shape)
    for centre, radius, value in (
        ((11, 10, 9), 4.5, 120),
        ((7, 13, 11), 2, 250),
        ((15, 8, 6), 2, 200),
    ):
        distance = sum((grid[i] - centre[i]) ** 2 for i in range(3))
        volume += value * np.exp(-distance / (2 * radius**2))
    return volume.astype(np.float32)


def bend(shape=SHAPE):
    """A smooth field, another one along each axis."""
    x, y, z = np.indices(shape) / 5.0
    return np.stack([np.sin(y), 0.6 * np.cos(z), 0.8 * np.sin(x + y)], axis=-1)


@pytest.mark.parametrize("spacing", [VOXEL, (2.0, 0.5, 3.0)])
def test_the_field_of_known_transforms_is_theirs_with_axes_and_signs(ants, tmp_path, spacing):
    affine = ants.create_ants_transform(
        transform_type="AffineTransform", dimension=3, matrix=MATRIX[:3, :3],
        translation=MATRIX[:3, 3], center=(0, 0, 0),
    )  # fmt: skip
    files = [str(tmp_path / "1Warp.nii.gz"), str(tmp_path / "0GenericAffine.mat")]
    ants.write_transform(affine, files[1])
    field = ants.from_numpy(bend().astype(np.float32), has_components=True, spacing=spacing)
    ants.image_write(field, files[0])
    images = [ants.from_numpy(image(seed), spacing=spacing) for seed in (1, 0)]
    ddf = tool._dense_field(ants, images, files, os.path.join(tmp_path, ""))
    # The last transform of the list moves the image first: points are bent, then taken affinely.
    places = spacing * np.moveaxis(np.indices(SHAPE), 0, -1)
    expected = ((places + bend()) @ MATRIX[:3, :3].T + MATRIX[:3, 3] - places) / spacing
    assert ddf.shape == (*SHAPE, 3) and ddf.dtype == np.float32
    np.testing.assert_allclose(ddf, expected, atol=1e-4)


@pytest.mark.parametrize("moving_shape", [SHAPE, (21, 19, 15)])
def test_the_field_warps_as_ants_does(ants, monkeypatch, moving_shape):
    given = {}
    original = ants.apply_transforms

    def spy(fixed, moving, transforms, **options):
        given["warped"] = original(fixed, moving, transforms).numpy()
        given["transforms"] = [os.path.basename(path) for path in transforms]
        return original(fixed, moving, transforms, **options)

    monkeypatch.setattr(ants, "apply_transforms", spy)
    moving = image(0, moving_shape)
    fixed = warp(moving, bend() + affine_ddf(MATRIX, SHAPE))
    ddf = tool.register(moving, fixed, FEW, (2.0, 1.5, 1.0))
    assert given["transforms"] == ["1Warp.nii.gz", "0GenericAffine.mat"]
    np.testing.assert_allclose(warp(moving, ddf)[INSIDE], given["warped"][INSIDE], atol=0.05)
    assert np.ptp(given["warped"][INSIDE]) > 50  # of a picture, not of nothing


def test_a_known_affine_map_is_found(ants):
    moving = body()
    truth = affine_ddf(MATRIX, moving.shape)
    fixed = warp(moving, truth)
    settings = {
        "type_of_transform": "Affine",
        "aff_metric": "GC",
        "aff_iterations": [200, 100],
        "aff_shrink_factors": [2, 1],  # ANTs' own would leave 6 x 5 x 5 voxels
        "aff_smoothing_sigmas": [1, 0],
        "aff_random_sampling_rate": 1.0,
    }
    ddf = tool.register(moving, fixed, settings, VOXEL)
    assert np.abs(ddf - truth)[INSIDE].mean() < 0.2
    assert np.abs(truth)[INSIDE].mean() > 0.6


def test_syn_undoes_a_smooth_deformation(ants):
    moving = body()
    fixed = warp(moving, bend(moving.shape))
    settings = {"type_of_transform": "SyNOnly", "syn_metric": "CC", "syn_sampling": 2}
    ddf = tool.register(moving, fixed, {**settings, "reg_iterations": [40, 40]}, VOXEL)
    assert np.abs(warp(moving, ddf) - fixed).mean() < 0.35 * np.abs(moving - fixed).mean()


def test_with_one_thread_the_same_pair_gives_the_same_field_bit_by_bit(ants):
    register = functools.partial(tool.register, image(0), image(1), spacing_mm=VOXEL)
    (_, first), (_, second) = run_tasks(register, [FEW, FEW], jobs=2)
    np.testing.assert_array_equal(first, second)
    assert np.ptp(first) > 1


def test_lists_of_settings_count_as_tuples(ants, monkeypatch):
    given = {}
    original = ants.registration

    @functools.wraps(original)
    def spy(*images, **arguments):
        given.update(arguments)
        return original(*images, **arguments)

    monkeypatch.setattr(ants, "registration", spy)
    tool.register(image(0), image(1), {**FEW, "aff_iterations": [3, 2, 1, 0]}, VOXEL)
    assert given["reg_iterations"] == (4, 4, 3) and given["aff_iterations"] == (3, 2, 1, 0)


@pytest.mark.parametrize("seed", [None, "7"])
def test_nothing_is_left_behind(ants, monkeypatch, tmp_path, seed):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("ANTS_RANDOM_SEED", raising=False)
    if seed is not None:
        monkeypatch.setenv("ANTS_RANDOM_SEED", seed)
    tool.register(image(0), image(1), FEW, VOXEL)
    assert list(tmp_path.iterdir()) == []
    assert os.environ.get("ANTS_RANDOM_SEED") == seed


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("reg_iteration", "`baseline.settings` is 'reg_iteration': did you mean 'reg_iterations'"),
        ("outprefix", "`baseline.settings` is 'outprefix'"),
    ],
)
def test_settings_that_ants_would_ignore_or_that_are_ours_are_refused(ants, name, message):
    with pytest.raises(ValueError, match=message):
        tool.check_settings({"type_of_transform": "SyN", name: 1})


def test_an_unknown_transform_is_named(ants):
    with pytest.raises(ValueError, match="SyNN"):
        tool.register(image(0), image(1), {"type_of_transform": "SyNN"}, VOXEL)


def test_a_missing_library_says_how_to_install_it(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "ants", None)
    with pytest.raises(ValueError, match=r'pip install "mmzoo\[benchmark\]"'):
        tool.check_settings({})
