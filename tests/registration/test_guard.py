"""Whether a field is kept: by mutual information, or by a clear fall of its own loss."""

import numpy as np
import pytest
import SimpleITK as sitk
from helpers_registration import draw, empty

import mmzoo
from mmzoo.registration import stages
from mmzoo.registration.similarity import LOSSES


def kept(nmi_after, fall, clearly=LOSSES["mind-ssc"].clearly, known_after=0.8) -> bool:
    nmi = {"before": 0.1, "linear": 0.2, "after": nmi_after}
    known = {"before": 0.7, "linear": 0.8, "after": known_after}
    report = {"loss_before": 0.5, "loss_after": 0.5 * (1 - fall)}
    return stages._is_kept(nmi, known, report, clearly)


@pytest.mark.parametrize(
    ("nmi_after", "fall", "wanted"),
    [
        (0.201, 0.01, True),  # tells more
        (0.198, 0.25, True),  # tells hardly less, and is much more alike
        (0.198, 0.14, False),  # as noise on two aligned images does
        (0.180, 0.40, False),  # tells much less, however alike
        (None, 0.40, False),
    ],
)
def test_a_field_is_kept_if_it_tells_more_or_is_clearly_more_alike(nmi_after, fall, wanted):
    assert kept(nmi_after, fall) is wanted


def test_without_a_known_share_mutual_information_alone_decides():
    assert not kept(0.198, 0.9, clearly=None)
    assert kept(0.201, 0.0, clearly=None)


def test_telling_more_of_less_of_the_image_does_not_count():
    assert not kept(0.21, 0.1, known_after=0.6)


def test_images_that_share_next_to_nothing_are_not_searched_for_a_field(monkeypatch):
    monkeypatch.setattr(stages, "LEAST_SHARED", 10.0)  # more than any two images have
    grid = empty((24, 24, 24), (4.0, 4.0, 4.0))
    named = []
    found = mmzoo.register(
        *(draw(grid, 0), draw(grid, 1)),
        **{"initial": "none", "loss": "ncc", "progress": lambda stage, *_: named.append(stage)},
    )
    assert found.displacement is None and "loss_after" not in found.report
    assert not any("field" in stage for stage in named)
    assert stages.LEFT_OUT not in found.report["notes"]


def test_a_field_that_is_not_kept_is_left_out_everywhere(monkeypatch):
    monkeypatch.setattr(stages, "_is_kept", lambda *_: False)
    grid = empty((24, 24, 24), (4.0, 4.0, 4.0))
    bent = draw(grid, 0, lambda points: points + 6 * np.sin(points[..., [1, 2, 0]] / 14))
    found = mmzoo.register(bent, draw(grid, 1), initial="none", loss="ncc", steps=(4, 2))
    assert found.displacement is None and stages.LEFT_OUT in found.report["notes"]
    assert found.report["nmi"]["after"] == found.report["nmi"]["linear"]
    assert not {"smallest_determinant", "mended"} & set(found.report)
    assert not np.any(sitk.GetArrayFromImage(found.ddf_mm))


def test_an_image_with_itself_stays_where_it_is():
    image = draw(empty((24, 24, 24), (4.0, 4.0, 4.0)), 0)
    found = mmzoo.register(image, sitk.Image(image), initial="none", steps=(6, 3))
    field = sitk.GetArrayFromImage(found.ddf_mm)
    assert np.abs(field).max() < 0.1  # mm, of voxels of 4 mm
    assert not any("doubtful" in note for note in found.report["notes"])
