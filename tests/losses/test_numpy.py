"""Every loss takes NumPy arrays, of any float type, and returns what it does for tensors."""

import inspect

import numpy as np
import pytest
import tensorflow as tf

from mmzoo import losses

NAMES = sorted(n for n in losses.__all__ if inspect.isclass(getattr(losses, n)))
RNG = np.random.default_rng(0)
IMAGES = [RNG.uniform(size=(2, 11, 12, 13)) for _ in range(2)]
FIELDS = [RNG.normal(size=(2, 11, 12, 13, 3)) for _ in range(2)]
ARGUMENTS = {
    "BendingEnergy": FIELDS[:1],
    "DiffusionEnergy": FIELDS[:1],
    "Rigidity": [IMAGES[0] > 0.5, FIELDS[0]],
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_loss_of_numpy_arrays_is_that_of_tensors(name, dtype):
    loss = getattr(losses, name)()
    arrays = [array.astype(dtype) for array in ARGUMENTS.get(name, IMAGES)]
    found = loss(*arrays)
    wanted = loss(*[tf.constant(array, tf.float32) for array in arrays])
    assert np.isfinite(found).all() and np.any(found != 0)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(ARGUMENTS)))
def test_arrays_of_unequal_shapes_are_refused(name):
    with pytest.raises(ValueError, match="must have the same shape"):
        getattr(losses, name)()(IMAGES[0], IMAGES[1][:, :-1])


def test_the_functions_take_arrays_too():
    first, second = (image.astype(np.float32) for image in IMAGES)
    for name in ("segi", "mi", "nmi", "ncc", "local_gradient", "local_correlation"):
        function = getattr(losses, name)
        wanted = function(tf.constant(first), tf.constant(second))
        np.testing.assert_allclose(function(first, second), wanted, rtol=1e-6)
