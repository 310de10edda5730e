import functools
import sys
import tempfile

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mmzoo.baselines import elastix as tool
from mmzoo.evaluation.scipy_warp import affine_ddf, warp
from mmzoo.io.workers import run_tasks

SHAPE, SPACING = (31, 27, 12), (1.5, 1.6, 6.0)
FEW = {"iterations": 4, "grid_spacing_mm": 24, "pyramid": [[2, 2, 1], 1]}


@pytest.fixture
def itk():
    itk = pytest.importorskip("itk", reason="itk-elastix is not installed")
    if not hasattr(itk, "ElastixRegistrationMethod"):
        pytest.skip("itk-elastix is not installed")
    return itk


def body(shape=SHAPE, spacing=SPACING, seed=0):
    """A textured, soft-edged ellipsoid in mid-field, isotropic in mm, and where it is."""
    size = np.array(shape) * spacing
    places = np.moveaxis(np.indices(shape), 0, -1) * spacing
    inside = np.exp(-((((places - size / 2) / (0.36 * size)) ** 2).sum(-1) ** 3))
    noise = np.random.default_rng(seed).standard_normal(shape)
    texture = gaussian_filter(noise, [4 / step for step in spacing])
    image = inside * (1 + 0.35 * texture / texture.std())
    return image.astype(np.float32), inside > 0.5


def bend(shape=SHAPE, spacing=SPACING):
    """A smooth field in voxels, another one along each axis."""
    x, y, z = np.indices(shape) * np.reshape(spacing, (3, 1, 1, 1))
    parts = (1.6 + np.sin(y / 9), -1.3 + 0.8 * np.cos(z / 14), 0.5 + 0.3 * np.sin((x + y) / 14))
    return np.stack(parts, axis=-1)


# === The field ===


def test_the_field_of_a_known_transform_is_its_in_voxels_with_axes_and_signs(itk):
    matrix = np.array([[1.06, 0.1, 0.02], [-0.07, 0.95, 0.05], [0.03, 0.01, 1.04]])
    shift = np.array([-1.5, 2.0, 7.0])  # mm
    transform = itk.AffineTransform[itk.D, 3].New()
    transform.SetMatrix(itk.matrix_from_array(matrix))
    transform.SetTranslation(shift.tolist())
    image = tool._image(itk, np.zeros(SHAPE), SPACING)
    ddf = tool._dense_field(itk, transform, image)
    voxels = np.eye(4)
    voxels[:3, :3] = matrix * np.array(SPACING) / np.reshape(SPACING, (3, 1))
    voxels[:3, 3] = shift / SPACING
    assert ddf.shape == (*SHAPE, 3) and ddf.dtype == np.float32
    np.testing.assert_allclose(ddf, affine_ddf(voxels, SHAPE), atol=1e-4)


@pytest.mark.parametrize("initial", ["none", "rigid", "affine"])
@pytest.mark.parametrize("moving_shape", [SHAPE, (35, 29, 13)])
def test_the_field_warps_as_elastix_does_all_stages_in_one(itk, monkeypatch, initial, moving_shape):
    given = {}
    original = tool._dense_field

    def spy(itk, transform, fixed):
        given["transform"], given["fixed"] = transform, fixed
        return original(itk, transform, fixed)

    monkeypatch.setattr(tool, "_dense_field", spy)
    moving, fixed = body(moving_shape)[0], body(seed=1)[0]
    settings = {**FEW, "iterations": 10, "initial": initial}
    ddf = tool.register(moving, fixed, settings, SPACING)
    theirs = itk.resample_image_filter(
        tool._image(itk, moving, SPACING),
        transform=given["transform"],
        use_reference_image=True,
        reference_image=given["fixed"],
    )
    inside = (slice(5, -5), slice(5, -5), slice(2, -2))
    expected = itk.array_from_image(theirs).T[inside]
    np.testing.assert_allclose(warp(moving, ddf)[inside], expected, atol=2e-3)
    assert np.abs(ddf).mean() > 0.1


@pytest.mark.parametrize("contrast", [lambda image: image, lambda image: np.sqrt(2.5 - image)])
def test_a_known_smooth_field_is_found_whatever_the_contrast(itk, contrast):
    moving, inside = body()
    truth = bend()
    fixed = contrast(warp(moving, truth))
    settings = {"iterations": 100, "pyramid": [[4, 4, 1], [2, 2, 1], 1]}
    ddf = tool.register(moving, fixed, settings, SPACING)
    error = np.abs(ddf - truth)[inside].mean(axis=0)
    # of displacements of 2.1, 1.8 and 0.6 voxels
    assert (error < [0.6, 0.6, 0.25]).all()


