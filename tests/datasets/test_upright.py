import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from mmzoo.datasets.upright import MIDDLES_MM, upright


def head(turn: Rotation, shift=(30.0, -20.0, 10.0)) -> sitk.Image:
    """Balls where the structures lie, turned and shifted (RAS); 2 mm voxels."""
    shape, spacing = np.array([80, 90, 80]), 2.0
    index = np.moveaxis(np.indices(shape), 0, -1)
    points = (index - (shape - 1) / 2) * spacing
    labels = np.zeros(shape, np.int32)
    for value, middle in MIDDLES_MM.items():
        labels[np.linalg.norm(points - turn.apply(middle), axis=-1) < 6] = value
    image = sitk.GetImageFromArray(labels.T)
    image.SetSpacing([spacing] * 3)
    image.SetDirection(np.diag([-1.0, -1, 1]).ravel().tolist())
    origin = np.array(shift) - (shape - 1) / 2 * spacing
    image.SetOrigin((origin * [-1, -1, 1]).tolist())
    return image


def middle(image: sitk.Image, value: int) -> np.ndarray:
    shapes = sitk.LabelShapeStatisticsImageFilter()
    shapes.Execute(image)
    return np.array(shapes.GetCentroid(value)) * [-1, -1, 1]


def test_a_tilted_head_comes_out_upright_with_its_brain_in_the_middle():
    turned, degrees = upright(head(Rotation.from_euler("xyz", (-22, 4, 6), degrees=True)))
    assert degrees == pytest.approx(23, abs=1.5)
    for value in (10, 49, 8, 16, 3):
        assert middle(turned, value) == pytest.approx(MIDDLES_MM[value], abs=1.0)


def test_an_upright_head_is_not_turned_and_nothing_of_it_is_lost():
    straight = head(Rotation.identity())
    turned, degrees = upright(straight)
    assert degrees < 0.5
    volumes = [
        (sitk.GetArrayViewFromImage(image) == 49).sum() * np.prod(image.GetSpacing())
        for image in (straight, turned)
    ]
    assert volumes[1] == pytest.approx(volumes[0], rel=0.05)
    assert turned.GetSpacing() == (1.0, 1.0, 1.0)


def test_a_map_with_too_few_structures_stays_as_it_is():
    labels = sitk.GetImageFromArray(np.ones((6, 6, 6), np.int32))
    assert upright(labels) == (labels, 0.0)
