"""Two small images of one body on different, oblique grids, with a known motion between them."""

import functools

import numpy as np
import SimpleITK as sitk


def _bodies(count=40):
    """Middle (mm), half axes (mm) and brightness in the two contrasts of many small bodies."""
    rng = np.random.default_rng(7)
    bodies = [((0, 0, 0), (36, 42, 38), (0.5, 0.7))]
    for _ in range(count):
        middle = rng.normal(size=3)
        middle *= 27 * rng.uniform() ** (1 / 3) / np.linalg.norm(middle)
        bodies.append((middle, rng.uniform(5, 10, 3), rng.uniform(0, 1, 2)))
    return bodies


BODIES = _bodies()


def body(points, contrast):
    """Brightness at points in mm, (..., 3)."""
    image = np.zeros(points.shape[:-1])
    for middle, axes, brightness in BODIES:
        level = np.linalg.norm((points - np.array(middle)) / axes, axis=-1)
        inside = 1 / (1 + np.exp(np.minimum(level - 1, 50) * 12))
        image = image * (1 - inside) + brightness[contrast] * inside
    return image


def empty(size, spacing, angles=(0, 0, 0)):
    """An image whose middle is at the origin, turned by angles in degrees."""
    turn = sitk.Euler3DTransform()
    turn.SetRotation(*np.deg2rad(angles).tolist())
    image = sitk.Image(list(size), sitk.sitkFloat32)
    image.SetSpacing(spacing)
    image.SetDirection(turn.GetMatrix())
    half = np.array([(n - 1) / 2 for n in size]) * spacing
    image.SetOrigin((-np.array(turn.GetMatrix()).reshape(3, 3) @ half).tolist())
    return image


def points_of(image):
    index = np.moveaxis(np.indices(image.GetSize()), 0, -1) * np.array(image.GetSpacing())
    return index @ np.array(image.GetDirection()).reshape(3, 3).T + np.array(image.GetOrigin())


def draw(image, contrast, mapping=lambda points: points, noise=0.02, seed=0):
    values = body(mapping(points_of(image)), contrast)
    values = values + np.random.default_rng(seed).normal(0, noise, values.shape)
    drawn = sitk.GetImageFromArray(np.ascontiguousarray(values.T, np.float32))
    drawn.CopyInformation(image)
    return drawn


def motion(angles=(6, -8, 5), shift=(7, -5, 6)):
    """A turn and a shift, as a map of points of the fixed image."""
    turn = sitk.Euler3DTransform()
    turn.SetRotation(*np.deg2rad(angles).tolist())
    turn.SetTranslation(shift)
    return turn


def moved_by(turn):
    """The inverse map as a function of arrays, to draw what has been moved."""
    matrix = np.array(turn.GetMatrix()).reshape(3, 3)
    return lambda points: (points - np.array(turn.GetTranslation())) @ matrix


def lopsided(points):
    """A body that is no mirror image of itself: each end of each axis has a width of its own."""
    x, y, z = (points[..., axis : axis + 1] for axis in range(3))
    wider = 1 + np.maximum(x, 0) / 60 + np.maximum(y, 0) / 90 + np.maximum(z, 0) / 40
    return points * wider * np.array([1.2, 0.8, 1.0])


@functools.cache
def _pair():
    fixed = draw(empty((44, 50, 24), (2.2, 2.0, 4.0), (10, -6, 14)), 0)
    moving = draw(empty((60, 56, 58), (1.8, 1.9, 1.7)), 1, moved_by(motion()), seed=1)
    return fixed, moving


def pair():
    """Fixed (oblique, thick slices) and moving (other size and spacing), and the true map."""
    return *map(sitk.Image, _pair()), motion()


def error_mm(transform, truth, radius=30):
    """Mean distance to the true map over a ball."""
    line = np.linspace(-radius, radius, 7)
    points = np.stack(np.meshgrid(line, line, line), -1).reshape(-1, 3)
    points = points[np.linalg.norm(points, axis=1) <= radius].tolist()
    gaps = [np.subtract(transform.TransformPoint(p), truth.TransformPoint(p)) for p in points]
    return float(np.linalg.norm(gaps, axis=1).mean())
