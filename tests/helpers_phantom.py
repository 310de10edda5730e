"""Measures of phantoms."""

import numpy as np

from mmzoo.datasets.phantom import PhantomSettings, choose_grid
from mmzoo.phantoms.imaging.render import draw_intensities, paint


def dice(first, second):
    return 2 * np.sum(first & second) / (np.sum(first) + np.sum(second))


def centroids(labels, affine, names):
    """Mean position in RAS mm by structure."""
    return {
        name: affine[:3, :3] @ np.argwhere(labels[..., k]).mean(0) + affine[:3, 3]
        for k, name in enumerate(names)
    }


def millilitres(labels, affine):
    return labels.sum((0, 1, 2)) * abs(np.linalg.det(affine[:3, :3])) / 1000


def assert_every_structure_once(cases, shape):
    """Assert that images and labels have a shape, all structures, and no voxel two of them."""
    for image, labels, _ in cases:
        assert image.shape == shape[:-1] and image.dtype == np.float32
        assert labels.shape == shape and labels.dtype == np.uint8
        assert set(np.unique(labels)) == {0, 1} and labels.sum(-1).max() == 1
        assert labels.any((0, 1, 2)).all()


def assert_volumes(cases, bounds):
    """Assert that each structure has so many millilitres, from and to."""
    for _, labels, affine in cases:
        for volume, (low, high) in zip(millilitres(labels, affine), bounds, strict=True):
            assert low < volume < high


def tissue_mask(layers, tissue):
    """Where a tissue is on top, at least 1 mm within it."""
    owner = np.zeros(layers[0].level.shape, int)
    for index, layer in enumerate(layers):
        owner[layer.level < -1] = index
    return np.isin(owner, [k for k, layer in enumerate(layers) if layer.tissue == tissue])


def jacobian_determinant(mapping, points, step_mm=0.25):
    """Central differences, written without the project's own operators."""
    points = points.astype(np.float64)
    columns = []
    for axis in range(3):
        step = np.zeros(3)
        step[axis] = step_mm
        columns.append((mapping(points + step) - mapping(points - step)) / (2 * step_mm))
    return np.linalg.det(np.stack(columns, axis=-1))


def without_noise(person, settings: PhantomSettings, tables):
    """Return the layers of a person who is not moved, and its image by modality, without noise."""
    grid = choose_grid(person, settings)
    points = grid.points()
    layers, images = person.layers(points), {}
    for modality, table in tables.items():
        table = draw_intensities(np.random.default_rng(1), table)
        grain = person.texture(points, modality)
        images[modality] = paint(layers, table, grid.spacing_mm, None, grain)
    return layers, images
