"""All labels at once against one mask a label, which ITK warps."""

import numpy as np
import pytest
import SimpleITK as sitk
from helpers_registration import empty

from mmzoo.registration import label_shares
from mmzoo.registration.label_shares import warp_labels


def one_by_one(labels, grid, transform):
    """Warp each label as a mask of its own; the largest share wins, of equal ones the smaller.

    Also return how much larger it is than the next.
    """
    shares = {
        int(value): sitk.GetArrayFromImage(
            sitk.Resample(
                sitk.Cast(labels == int(value), sitk.sitkFloat64),
                grid,
                transform,
                sitk.sitkLinear,
                float(value == 0),
            )
        )
        for value in np.unique(sitk.GetArrayViewFromImage(labels))
    }
    stacked = np.stack([shares[value] for value in sorted(shares)])
    ordered = np.sort(stacked, axis=0)
    return np.array(sorted(shares))[stacked.argmax(axis=0)], ordered[-1] - ordered[-2]


def label_map(size, spacing, angles, values, seed=0):
    image = empty(size, spacing, angles)
    drawn = np.random.default_rng(seed).choice(values, size=size[::-1])
    labels = sitk.GetImageFromArray(drawn)
    labels.CopyInformation(image)
    return labels


def motions():
    turn = sitk.Euler3DTransform()
    turn.SetRotation(0.3, -0.2, 0.5)
    turn.SetTranslation((3, -2, 4))
    vectors = np.random.default_rng(1).normal(0, 3, (5, 6, 7, 3))
    field = sitk.GetImageFromArray(vectors, isVector=True)
    field.SetSpacing((12, 12, 12))
    field.SetOrigin((-40, -40, -30))
    whole = sitk.CompositeTransform(3)
    whole.AddTransform(turn)
    whole.AddTransform(sitk.DisplacementFieldTransform(field))
    return whole


@pytest.mark.parametrize("slab", [10**6, 150])
@pytest.mark.parametrize("values", [np.arange(300), np.array([0, 7, 2**30 + 1])])
def test_the_largest_share_wins_as_label_by_label(monkeypatch, slab, values):
    monkeypatch.setattr(label_shares, "SLAB", slab)
    labels = label_map((11, 14, 9), (3.0, 2.5, 4.0), (10, 20, -30), values.astype(np.int32))
    grid = empty((13, 10, 12), (2.5, 3.5, 3.0), (0, -15, 5))
    found = warp_labels(labels, grid, motions())
    wanted, lead = one_by_one(labels, grid, motions())
    assert found.GetPixelID() == labels.GetPixelID()
    assert found.GetOrigin() == grid.GetOrigin() and found.GetDirection() == grid.GetDirection()
    # Where two shares are equal but for rounding, either is right.
    clear = lead > 1e-6
    assert clear.mean() > 0.9 and (wanted != 0).mean() > 0.2 and (wanted == 0).mean() > 0.1
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found)[clear], wanted[clear])


def test_of_equal_shares_the_smaller_label_wins_and_outside_is_0():
    labels = sitk.GetImageFromArray(np.full((2, 2, 4), 5, np.int16))
    labels[2:, :, :] = 3
    grid = sitk.Image([6, 1, 1], sitk.sitkUInt8)
    grid.SetOrigin((-1.0, 0.5, 0.5))
    for shift, wanted in ((0.0, [0, 5, 5, 3, 3, 0]), (0.5, [5, 5, 3, 3, 3, 0])):
        moved = sitk.TranslationTransform(3, (shift, 0, 0))
        found = sitk.GetArrayFromImage(warp_labels(labels, grid, moved))
        assert found.ravel().tolist() == wanted


def test_it_says_how_far_it_is(monkeypatch):
    monkeypatch.setattr(label_shares, "SLAB", 30)
    labels, grid = (
        label_map((5, 5, 5), (1.0,) * 3, (0, 0, 0), np.arange(3)),
        empty((5, 4, 7), (1,) * 3),
    )
    reported = []
    warp_labels(labels, grid, sitk.Transform(), lambda *done: reported.append(done))
    assert reported == [(k, 7) for k in range(1, 8)]
