"""The B-spline field against SciPy and a loop from its equation, and what its docstring claims."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.interpolate import BSpline
from scipy.ndimage import map_coordinates

from mmzoo.layers import BSplineField
from mmzoo.ops.bspline import bspline_field, control_shape, cubic_bspline

GRIDS = [
    ((16, 16, 16), (8, 8, 8)),
    ((17, 9, 23), (8, 4, 5)),
    ((15, 12, 6), (8, 8, 1)),
    ((11, 10, 7), (2.5, 3.0, 7.0)),
    ((5, 4, 6), (1, 1, 1)),
]


def coefficients(shape, spacing, seed=0, batch=2):
    size = (batch, *control_shape(shape, spacing), 3)
    return np.random.default_rng(seed).normal(size=size)


def positions(shape, spacing):
    """p_a = (x_a + 1/2) / spacing_a - 1/2 of every voxel, (3, dim1, dim2, dim3)."""
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"))
    spacing = np.array(spacing, float).reshape(3, 1, 1, 1)
    return (grid + 0.5) / spacing - 0.5


@pytest.mark.parametrize(("shape", "spacing"), GRIDS)
def test_field_is_scipy_s_at_any_size_and_spacing(shape, spacing):
    given = coefficients(shape, spacing)
    field = bspline_field(tf.constant(given), shape, spacing).numpy()
    where = positions(shape, spacing)
    for b, c in np.ndindex(2, 3):
        expected = map_coordinates(
            given[b, ..., c], where, order=3, prefilter=False, mode="nearest"
        )
        np.testing.assert_allclose(field[b, ..., c], expected, atol=1e-10)
    single = bspline_field(tf.constant(given, tf.float32), shape, spacing)
    np.testing.assert_allclose(single, field, atol=1e-5)


def test_field_is_the_sum_of_the_equation():
    shape, spacing = (7, 5, 6), (3, 2, 4)
    given = coefficients(shape, spacing, batch=1)
    field = bspline_field(tf.constant(given), shape, spacing).numpy()
    last = np.array(given.shape[1:4]) - 1
    for x in [(0, 0, 0), (3, 2, 5), (6, 4, 1)]:
        p = [(x[a] + 0.5) / spacing[a] - 0.5 for a in range(3)]
        expected = np.zeros(3)
        for i in np.ndindex(12, 12, 12):
            i = np.array(i) - 4
            weight = np.prod([cubic_bspline(np.array(p[a] - i[a])) for a in range(3)])
            expected += weight * given[(0, *np.clip(i, 0, last))]
        np.testing.assert_allclose(field[(0, *x)], expected, atol=1e-12)


@pytest.mark.parametrize(("shape", "spacing"), GRIDS)
def test_a_constant_is_kept_up_to_the_border(shape, spacing):
    given = np.ones((1, *control_shape(shape, spacing), 3)) * [1.0, -2.0, 3.0]
    field = bspline_field(tf.constant(given), shape, spacing)
    np.testing.assert_allclose(field, np.broadcast_to([1.0, -2.0, 3.0], field.shape), atol=1e-12)


def test_an_affine_field_is_reproduced_inside():
    shape, spacing = (40, 36, 30), (4, 6, 5)
    control = np.stack(np.meshgrid(*(np.arange(n) for n in (10, 6, 6)), indexing="ij"), -1)
    middle = (control + 0.5) * spacing - 0.5  # voxel of each control point
    matrix = np.random.default_rng(1).normal(size=(3, 3))
    field = bspline_field(tf.constant((middle @ matrix)[None]), shape, spacing).numpy()[0]
    voxels = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), -1)
    inside = tuple(slice(2 * s, n - 2 * s) for s, n in zip(spacing, shape, strict=True))
    np.testing.assert_allclose(field[inside], (voxels @ matrix)[inside], atol=1e-9)


def test_a_spacing_of_one_smooths():
    given = np.zeros((1, 7, 7, 7, 3))
    given[0, 3, 3, 3] = 1
    field = bspline_field(tf.constant(given), (7, 7, 7), (1, 1, 1)).numpy()
    np.testing.assert_allclose(field[0, 2:5, 3, 3, 0], np.array([1, 4, 1]) / 6 * (4 / 6) ** 2)


@pytest.mark.parametrize(("shape", "spacing"), GRIDS)
def test_it_stays_within_the_range_of_its_coefficients(shape, spacing):
    given = coefficients(shape, spacing)
    field = bspline_field(tf.constant(given), shape, spacing).numpy()
    assert given.min() <= field.min() and field.max() <= given.max()


def test_gradient_is_the_transposed_map():
    shape, spacing = (9, 7, 6), (4, 2, 3)
    given = tf.constant(coefficients(shape, spacing))
    other = tf.constant(np.random.default_rng(2).normal(size=(2, *shape, 3)))
    with tf.GradientTape() as tape:
        tape.watch(given)
        product = tf.reduce_sum(other * bspline_field(given, shape, spacing))
    gradient = tape.gradient(product, given)
    again = tf.constant(coefficients(shape, spacing, seed=3))
    expected = tf.reduce_sum(other * bspline_field(again, shape, spacing))
    np.testing.assert_allclose(tf.reduce_sum(gradient * again), expected, rtol=1e-10)


def test_the_layer_gives_the_same_and_can_be_made_anew():
    shape, spacing = (9, 7, 6), (4, 2, 3)
    layer = BSplineField.from_config(BSplineField(shape, spacing).get_config())
    given = tf.constant(coefficients(shape, spacing), tf.float32)
    np.testing.assert_array_equal(layer(given), bspline_field(given, shape, spacing))


def test_nan_is_not_hidden():
    given = coefficients((8, 8, 8), (4, 4, 4))
    given[0, 0, 0, 0, 0] = np.nan
    assert np.isnan(bspline_field(tf.constant(given), (8, 8, 8), (4, 4, 4))[0, 0, 0, 0, 0])


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match=r"\(2, 3, 4\) control points .* got \(2, 2, 2\)"):
        bspline_field(tf.zeros((1, 2, 2, 2, 3)), (8, 9, 16), (4, 3, 4))
    with pytest.raises(ValueError, match="coefficients"):
        bspline_field(tf.zeros((1, 2, 2, 2)), (8, 8, 8), (4, 4, 4))
    with pytest.raises(ValueError, match="`spacing` must be a number above 0"):
        control_shape((8, 8, 8), (4, 0, 4))


@pytest.mark.parametrize(("shape", "spacing"), [((9, 7, 6), (4, 2, 3)), ((5, 12, 8), (8, 1.5, 4))])
def test_the_layer_takes_the_size_of_an_image_in_a_graph_for_any_size(shape, spacing):
    given = tf.constant(coefficients(shape, spacing), tf.float32)
    image, layer = tf.zeros((2, *shape)), BSplineField(None, spacing)
    expected = bspline_field(given, shape, spacing)
    np.testing.assert_array_equal(layer([given, image]), expected)
    signature = [[tf.TensorSpec((None,) * 4 + (3,)), tf.TensorSpec((None,) * 4)]]
    graph = tf.function(layer, input_signature=signature)
    np.testing.assert_allclose(graph([given, image]), expected, atol=1e-6)


@pytest.mark.parametrize("derivative", [0, 1, 2])
def test_the_basis_and_its_derivatives_are_scipy_s(derivative):
    t = np.linspace(-2.7, 2.7, 541)
    basis = BSpline.basis_element([-2, -1, 0, 1, 2], extrapolate=False)
    basis = basis.derivative(derivative) if derivative else basis
    expected = np.nan_to_num(basis(t))
    np.testing.assert_allclose(cubic_bspline(t, derivative), expected, atol=1e-14)
    tensor = cubic_bspline(tf.constant(t), derivative, tf)
    np.testing.assert_allclose(tensor, expected, atol=1e-14)
