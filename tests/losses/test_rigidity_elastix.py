"""The penalty against elastix's TransformRigidityPenalty, which it logs at each iteration.

elastix moves a B-spline towards pairs of points that are scaled and sheared; the penalty, with
weight 0, is only read. elastix takes the spline's derivatives at its control points; here the
spline is sampled finely, with the mask at the control points alone.
"""

import re

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.losses import rigidity

itk = pytest.importorskip("itk", reason="itk-elastix comes with mmzoo[benchmark]")

SIZE, BETWEEN, ITERATION, FINE = 24, 4.0, 4, 0.25
MAPPING = np.array([[1.15, 0.1, 0.0], [0.0, 0.9, -0.12], [0.05, 0.0, 1.05]])
INSIDE = slice(3, 6)  # control points whose rigidity coefficient is 1
PARAMETERS = {
    "Registration": "MultiMetricMultiResolutionRegistration",
    "FixedImagePyramid": "FixedSmoothingImagePyramid",
    "MovingImagePyramid": "MovingSmoothingImagePyramid",
    "NumberOfResolutions": "1",
    "Transform": "BSplineTransform",
    "FinalGridSpacingInPhysicalUnits": str(BETWEEN),
    "Metric": ("TransformRigidityPenalty", "CorrespondingPointsEuclideanDistanceMetric"),
    "Metric0Weight": "0.0",
    "Metric1Weight": "1.0",
    "UseFixedRigidityImage": "true",
    "UseMovingRigidityImage": "false",
    "DilateRigidityImages": "false",
    "Optimizer": "RegularStepGradientDescent",
    "MaximumNumberOfIterations": str(ITERATION + 2),
    "MaximumStepLength": "2.0",
    "MinimumGradientMagnitude": "1e-12",
    "ImageSampler": "Full",
    "Interpolator": "LinearInterpolator",
    "ResampleInterpolator": "FinalLinearInterpolator",
    "Resampler": "DefaultResampler",
    "WriteResultImage": "false",
    "WriteTransformParametersEachIteration": "true",
}


