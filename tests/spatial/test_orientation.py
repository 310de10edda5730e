"""Left is where it belongs in the pictures of each command, whichever way a file's axes run."""

import json

import matplotlib.image
import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from helpers_cli import call
from helpers_report import content_of, unpacked
from matplotlib.figure import Figure
from nibabel.orientations import axcodes2ornt, inv_ornt_aff, ornt_transform

from mmzoo.cli.inspect import inspect
from mmzoo.datasets.overview import draw_overview
from mmzoo.evaluation.picture import BOTTOM_PX, TOP_PX, draw_pair
from mmzoo.evaluation.prediction_page import draw_page
from mmzoo.evaluation.volumes import PairData
from mmzoo.registration.drawing import draw_registration
from mmzoo.registration.frame import Box
from mmzoo.registration.pair_page import write_report
from mmzoo.registration.stages import register_pair
from mmzoo.spatial.view import frame_slice, planes_through

SHAPE, SPACING = (24, 30, 20), (4.0, 3.0, 5.0)
AXES = ("RAS", "LPS", "LAS", "PIR", "SAL")


def person(axes: str) -> nib.Nifti1Image:
    """A dark box with a bright block at the patient's left, front and top; axes as the letters."""
    values = np.full(SHAPE, 100.0, np.float32)
    values[3:8, 21:27, 13:18] = 1000
    values[11:13, 14:16, 9:11] = 0  # some more contrast
    affine = np.diag([*SPACING, 1.0])
    affine[:3, 3] = -np.array(SHAPE) * SPACING / 2
    turn = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(axes))
    turned = nib.apply_orientation(values, turn)
    return nib.Nifti1Image(turned, affine @ inv_ornt_aff(turn, SHAPE))


def side(panel: np.ndarray) -> tuple[str, str]:
    """Where the bright block lies in a picture of one slice: left or right, bottom or top."""
    bright = np.argwhere(panel[..., :3].min(axis=-1) > 0.85)
    assert len(bright) > 20
    row, column = bright.mean(axis=0) / panel.shape[:2]
    return "right" if column > 0.5 else "left", "top" if row < 0.5 else "bottom"


RIGHT = {"axial": ("right", "top"), "coronal": ("right", "top"), "sagittal": ("left", "top")}


def check_middles(path):
    """Check a picture of sagittal, coronal and axial slices through the middle."""
    picture = matplotlib.image.imread(path)
    third = picture.shape[1] // 3
    for k, plane in enumerate(("sagittal", "coronal", "axial")):
        panel = picture[40:, k * third : (k + 1) * third]  # below the title
        assert side(panel) == RIGHT[plane], plane


def check_pair(path):
    """Check the first column of a picture of a pair."""
    picture = matplotlib.image.imread(path)[TOP_PX:-BOTTOM_PX]
    column = picture[:, int(0.03 * picture.shape[1]) : int(0.175 * picture.shape[1])]
    heights = np.array([30 * 3 / 96, 20 * 5 / 96, 20 * 5 / 90])
    ends = (np.cumsum(heights) / heights.sum() * len(column)).astype(int)
    for plane, begin, end in zip(RIGHT, (0, *ends[:-1]), ends, strict=True):
        assert side(column[begin + 6 : end - 6]) == RIGHT[plane], plane


def check_page(path):
    """Check that the volumes of a page have the block at the patient's left, front and top.

    How the page shows such volumes is tested in a browser.
    """
    page = content_of(path)
    assert page["size"] == list(SHAPE)
    for held in (page["fixed"], page["stages"][-1]["image"]):
        bright = np.argwhere(unpacked(held, SHAPE)[..., 0] > 230)
        np.testing.assert_allclose(bright.mean(axis=0), (5, 23.5, 15), atol=0.5)
    place = np.array(page["affine"]) @ (0, 0, 0, 1)
    np.testing.assert_allclose(place[:3], -np.array(SHAPE) * SPACING / 2, atol=1e-3)


