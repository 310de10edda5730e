"""Making one case of a phantom: a person, a grid, an image with labels, the true field."""

import zlib

import numpy as np

from mmzoo.phantoms.imaging.render import draw_intensities, draw_labels, is_tissue, paint
from mmzoo.phantoms.imaging.scan import worsen
from mmzoo.phantoms.motion.transforms import inverse_field
from mmzoo.phantoms.settings import PhantomSettings, phantom_module, trait
from mmzoo.spatial.grid import Grid

MARGIN_MM = 10.0


def make_case(settings: PhantomSettings, modality: str, index: int):
    """Make one case in memory.

    Returns:
        image (dim1, dim2, dim3) float32, labels (dim1, dim2, dim3, num_labels) uint8, and affine.
    """
    module = phantom_module(settings.name)
    person, tissues, contrast, noise = _generators(settings, modality, index)
    anatomy = _draw(settings, person)
    table = draw_intensities(tissues, module.TABLES[modality])
    grid = choose_grid(anatomy, settings)
    slabs = trait(settings.name, "SLABS")
    fine = grid.refined(slabs)
    points = fine.points()
    if settings.same_person and modality == settings.moving:
        points = anatomy.motion(points)
    layers = anatomy.layers(points)
    texture = anatomy.texture(points, modality) if settings.same_person else None
    image = _mean_of_blocks(paint(layers, table, fine.spacing_mm, noise, texture), slabs)
    image = module.acquire(modality, image, grid, anatomy, contrast, noise)
    image = worsen(image, grid.spacing_mm, settings, noise)
    middle = tuple(slice(count // 2, None, count) for count in slabs)
    return image, draw_labels(layers, module.LABELS)[middle], grid.affine


def true_field(settings: PhantomSettings, index: int):
    """Return how one person moved between the two states: the field that a registration is after.

    Returns:
        ddf (dim1, dim2, dim3, 3) float32 in voxels, warped(x) = moving(x + ddf(x)), NaN in the air
        and where x + ddf(x) leaves the grid; and affine.
    """
    person = _generators(settings, settings.moving, index)[0]
    anatomy = _draw(settings, person)
    grid = choose_grid(anatomy, settings)
    body = ~is_tissue(anatomy.layers(grid.points()), "air")
    return inverse_field(anatomy.motion, grid, body), grid.affine


def rigid_motions(settings: PhantomSettings, index: int) -> dict[str, np.ndarray]:
    """Return how what moves rigidly does so, by label, (4, 4): from the fixed state to the moving.

    In RAS millimetres, as a registration would have to find it; empty where nothing does.
    """
    person = _generators(settings, settings.moving, index)[0]
    return getattr(_draw(settings, person), "rigid_motions", {})


def _draw(settings: PhantomSettings, rng):
    """Return a person, with a motion of the size that was asked for where there is a choice."""
    choice = () if settings.motion is None else (settings.motion,)
    return phantom_module(settings.name).draw(rng, *choice)


def _generators(settings: PhantomSettings, modality: str, index: int):
    """Return generators of the person, of how bright tissues are, of the scan, and of its noise.

    One each, so that the same person appears whatever the grid. Two states share the first two.
    """
    seeds = np.random.SeedSequence([settings.seed, zlib.crc32(modality.encode()), index])
    person, contrast, noise = (np.random.default_rng(child) for child in seeds.spawn(3))
    if not settings.same_person:
        return person, contrast, contrast, noise
    own = np.random.SeedSequence([settings.seed, zlib.crc32(settings.name.encode()), index])
    person, tissues = (np.random.default_rng(child) for child in own.spawn(2))
    return person, tissues, contrast, noise


def _mean_of_blocks(image: np.ndarray, counts: tuple[int, int, int]) -> np.ndarray:
    """Return the mean of every block of so many voxels along each axis."""
    for axis, count in enumerate(counts):
        if count > 1:
            split = (*image.shape[:axis], -1, count, *image.shape[axis + 1 :])
            image = image.reshape(split).mean(axis + 1)
    return image


def choose_grid(anatomy, settings: PhantomSettings) -> Grid:
    """Return the grid of a field of view on one person.

    A box round the organ differs from person to person, and with it the spacing; a fixed box and a
    given spacing do not.
    """
    fields = phantom_module(settings.name).FIELDS
    named = isinstance(settings.fov, str)
    box = fields[settings.fov] if named else next(iter(fields.values()))
    if box is None:
        centre, edges = anatomy.body_centre_mm, anatomy.body_edges_mm
    elif callable(box):
        centre, edges = box(anatomy)
    else:
        lower, upper = organ_box(anatomy, box)
        if named and settings.spacing is None:
            return Grid.covering(lower - MARGIN_MM, upper + MARGIN_MM, settings.size)
        centre, edges = np.mean((lower, upper), axis=0), upper - lower
    edges = edges if named else settings.fov
    spacing = settings.spacing or np.asarray(edges) / settings.size
    return Grid.centred(centre, spacing, settings.size)


def organ_box(anatomy, names: tuple[str, ...], step_mm: float = 5.0):
    """Return the corners (lower, upper) in millimetres of the box round some structures."""
    edges = np.asarray(anatomy.search_edges_mm)
    grid = Grid.centred(anatomy.centre_mm, [step_mm] * 3, np.ceil(edges / step_mm).astype(int))
    points = grid.points()
    layers = anatomy.layers(points, organ_only=True)
    levels = [layer.level for layer in layers if layer.label in names]
    inside = points[np.minimum.reduce(levels) < 0]
    return inside.min(0) - step_mm / 2, inside.max(0) + step_mm / 2
