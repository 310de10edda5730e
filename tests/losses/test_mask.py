"""Masks of the losses that compare neighbourhoods."""

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.losses import local_correlation, local_gradient, mind_ssc, segi

LOSSES = (segi, local_gradient, local_correlation, mind_ssc)


def volumes():
    rng = np.random.default_rng(0)
    a, b = (tf.constant(rng.uniform(size=(2, 8, 9, 7))) for _ in range(2))
    return a, b, tf.constant(rng.integers(0, 2, (2, 8, 9, 7)).astype(float))


@pytest.mark.parametrize("loss", LOSSES)
def test_a_mask_and_its_complement_share_out_the_loss(loss):
    a, b, mask = volumes()
    # SEGI and the local gradient have no first planes.
    inner = mask if loss in (local_correlation, mind_ssc) else mask[:, 1:, 1:, 1:]
    share = tf.reduce_mean(inner, axis=(1, 2, 3))
    joined = share * loss(a, b, mask) + (1 - share) * loss(a, b, 1 - mask)
    np.testing.assert_allclose(joined, loss(a, b), rtol=1e-9)
    assert not np.allclose(loss(a, b, mask), loss(a, b), rtol=1e-4)