@pytest.fixture(autouse=True)
def middle_slices_cut_the_block(monkeypatch):
    """The block is at no middle: have the slices go through it."""
    import mmzoo.datasets.overview as overview
    import mmzoo.evaluation.scene as scene
    import mmzoo.registration.drawing as drawing

    def through_block(centre, shape, spacing):
        return planes_through((5, 23, 15), shape, spacing)

    monkeypatch.setattr(overview, "planes_through", through_block)
    monkeypatch.setattr(scene, "planes_through", through_block)
    size = np.array(SHAPE)
    whole = Box(np.full(3, -0.5), size - 0.5, size * SPACING, SHAPE)
    monkeypatch.setattr(drawing, "choose_box", lambda *_: whole)


@pytest.mark.parametrize("axes", AXES)
def test_inspect_and_overview(axes, tmp_path):
    (tmp_path / "images").mkdir()
    file = tmp_path / "images" / "mr.nii.gz"
    nib.save(person(axes), file)
    done = call(inspect, file, "--picture", tmp_path / "inspect.png")
    assert done.exit_code == 0, done.output
    check_middles(tmp_path / "inspect.png")
    split = {"moving": ["mr"], "fixed": ["mr"]}
    folds = [{"train": split, "valid": None, "test": None}]
    (tmp_path / "mmzoo.json").write_text(json.dumps({"folds": folds}))
    check_middles(draw_overview(tmp_path))


@pytest.mark.parametrize("axes", AXES)
def test_evaluate_and_register(axes, tmp_path):
    image = person(axes)
    values = image.get_fdata().astype(np.float32)
    spacing = tuple(float(step) for step in image.header.get_zooms())
    still = np.zeros((*values.shape, 3), np.float32)
    data = PairData(values, values, still, None, (), (), image.affine, spacing)
    draw_pair(tmp_path / "pair.png", data, structures=(), title="pair")
    check_pair(tmp_path / "pair.png")
    nothing = {"structures": (), "title": "pair", "tables": [], "notes": []}
    draw_page(tmp_path / "pair.html", data, **nothing)
    check_page(tmp_path / "pair.html")
    nib.save(image, tmp_path / "image.nii.gz")
    files = tmp_path / "image.nii.gz", tmp_path / "image.nii.gz"
    found = register_pair(*files, initial="none", field="none")
    draw_registration(tmp_path / "r.png", found)
    check_pair(tmp_path / "r.png")
    write_report(tmp_path / "r.html", found, found.report)
    check_page(tmp_path / "r.html")


def test_the_ends_of_a_slice_are_marked():
    planes = planes_through((1, 1, 1), (4, 5, 6), (1.0, 1.0, 1.0))
    said = {"axial": "RLPA", "coronal": "RLIS", "sagittal": "APIS"}
    for plane in planes:
        axis = Figure().subplots()
        frame_slice(axis, plane)
        letters = {text.get_gid(): text.get_text() for text in axis.texts}
        sides = ("left", "right", "bottom", "top")
        assert "".join(letters[f"mark-{each}"] for each in sides) == said[plane.name]


@pytest.mark.parametrize("flipped", [(1, 1), (-1, 1), (-1, -1)])
def test_a_registration_of_slices(flipped, tmp_path):
    values = np.full((1, 30, 24), 100, np.float32)
    values[0, 3:9, 15:21] = 1000  # front and left, in LPS axes
    values = values[:, :: flipped[1], :: flipped[0]]
    image = sitk.GetImageFromArray(np.ascontiguousarray(values))
    image.SetSpacing((8.0, 8.0, 8.0))
    image.SetDirection((flipped[0], 0, 0, 0, flipped[1], 0, 0, 0, 1))
    draw_registration(tmp_path / "r.png", register_pair(image, image, initial="none", field="none"))
    picture = matplotlib.image.imread(tmp_path / "r.png")
    dark = np.argwhere(picture[..., :3].max(axis=-1) < 0.2)
    top, bottom = dark[:, 0].min(), dark[:, 0].max()
    first = dark[dark[:, 1] < picture.shape[1] // 6]
    panel = picture[top:bottom, first[:, 1].min() : first[:, 1].max()]
    assert side(panel) == ("right", "top")