def test_spacing_decides_what_the_grid_means(itk):
    moving, fixed = body()[0], body(seed=1)[0]
    fields = [tool.register(moving, fixed, FEW, spacing) for spacing in (SPACING, (1.5, 1.6, 1.0))]
    assert np.abs(fields[0] - fields[1]).max() > 0.1


def test_with_one_thread_the_same_pair_gives_the_same_field_bit_by_bit(itk):
    register = functools.partial(tool.register, body()[0], body(seed=1)[0], spacing_mm=SPACING)
    (_, first), (_, second) = run_tasks(register, [FEW, FEW], jobs=1)
    np.testing.assert_array_equal(first, second)
    assert np.ptp(first) > 0.1


def test_nothing_is_left_behind(itk, monkeypatch, tmp_path):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.chdir(tmp_path)
    tool.register(body()[0], body(seed=1)[0], FEW, SPACING)
    assert [path.name for path in tmp_path.rglob("*")] == ["temporary"]


# === Settings ===


def test_the_defaults_are_the_papers():
    (stage,) = tool.parameter_maps(tool.ElastixSettings())
    paper = {
        "Metric": ("NormalizedMutualInformation",),
        "NumberOfHistogramBins": ("64",),
        "NumberOfResolutions": ("3",),
        "ImagePyramidSchedule": ("4",) * 3 + ("2",) * 3 + ("1",) * 3,
        "MaximumNumberOfIterations": ("1000",),
        "ImageSampler": ("RandomCoordinate",),
        "NumberOfSpatialSamples": ("4096",),
        "UseRandomSampleRegion": ("true",),
        "Transform": ("BSplineTransform",),
        "FinalGridSpacingInPhysicalUnits": ("16.0",) * 3,
    }
    assert paper.items() <= stage.items()
    assert "SampleRegionSize" not in stage  # elastix's own: a third of the longest edge


def test_settings_reach_elastix_axis_by_axis():
    settings = tool.ElastixSettings(
        pyramid=([4, 4, 1], 2), grid_spacing_mm=[12, 12, 10], sample_region_mm=50, initial="affine"
    )
    stages = tool.parameter_maps(settings)
    names = [stage["Transform"] for stage in stages]
    assert names == [("EulerTransform",), ("AffineTransform",), ("BSplineTransform",)]
    for stage in stages:
        assert stage["ImagePyramidSchedule"] == ("4", "4", "1", "2", "2", "2")
        assert stage["SampleRegionSize"] == ("50",) * 3
    assert stages[-1]["FinalGridSpacingInPhysicalUnits"] == ("12", "12", "10")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"iteration": 5}, "`baseline.settings` is 'iteration': did you mean 'iterations'"),
        ({"metric": "AdvancedMeanSquare"}, "settings.metric` is .*did you mean 'AdvancedMeanSq"),
        ({"initial": "rigit"}, "settings.initial` is 'rigit': did you mean 'rigid'"),
        ({"bins": 6.5}, "settings.bins` must be a whole number of 1 or more, got 6.5"),
        ({"samples": True}, "settings.samples` must be a whole number of 1 or more, got True"),
        ({"iterations": [9, 9]}, r"settings.iterations` must be a whole number .* got \[9, 9\]"),
        ({"grid_spacing_mm": 0}, "settings.grid_spacing_mm` must be a number above 0, got 0"),
        ({"grid_spacing_mm": [8, 8]}, r"settings.grid_spacing_mm` must be .* three .* \[8, 8\]"),
        ({"grid_spacing_mm": "8"}, "settings.grid_spacing_mm` must be a number above 0, got '8'"),
        ({"pyramid": 4}, r"settings.pyramid` must name each resolution, as \[4, 2, 1\], got 4"),
        ({"pyramid": []}, "settings.pyramid` must name each resolution"),
        ({"pyramid": [4, [2, 2]]}, r"settings.pyramid` must be one number, or three .* \[2, 2\]"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        tool.check_settings(settings)


# === What goes wrong ===


def test_a_failure_gives_elastix_own_reason(itk):
    with pytest.raises(RuntimeError, match=r"SampleRegionSize\[ 0 \] = 500 mm, while the fixed"):
        tool.register(body()[0], body()[0], {**FEW, "sample_region_mm": 500}, SPACING)


def test_a_missing_library_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "itk", None)
    with pytest.raises(ValueError, match=r'itk-elastix, .*pip install "mmzoo\[benchmark\]"'):
        tool.check_settings({})


def test_it_lives_beside_ants_in_one_process(itk):
    ants = pytest.importorskip("ants", reason="antspyx is not installed")
    images = [ants.from_numpy(body(seed=seed)[0]) for seed in (0, 1)]
    ants.registration(*images, type_of_transform="Translation")
    ddf = tool.register(body()[0], body(seed=1)[0], FEW, SPACING)
    ants.registration(*images, type_of_transform="Translation")
    assert np.isfinite(ddf).all()
