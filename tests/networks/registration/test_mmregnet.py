"""The MMRegNet network as the authors' code has it."""

import numpy as np
import pytest
import tensorflow as tf

from mmzoo.networks.registration import MMRegNet


def random_pair(size=16, batch=2):
    return tf.random.stateless_uniform((batch, size, size, 2 * size, 2), (1, 2))


def test_has_the_authors_number_of_parameters():
    network = MMRegNet((16, 16, 32))
    network(random_pair())
    trainable = sum(int(np.prod(v.shape)) for v in network.trainable_variables)
    assert trainable == 317_470  # 317k at n0 = 4, counted by hand from the authors' layers
    wide = MMRegNet((16, 16, 32), num_channel_initial=32)
    wide(random_pair())
    assert round(sum(int(np.prod(v.shape)) for v in wide.trainable_variables) / 1e6, 1) == 19.0


def test_untrained_is_the_identity_and_gives_two_fields():
    fields = MMRegNet((16, 16, 32))(random_pair())
    assert fields.shape == (2, 16, 16, 32, 6)
    np.testing.assert_array_equal(fields, tf.zeros_like(fields))


def test_both_fields_have_heads_of_their_own():
    network = MMRegNet((16, 16, 32), out_kernel_initializer="glorot_uniform")
    fields = network(random_pair()).numpy()
    assert np.abs(fields[..., :3] - fields[..., 3:]).max() > 1e-3


def test_field_scale_is_a_factor_of_the_fields():
    whole = MMRegNet((16, 16, 32), out_kernel_initializer="glorot_uniform")
    tenth = MMRegNet((16, 16, 32), out_kernel_initializer="glorot_uniform", field_scale=0.1)
    fields = whole(random_pair()), tenth(random_pair())
    tenth.set_weights(whole.get_weights())
    np.testing.assert_allclose(tenth(random_pair()), 0.1 * fields[0], rtol=1e-6, atol=1e-7)
    with pytest.raises(ValueError, match="field_scale"):
        MMRegNet((16, 16, 32), field_scale=0)


@pytest.mark.parametrize("size", [(16, 16, 24), (8, 16, 16), (16, 16)])
def test_sizes_it_cannot_halve_are_refused_with_the_nearest_that_it_can(size):
    with pytest.raises(ValueError, match=r"multiple of 16, got .*use \(16, 16"):
        MMRegNet(size)
