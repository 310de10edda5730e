import shutil

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from benchmarks.engine.panels import View, draw_registration, draw_stages
from mmzoo.spatial.view import Turn, planes_through


@pytest.fixture
def drawn(tmp_path):
    return tmp_path / "drawn.png"


def size(path):
    return Image.open(path).size


def test_the_median_case_of_each_data_set_is_drawn_with_its_fields(results, finished, drawn):
    assert not draw_registration(drawn, results, finished)
    results.paper.content["registration"] = ["heart"]
    assert draw_registration(drawn, results, finished)
    width, height = size(drawn)
    results.paper.content["registration"] = ["heart", "liver"]
    assert draw_registration(drawn, results, finished)
    assert size(drawn)[0] == width and size(drawn)[1] > 1.7 * height


def test_without_predictions_nothing_is_drawn(results, out, drawn):
    results.paper.content["registration"] = ["heart"]
    shutil.rmtree(out / "runs" / "heart" / "net")
    assert not draw_registration(drawn, results, out)
    assert not drawn.exists()


def test_a_field_is_drawn_as_where_it_leads_in_the_moving_image():
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    turn = Turn.from_affine(affine)
    plane = planes_through((0, 0, 1), (6, 5, 4), turn.spacing_mm)[0]
    ddf = np.zeros((6, 5, 4, 3))
    ddf[..., 0], ddf[..., 1] = 1, -0.5
    right, up = View("heart", (), (), None, turn, plane).lines(ddf)
    # patient's right is on the left: the first axis, which points right to left, runs backwards
    np.testing.assert_allclose(right[0], 2.0 * (np.arange(6)[::-1] + 1))
    np.testing.assert_allclose(up[:, 0], 3.0 * (np.arange(5) - 0.5))


def test_stages_show_warped_and_translated_image_of_each_epoch(results, out, drawn):
    assert not draw_stages(drawn, results, out)
    results.paper.content["stages"] = {"rows": ["net"], "data": ["heart"]}
    results.paper.content["scales"]["laptop"]["stages"] = [1, 2]
    for name in ("net_stage1", "net_last"):
        folder = out / "runs" / "heart" / name / "fold0" / "predict"
        shutil.copytree(out / "runs" / "heart" / "net" / "fold0" / "predict", folder)
    assert draw_stages(drawn, results, out)
    without = np.asarray(Image.open(drawn).convert("L"))
    for fixed in out.glob("runs/heart/net_*/fold0/predict/test/pair_*/fixed_image.nii.gz"):
        image = nib.load(fixed)
        translated = nib.Nifti1Image(image.get_fdata()[::-1].astype("float32"), image.affine)
        nib.save(translated, fixed.with_name("translated_image.nii.gz"))
    assert draw_stages(drawn, results, out)
    assert (np.asarray(Image.open(drawn).convert("L")) != without).mean() > 0.1
