import math

import numpy as np
import pytest

from mmzoo.metrics import dice


def test_dice_of_hand_drawn_masks():
    fixed = np.array([[1, 1, 0], [0, 1, 0]])
    warped = np.array([[0, 1, 1], [0, 1, 1]])
    assert dice(fixed, warped) == pytest.approx(2 * 2 / (3 + 4))


def test_dice_equals_a_loop_on_an_odd_shape():
    random = np.random.default_rng(0)
    fixed, warped = random.random((2, 5, 3, 7)) > 0.6
    common = sum(bool(a and b) for a, b in zip(fixed.flat, warped.flat, strict=True))
    assert dice(fixed, warped) == pytest.approx(2 * common / (sum(fixed.flat) + sum(warped.flat)))


def test_dice_is_symmetric_one_for_equal_and_zero_for_disjoint_masks():
    a = np.zeros((4, 5, 6), bool)
    a[:2] = True
    b = np.zeros_like(a)
    b[1:] = True
    assert dice(a, b) == dice(b, a) == pytest.approx(2 * 30 / (60 + 90))
    assert dice(a, a) == 1.0
    assert dice(a, ~a) == 0.0


def test_dice_with_an_empty_mask_is_zero_and_with_two_nan():
    empty, full = np.zeros((3, 3)), np.ones((3, 3))
    assert dice(empty, full) == 0.0
    assert math.isnan(dice(empty, empty))


def test_dice_rejects_other_shapes():
    with pytest.raises(ValueError, match=r"same shape, got \(2, 3\) and \(3, 2\)"):
        dice(np.ones((2, 3)), np.ones((3, 2)))


def test_dice_rejects_a_mask_that_is_not_binary():
    with pytest.raises(ValueError, match=r"`warped_mask` must be binary.*from 0.0 to 0.5"):
        dice(np.array([0, 1]), np.array([0, 0.5]))
