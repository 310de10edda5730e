import numpy as np
import pytest
import tensorflow as tf

from mmzoo.ops import slabs
from mmzoo.ops.filters import box_sum
from mmzoo.ops.slabs import slab_mean

MARGIN = 2


def product_of_sums(first, second, inside):
    """What every row within two of it is part of; rows are counted where they lie inside."""
    counts = box_sum(inside[:, None, None], 5, padded=(-2, -1))
    sums = (box_sum(v, 5, padded=(-2, -1)) for v in (first, second))
    return tf.square(next(sums)) * next(sums) * counts


def plain_mean(first, second, weight):
    """The same over whole volumes in float64, one voxel after the other."""
    total = np.zeros(len(first))
    n1, n2, n3 = first.shape[1:]
    for x, y, z in np.ndindex(n1, n2, n3):
        near = tuple(slice(max(c - 2, 0), c + 3) for c in (x, y, z))
        rows = len(range(n1)[near[0]])
        a, b = (v[(slice(None), *near)].sum(axis=(1, 2, 3)) for v in (first, second))
        total += weight[:, x, y, z] * a**2 * b * rows
    return total / weight.sum(axis=(1, 2, 3))


def volumes(length, batch=2):
    draws = np.random.default_rng(length)
    return [draws.random((n, length, 5, 4)) for n in (batch, batch, 1)]


@pytest.mark.parametrize("length", [1, 3, 8, 9, 17, 26])
@pytest.mark.parametrize("at_once", [1, 200, 10**6])
def test_the_mean_is_that_of_whole_volumes_at_any_length(length, at_once, monkeypatch):
    monkeypatch.setattr(slabs, "VOXELS_AT_ONCE", at_once)
    given = volumes(length)
    found = slab_mean(product_of_sums, margin=MARGIN, compiled=True)(*map(tf.constant, given))
    np.testing.assert_allclose(found, plain_mean(*given), rtol=1e-12)


@pytest.mark.parametrize("recorded", [True, False])  # else found anew when it is asked for
@pytest.mark.parametrize("length", [3, 17, 26])
def test_the_gradient_is_that_of_finite_differences(length, recorded, monkeypatch):
    monkeypatch.setattr(slabs, "VOXELS_AT_ONCE", 1)
    given = volumes(length)
    mean = slab_mean(product_of_sums, margin=MARGIN, compiled=True)
    mean = mean if recorded else tf.function(mean)
    tensors = [tf.constant(each) for each in given]
    with tf.GradientTape() as tape:
        tape.watch(tensors[:2])
        value = mean(*tensors)
    draws = np.random.default_rng(1)
    for index, gradient in enumerate(tape.gradient(value, tensors[:2])):
        step = draws.standard_normal(gradient.shape)
        moved = [list(given), list(given)]
        for sign, each in zip((1, -1), moved, strict=True):
            each[index] = each[index] + sign * 1e-6 * step
        ahead, behind = (np.sum(mean(*map(tf.constant, each))) for each in moved)
        expected = (ahead - behind) / 2e-6
        assert np.sum(gradient * step) == pytest.approx(expected, rel=1e-6)


def test_several_functions_are_added_up_in_value_and_gradient(monkeypatch):
    monkeypatch.setattr(slabs, "VOXELS_AT_ONCE", 1)
    first, second, weight = map(tf.constant, volumes(17))

    def difference(first, second, inside):
        return (first - second)[:, MARGIN:-MARGIN] ** 2

    alone = [slab_mean(each, margin=MARGIN) for each in (product_of_sums, difference)]
    both = slab_mean(product_of_sums, difference, margin=MARGIN)
    found = []
    for mean in (both, lambda *given: tf.add_n([each(*given) for each in alone])):
        with tf.GradientTape() as tape:
            tape.watch([first, second])
            value = mean(first, second, weight)
        found.append([value, *tape.gradient(value, [first, second])])
    for ours, wanted in zip(*found, strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-10)


def test_no_weight_gives_zero_and_no_gradient():
    first, second, weight = map(tf.constant, volumes(9))
    with tf.GradientTape() as tape:
        tape.watch([first, weight])
        value = slab_mean(product_of_sums, margin=MARGIN, compiled=True)(first, second, 0 * weight)
    gradient, of_weight = tape.gradient(value, [first, weight])
    assert not np.any(value) and not np.any(gradient) and not np.any(of_weight)


def test_slabs_are_of_some_margins_and_so_many_voxels(monkeypatch):
    assert slabs._slabs((1, 160, 192, 160), 4) == (5, 32)
    assert slabs._slabs((1, 96, 96, 96), 4) == (1, 96)
    monkeypatch.setattr(slabs, "VOXELS_AT_ONCE", 1)
    count, rows = slabs._slabs((1, 96, 96, 96), 4)
    assert (count, rows) == (6, 16)


def test_windows_are_computed_once_where_the_gradient_will_be_asked_for():
    calls = []

    def counted(first, second, inside):
        calls.append(1)
        return product_of_sums(first, second, inside)

    first, second, weight = map(tf.constant, volumes(9))
    mean = slab_mean(counted, margin=MARGIN)
    mean(first, second, weight)
    assert len(calls) == 1
    with tf.GradientTape() as tape:
        tape.watch(second)
        value = mean(first, second, weight)
    assert len(calls) == 2
    assert tape.gradient(value, second) is not None