def write_inputs(folder):
    """Write pairs of points and the mask of what is to be rigid."""
    middle = (SIZE - 1) / 2
    points = np.stack(np.meshgrid(*[np.arange(1.0, SIZE - 1, 3)] * 3, indexing="ij"), -1)
    points = points.reshape(-1, 3)
    for name, own in (("fixed", points), ("moving", (points - middle) @ MAPPING.T + middle)):
        lines = "\n".join(" ".join(f"{x:.6f}" for x in point) for point in own)
        (folder / f"{name}.txt").write_text(f"point\n{len(own)}\n{lines}\n")
    mask = np.zeros((SIZE,) * 3, np.float32)
    mask[6:18, 6:18, 6:18] = 1  # three control points along each axis: 7.5, 11.5 and 15.5 mm
    itk.imwrite(itk.image_from_array(mask), str(folder / "mask.nii"))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return coefficients (c1, c2, c3, 3) in mm, the first control point, and what was logged."""
    folder = tmp_path_factory.mktemp("elastix")
    write_inputs(folder)
    noise = np.random.default_rng(0).random((SIZE,) * 3).astype(np.float32)
    method = itk.ElastixRegistrationMethod.New(*[itk.image_from_array(noise)] * 2)
    parameters = itk.ParameterObject.New()
    given = {**PARAMETERS, "FixedRigidityImageName": str(folder / "mask.nii")}
    parameters.AddParameterMap(
        {name: (value,) if isinstance(value, str) else value for name, value in given.items()}
    )
    method.SetParameterObject(parameters)
    method.SetFixedPointSetFileName(str(folder / "fixed.txt"))
    method.SetMovingPointSetFileName(str(folder / "moving.txt"))
    method.SetOutputDirectory(str(folder))
    method.SetLogToConsole(False)
    method.SetLogToFile(True)
    method.UpdateLargestPossibleRegion()
    return read_run(folder)


def read_run(folder):
    text = (folder / f"TransformParameters.0.R0.It{ITERATION:07}.txt").read_text()

    def numbers(name):
        return np.array(re.search(rf"\({name} ([^)]*)\)", text).group(1).split(), float)

    size = numbers("GridSize").astype(int)
    coefficients = numbers("TransformParameters").reshape(3, *size[::-1]).T
    lines = (folder / "IterationInfo.0.R0.txt").read_text().splitlines()
    # a step is written after it was made; the next line has its penalty
    logged = dict(zip(*(lines[k].split("\t") for k in (0, ITERATION + 2)), strict=True))
    terms = {name: float(logged[f"Metric-{name}"]) for name in ("LC", "OC", "PC")}
    return coefficients, numbers("GridOrigin")[0], terms


def basis(t):
    t = np.abs(t)
    return np.where(t < 1, 2 / 3 - t**2 + t**3 / 2, np.where(t < 2, (2 - t) ** 3 / 6, 0))


def sampled(coefficients, fine):
    """The displacement in mm on a fine grid, from a step before the control points to one after."""
    places = np.arange(INSIDE.start - fine, INSIDE.stop - 1 + 1.5 * fine, fine)
    weights = basis(places[:, None] - np.arange(coefficients.shape[0]))
    return np.einsum("ai,bj,ck,ijkl->abcl", weights, weights, weights, coefficients)


def ours(coefficients, term):
    """The penalty of the finely sampled spline, at control points alone."""
    displacement = sampled(coefficients, FINE / BETWEEN)
    mask = np.zeros(displacement.shape[:3])
    step = round(BETWEEN / FINE)
    mask[1:-1:step, 1:-1:step, 1:-1:step] = 1
    assert mask.sum() == 27
    weights = dict.fromkeys(("linearity", "orthonormality", "properness"), 0.0) | {term: 1.0}
    ddf = tf.constant(displacement[None] / FINE)
    return rigidity(ddf, tf.constant(mask[None]), spacing=FINE, **weights).numpy()[0]


def derivatives(coefficients, *orders):
    """Derivatives of the spline at the control points inside, (27, 3), in mm."""
    kernels = {0: np.array([1, 4, 1]) / 6, 1: np.array([-0.5, 0, 0.5]), 2: np.array([1, -2, 1])}
    result = coefficients
    for axis, order in enumerate(orders):
        kernel = kernels[order] / BETWEEN**order
        result = sum(weight * np.roll(result, 1 - k, axis) for k, weight in enumerate(kernel))
    return result[INSIDE, INSIDE, INSIDE].reshape(-1, 3)


PAIRS = ((0, 1), (0, 2), (1, 2))
UNIT = np.eye(3, dtype=int)


def parts(coefficients):
    """What of orthonormality and linearity elastix counts otherwise, at each control point."""
    jacobian = np.stack([derivatives(coefficients, *UNIT[k]) for k in range(3)], -1) + np.eye(3)
    product = np.einsum("nij,nik->njk", jacobian, jacobian)
    crossed = sum(product[:, i, j] ** 2 for i, j in PAIRS)
    pure = sum(derivatives(coefficients, *(2 * UNIT[k])) ** 2 for k in range(3)).sum(-1)
    mixed = sum(derivatives(coefficients, *(UNIT[i] + UNIT[j])) ** 2 for i, j in PAIRS).sum(-1)
    return crossed.mean(), pure.mean(), mixed.mean()


def test_elastix_moved_the_control_points_that_we_read(run):
    coefficients, origin, terms = run
    assert origin == -4.5 and coefficients.shape == (9, 9, 9, 3)
    assert min(terms.values()) > 0 and parts(coefficients)[0] > 0.01 * terms["OC"]


def test_properness_is_elastix_s(run):
    coefficients, _, terms = run
    assert ours(coefficients, "properness") == pytest.approx(terms["PC"], rel=2e-3)


def test_orthonormality_is_elastix_s_but_for_mixed_terms_which_count_twice(run):
    coefficients, _, terms = run
    crossed, _, _ = parts(coefficients)
    assert ours(coefficients, "orthonormality") == pytest.approx(terms["OC"] + crossed, rel=2e-3)


def test_linearity_has_pure_terms_in_full_and_mixed_ones_twice(run):
    coefficients, _, terms = run
    _, pure, mixed = parts(coefficients)
    assert terms["LC"] == pytest.approx(pure / 4 + mixed / BETWEEN**4, rel=1e-4)
    # a cubic spline's second derivative has kinks at control points
    assert ours(coefficients, "linearity") == pytest.approx(pure + 2 * mixed, rel=0.1)
