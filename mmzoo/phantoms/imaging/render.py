"""Painting: from tissue layers to an image of one modality and to label channels."""

from dataclasses import dataclass

import numpy as np

from mmzoo.phantoms import fields
from mmzoo.phantoms.anatomy.shapes import coverage


@dataclass(frozen=True)
class Layer:
    """One shape filled with one tissue; later layers cover earlier ones.

    Attributes:
        tissue: name of the tissue, a row of the modality's contrast table.
        level: level set in millimetres on the grid, negative inside.
        label: name of the structure this layer belongs to, or None.
        keeps_label: the layer changes the picture only, as papillary muscle within a cavity.
    """

    tissue: str
    level: np.ndarray
    label: str | None = None
    keeps_label: bool = False


@dataclass(frozen=True)
class Contrast:
    """How bright a tissue is in one modality.

    Attributes:
        mean: mean intensity over people (Hounsfield units for CT, arbitrary for MR).
        spread: standard deviation of that mean between people.
        texture: standard deviation of the texture within one person's tissue.
    """

    mean: float
    spread: float
    texture: float


def draw_intensities(rng, table: dict[str, Contrast]) -> dict[str, Contrast]:
    """Return one person's table: each mean drawn from its spread, limited to two of them."""
    drawn = {}
    for tissue, contrast in table.items():
        shift = contrast.spread * np.clip(rng.standard_normal(), -2, 2)
        drawn[tissue] = Contrast(contrast.mean + shift, 0.0, contrast.texture)
    return drawn


def paint(
    layers: list[Layer], table: dict[str, Contrast], spacing_mm, rng, texture=None
) -> np.ndarray:
    """Return the noise-free image: each layer over those before it, with soft edges.

    Args:
        layers: shapes on one grid, in painting order; the first should fill the image.
        table: the person's intensities, from ``draw_intensities``.
        spacing_mm: voxel size of the grid.
        rng: source of the texture.
        texture: (dim1, dim2, dim3) of standard deviation one, or None to draw it.
    """
    if texture is None:
        texture = draw_texture(rng, layers[0].level.shape, spacing_mm)
    image = np.zeros(layers[0].level.shape, np.float32)
    for layer in layers:
        contrast = table[layer.tissue]
        value = contrast.mean + contrast.texture * texture
        image += coverage(layer.level, float(np.mean(spacing_mm))) * (value - image)
    return image


def draw_texture(rng, shape, spacing_mm) -> np.ndarray:
    """Return noise with grains of about 2 and 7 mm, standard deviation one, float32."""
    fine = fields.smooth_noise(rng, shape, [2.0 / step for step in spacing_mm])
    coarse = fields.smooth_noise(rng, shape, [7.0 / step for step in spacing_mm])
    return np.sqrt(0.5) * (fine + coarse)


def is_tissue(layers: list[Layer], tissue: str) -> np.ndarray:
    """Return where a tissue is the one on top, (dim1, dim2, dim3) bool."""
    found = np.zeros(layers[0].level.shape, bool)
    for layer in layers:
        found[layer.level < 0] = layer.tissue == tissue
    return found


def draw_labels(layers: list[Layer], names: tuple[str, ...]) -> np.ndarray:
    """Return binary label channels (dim1, dim2, dim3, len(names)) uint8; no voxel has two."""
    owner = np.zeros(layers[0].level.shape, np.uint8)
    for layer in layers:
        if not layer.keeps_label:
            owner[layer.level < 0] = names.index(layer.label) + 1 if layer.label else 0
    return np.stack([owner == index + 1 for index in range(len(names))], -1).astype(np.uint8)
