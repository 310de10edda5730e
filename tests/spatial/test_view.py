import numpy as np
import pytest

from mmzoo.spatial.view import Turn, planes_through, window

# axes of the file: inferior, posterior, right (that is, ISO-wise: dim1 to I, dim2 to P, dim3 to R)
AFFINE = np.array([[0, 0, 3.0, 5], [0, -2.0, 0, 7], [-1.5, 0, 0, 9], [0, 0, 0, 1]])


def test_volumes_are_turned_to_right_anterior_superior():
    turn = Turn.from_affine(AFFINE)
    volume = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    turned = turn.volume(volume)
    assert turn.spacing_mm == (3.0, 2.0, 1.5)
    assert turned.shape == (4, 3, 2)
    for i, j, k in np.ndindex(2, 3, 4):
        assert turned[k, 2 - j, 1 - i] == volume[i, j, k]


def test_fields_keep_pointing_at_the_same_voxel_when_turned():
    turn = Turn.from_affine(AFFINE)
    shape = (6, 7, 8)
    volume = np.random.default_rng(0).random(shape)
    ddf = np.zeros((*shape, 3))
    ddf[3, 3, 3] = [1, -2, 3]
    turned = turn.field(ddf)
    voxel = tuple(int(i) for i in np.argwhere(np.any(turned != 0, axis=-1))[0])
    target = tuple((voxel + turned[voxel]).astype(int))
    assert turn.volume(volume)[voxel] == volume[3, 3, 3]
    assert turn.volume(volume)[target] == volume[4, 1, 6]


def test_slices_put_patient_right_on_the_left_and_head_up():
    volume = np.zeros((4, 5, 6))
    volume[3, :, :] = 1  # patient's right end... of R+ axes, that is the last index
    volume[:, :, 5] += 2  # the top of the head
    axial, coronal, sagittal = planes_through((1.6, 2, 3), volume.shape, (1, 2, 3))
    assert (axial.index, coronal.index, sagittal.index) == (3, 2, 2)
    assert axial.slice(volume).shape == (5, 4)
    assert (axial.slice(volume)[:, 0] == 1).all()
    assert (coronal.slice(volume)[-1] >= 2).all()
    assert coronal.extent == (0, 4, 0, 18)
    assert sagittal.slice(volume).shape == (6, 5)


def test_contours_lie_at_voxel_centres():
    plane = planes_through((0, 0, 0), (4, 5, 6), (1.0, 2.0, 3.0))[1]
    x, y = plane.centres((4, 5, 6))
    np.testing.assert_allclose(x, [0.5, 1.5, 2.5, 3.5])
    np.testing.assert_allclose(y, [1.5, 4.5, 7.5, 10.5, 13.5, 16.5])


def test_window_leaves_out_single_bright_voxels_and_stands_constant_images():
    image = np.linspace(0, 1, 10_000)
    image[-1] = 1e6
    low, high = window(image)
    assert (low, high) == pytest.approx((0.005, 0.995), abs=1e-3)
    assert window(np.full(9, 7.0)) == (7.0, 8.0)
