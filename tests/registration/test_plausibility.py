"""A result that may be wrong is said to be so; a linear stage that makes things worse is left."""

import numpy as np
import pytest
import SimpleITK as sitk
from helpers_registration import draw, empty, lopsided, motion, moved_by, pair

import mmzoo
from mmzoo.registration import linear
from mmzoo.registration.frame import ImagePair
from mmzoo.registration.information import Linear, MutualInformation
from mmzoo.registration.plausibility import implausible

NMI = {"before": 0.2, "linear": 0.3, "after": 0.3}
KNOWN = {"before": 0.9, "linear": 0.8, "after": 0.8}


def of_itk(turn):
    """A transform of SimpleITK's that turns about the origin."""
    return Linear(np.array(turn.GetMatrix()).reshape(3, 3), np.array(turn.GetTranslation()))


def test_a_better_result_with_overlap_is_not_doubted():
    assert implausible(0.8, NMI, KNOWN) == []


def test_little_overlap_is_said_in_per_cent():
    (said,) = implausible(0.31, NMI, KNOWN)
    assert said.startswith("doubtful: only 31 % of the smaller image")


def test_nmi_counts_times_the_overlap():
    (said,) = implausible(0.8, NMI, {**KNOWN, "after": 0.5})
    assert "(NMI times overlap 0.180 before, 0.150 after)" in said


def test_aligned_images_that_end_a_hair_below_their_headers_are_not_doubted():
    nmi = {"before": 0.3204, "linear": 0.3199, "after": 0.3199}
    assert implausible(0.8, nmi, dict.fromkeys(nmi, 1.0)) == []
    assert implausible(0.8, {**nmi, "after": 0.316}, dict.fromkeys(nmi, 1.0))


def test_images_that_did_not_overlap_before_are_not_compared_with_that():
    assert implausible(0.8, {**NMI, "before": None}, {**KNOWN, "before": 0.0}) == []


def test_images_that_share_next_to_nothing_are_doubted_and_get_no_field():
    grid = empty((40, 40, 40), (3.0, 3.0, 3.0))
    noise = sitk.GetImageFromArray(np.random.default_rng(5).normal(size=(40, 40, 40)))
    noise.CopyInformation(grid)
    found = mmzoo.register(draw(grid, 0), noise, initial="none", steps=(4, 2))
    assert found.displacement is None
    assert any("share next to nothing" in note for note in found.report["notes"])


def test_a_pair_that_is_aligned_well_is_not_doubted():
    grid, back = empty((40, 40, 40), (3.0, 3.0, 3.0)), moved_by(motion())
    fixed = draw(grid, 0, lopsided)
    moving = draw(grid, 1, lambda points: lopsided(back(points)), seed=1)
    found = mmzoo.register(fixed, moving, initial="rigid", field="none")
    assert found.report["notes"] == []
    assert 0 < found.report["share_known"]["after"] <= 1


def test_images_that_barely_meet_are_doubted():
    fixed = draw(empty((30, 30, 30), (3, 3, 3)), 0)
    moving = sitk.Image(fixed)
    moving.SetOrigin((np.array(fixed.GetOrigin()) + [60, 0, 0]).tolist())
    found = mmzoo.register(fixed, moving, initial="none", field="none")
    assert any("of the smaller image lies in the other" in note for note in found.report["notes"])


def test_the_share_that_is_shown_is_of_the_fixed_image_or_its_mask():
    fixed, moving = draw(empty((20, 20, 20), (3, 3, 3)), 0), draw(empty((20, 20, 20), (3, 3, 3)), 1)
    away = Linear(np.eye(3), np.array([30.0, 0.0, 0.0]))
    assert MutualInformation(ImagePair(fixed, moving), 4000).value(away)[1] == pytest.approx(
        0.5, abs=0.01
    )
    mask = sitk.Image(fixed.GetSize(), sitk.sitkUInt8)
    mask.CopyInformation(fixed)
    mask[:5, :, :] = 1
    assert MutualInformation(ImagePair(fixed, moving, mask), 4000).value(away)[1] == 1.0
    assert MutualInformation(ImagePair(fixed, moving, mask, mask), 4000).value(away)[1] == 0.0


def test_more_is_told_where_images_are_aligned_and_nothing_where_they_do_not_meet():
    fixed, moving, truth = pair()
    images = MutualInformation(ImagePair(fixed, moving), 8000)
    aligned, far = of_itk(truth), Linear(np.eye(3), np.array([900.0, 0.0, 0.0]))
    assert images.overlap_weighted(aligned) > 1.2 * images.overlap_weighted(Linear.still()) > 0
    assert images.overlap_weighted(far) == 0


def test_a_linear_stage_that_tells_less_is_left_for_the_headers(monkeypatch):
    fixed = draw(empty((44, 50, 24), (2.2, 2.0, 4.0)), 0)
    moving = draw(empty((44, 50, 24), (2.2, 2.0, 4.0)), 1)  # aligned by its header
    wrong = Linear(np.eye(3), np.array([25.0, 0.0, 0.0]))
    monkeypatch.setattr(linear, "climbed", lambda *_: wrong)
    found, notes = linear.register_linear(ImagePair(fixed, moving), "affine")
    assert found.TransformPoint((1.0, 2.0, 3.0)) == (1.0, 2.0, 3.0)
    assert "kept what they say" in notes[0]


def test_showing_less_of_the_other_image_does_not_win():
    fixed, _, truth = pair()
    moving = draw(empty((60, 56, 58), (1.8, 1.9, 1.7)), 1, moved_by(motion()), seed=1)
    aside = Linear(of_itk(truth).matrix, of_itk(truth).shift + [70.0, 0.0, 0.0])
    images = MutualInformation(ImagePair(fixed, moving), 8000)
    assert images.value(aside)[1] < 0.5 * images.value(of_itk(truth))[1]
    assert images.overlap_weighted(aside) < images.overlap_weighted(of_itk(truth))
