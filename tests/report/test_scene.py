"""What a page holds: volumes that come out as they went in, greys that fit, nothing else."""

import re

import numpy as np
import pytest
from helpers_report import SIZE, body, content_of, scene, unpacked, write

from mmzoo.report.agreement import expected_grey
from mmzoo.report.scene import Stage, agreement
from mmzoo.report.volumes import bytes_of, factors_to, packed, shrunk

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("size", [(5, 7, 9), (13, 8, 2), (3, 20, 11)])
@pytest.mark.parametrize("rest", [(), (3,)])
def test_a_packed_volume_comes_out_as_it_was(size, rest):
    volume = RNG.integers(0, 256, (*size, *rest), dtype=np.uint8)
    found = unpacked(packed(volume, exact=True), size)
    np.testing.assert_array_equal(found.reshape(volume.shape), volume)


def test_a_jpeg_is_near_and_no_slice_runs_into_the_next():
    volume = np.zeros((11, 13, 6), np.uint8)
    volume[:, :, ::2] = 200
    found = unpacked(packed(volume, exact=False), volume.shape)[..., 0]
    assert np.abs(found.astype(int) - volume).max() < 4


def test_blocks_are_joined_to_their_means_and_the_last_is_filled_from_its_edge():
    volume = RNG.random((5, 4, 6, 2))
    found = shrunk(volume, (2, 1, 3))
    assert found.shape == (3, 4, 2, 2)
    for i, j, k, c in np.ndindex(3, 4, 2, 2):
        rows = [min(2 * i + n, 4) for n in range(2)]
        wanted = np.mean([volume[r, j, 3 * k + n, c] for r in rows for n in range(3)])
        assert found[i, j, k, c] == pytest.approx(wanted, rel=1e-5)


def test_the_finest_axes_are_joined_first():
    assert factors_to((100, 100, 10), (1.0, 1.0, 5.0), 30_000) == (2, 2, 1)
    assert factors_to((10, 10, 10), (1.0, 1.0, 1.0), 1000) == (1, 1, 1)


def test_expected_grey_is_the_fixed_image_s_mean_at_each_grey_of_the_moving_one():
    moving = np.repeat(np.array([0.0, 0.4, 0.8, 1.0]), 500).reshape(20, 10, 10)
    tissue = {0.0: 0.9, 0.4: 0.2, 0.8: 0.5, 1.0: 0.1}
    fixed = np.vectorize(tissue.get)(moving)
    found = expected_grey(fixed, moving)
    for grey, wanted in tissue.items():
        assert found[bytes_of(np.array(grey), 0, 1)] == pytest.approx(wanted, abs=1e-3)


def test_agreement_is_high_where_images_match_and_low_where_they_do_not():
    given = scene()
    right = agreement(given)[0]
    spoilt = given.stages[-1].image.copy()
    spoilt[:, :, :12] = RNG.random((*SIZE[:2], 12))
    wrong = agreement(scene(stages=(Stage("field", spoilt),)))[0]
    low, high = (slice(16, 28), slice(20, 32), slice(2, 8)), (slice(16, 28), slice(20, 32), -8)
    assert right[low].min() > 230
    assert wrong[low].max() < 130 and wrong[high].mean() > 150
    assert right[0, 0, -1] == 0  # air: flat


def test_a_page_has_all_in_it_and_no_text_of_a_user_becomes_markup(tmp_path):
    page = write(tmp_path / "page.html").read_text()
    without_data = re.sub(r"data:image/\w+;base64,[\w+/=]+", "", page)
    assert not re.search(r"(src|href)=|url\(|https?:|@import|import\s", without_data)
    assert page.count("<script") == 2 and "default-src 'none'" in page
    assert "<title>A &amp; B</title>" in page
    held = content_of(tmp_path / "page.html")
    assert held["notes"][0] == "doubtful: <script>this is no script</script>"
    assert held["tables"][0]["rows"][1] == ["odd", None]
    found = unpacked(held["fixed"], SIZE)[..., 0]
    assert np.abs(found / 255.0 - body()).mean() < 0.01


def test_not_a_number_becomes_null():
    from mmzoo.report.page import assemble

    text = assemble("registration", "t", {"a": float("nan"), "b": [float("inf"), 1.5]})
    assert '{"a":null,"b":[null,1.5]}' in text
