"""What the page of a registration shows, worked out from arrays, and the page itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmzoo.report.agreement import expected_grey, expected_image, local_correlation, window_mm
from mmzoo.report.page import assemble
from mmzoo.report.volumes import bytes_of, data_url, factors_to, packed, shrunk
from mmzoo.spatial.view import PLANES, planes_through

MAX_VOXELS = 2_000_000  # of each image; a page is 1 to 3 MB then, 9 MB for pure noise
MAX_MAP_VOXELS = 150_000  # of field, determinant and agreement
LOG_RANGE = float(np.log(4.0))  # of the determinant: a quarter to four times the volume


@dataclass(frozen=True)
class Stage:
    """The moving image on the grid of the fixed one, at one stage of the registration.

    Attributes:
        name: what the button says.
        image: (dim1, dim2, dim3), greys of [0, 1].
        labels: label map, (dim1, dim2, dim3) of 0 to 255, or None.
    """

    name: str
    image: np.ndarray
    labels: np.ndarray | None = None


@dataclass(frozen=True)
class Scene:
    """All that the page draws; axes point right, anterior and superior.

    Attributes:
        fixed: (dim1, dim2, dim3), greys of [0, 1]; a slice has one voxel along an axis.
        spacing_mm: voxel size.
        affine: (4, 4), voxel to RAS mm, of the same grid.
        stages: from by the headers to the end.
        displacement_mm: (m1, m2, m3, 3), mm along the axes, of the field alone, over the same box.
        determinant: (m1, m2, m3), its Jacobian determinant.
        map_spacing_mm: voxel size of these two; both grids begin at the same corner.
        labels: label map of the fixed image, or None.
        structures: name of each label value, where there are any.
    """

    fixed: np.ndarray
    spacing_mm: tuple[float, ...]
    affine: np.ndarray
    stages: tuple[Stage, ...]
    displacement_mm: np.ndarray
    determinant: np.ndarray
    map_spacing_mm: tuple[float, ...]
    labels: np.ndarray | None = None
    structures: dict[int, str] = field(default_factory=dict)


def write_page(
    path: Path,
    scene: Scene,
    *,
    title: str,
    notes: list[str],
    tables: list,
    pictures: Mapping[str, bytes] | None = None,
) -> None:
    """Write the page.

    Args:
        path: HTML file.
        scene: what is drawn.
        title: heading.
        notes: sentences; those that begin with "doubtful" stand out.
        tables: dicts of "title", "head" (a list, may be empty) and "rows" (lists of text or
            numbers).
        pictures: PNG files by their heading, shown above the tables.
    """
    content = {
        "title": title,
        "notes": notes,
        "tables": tables,
        "pictures": [
            {"title": heading, "url": data_url(picture)}
            for heading, picture in (pictures or {}).items()
        ],
        "size": scene.fixed.shape,
        "spacing": scene.spacing_mm,
        "affine": np.asarray(scene.affine, float).round(5).tolist(),
        "planes": _planes(scene),
        "focus": _focus(scene),
        "fixed": packed(bytes_of(scene.fixed, 0, 1), exact=False),
        "stages": [_stage(stage) for stage in scene.stages],
        "maps": _maps(scene),
        "expected": (expected_grey(scene.fixed, scene.stages[-1].image) * 255).round(1).tolist(),
        "structures": {str(value): name for value, name in scene.structures.items()},
    }
    if scene.labels is not None:
        content["labels"] = packed(scene.labels.astype(np.uint8), exact=True)
    path.write_text(assemble("registration", title, content), encoding="utf-8")


def _planes(scene: Scene) -> list[dict]:
    """Return three planes; of a slice, one voxel along an axis, its own alone."""
    shape = scene.fixed.shape
    planes = planes_through((0, 0, 0), shape, scene.spacing_mm)
    return [
        {"name": plane.name, "cut": cut, "right": right, "up": up, "marks": plane.marks}
        for plane, (_, cut, right, up) in zip(planes, PLANES, strict=True)
        if min(shape) > 1 or cut == shape.index(1)
    ]


def _focus(scene: Scene) -> list[int]:
    """Return the voxel at which the page opens: the middle of what is bright, or labelled."""
    weights = scene.fixed if scene.labels is None or not scene.labels.any() else scene.labels > 0
    places = []
    for axis in range(3):
        mass = np.asarray(weights).sum(axis=tuple(a for a in range(3) if a != axis), dtype=float)
        share = np.cumsum(mass) / mass.sum() if mass.sum() else np.linspace(0, 1, len(mass))
        places.append(int(np.searchsorted(share, 0.5)))
    return places


def _stage(stage: Stage) -> dict:
    found = {"name": stage.name, "image": packed(bytes_of(stage.image, 0, 1), exact=False)}
    if stage.labels is not None:
        found["labels"] = packed(stage.labels.astype(np.uint8), exact=True)
    return found


def _maps(scene: Scene) -> dict:
    """Return displacement, logarithm of the determinant and agreement, 8 bits each."""
    vectors = scene.displacement_mm
    longest = max(float(np.abs(vectors).max()), 1e-3)
    kept = scene.determinant > 0
    logarithm = np.log(np.where(kept, scene.determinant, 1.0))
    shades = np.maximum(bytes_of(logarithm, -LOG_RANGE, LOG_RANGE), 1)  # 0 is for folds
    alike = agreement(scene)
    return {
        "size": vectors.shape[:3],
        "spacing": scene.map_spacing_mm,
        "longest": longest,
        "log_range": LOG_RANGE,
        "moved": bool(np.abs(vectors).max() > 1e-3),
        "displacement": packed(bytes_of(vectors, -longest, longest), exact=True),
        "determinant": packed(np.where(kept, shades, 0).astype(np.uint8), exact=True),
        "agreement": {
            **packed(alike[0], exact=True),
            "size": alike[0].shape,
            "spacing": alike[1],
            "window": round(window_mm(scene.fixed.shape, scene.spacing_mm), 2),
        },
    }


def agreement(scene: Scene) -> tuple[np.ndarray, tuple[float, ...]]:
    """Return `local_agreement` of the fixed image and the last stage, on a coarse grid.

    Returns:
        Map of uint8, 0 where a window is flat and tells nothing, else 1 to 255 for 0 to 1; its
        voxel size.
    """
    spacing = np.array(scene.spacing_mm)
    factors = factors_to(scene.fixed.shape, spacing, MAX_MAP_VOXELS)
    expected = expected_image(scene.fixed, scene.stages[-1].image)
    own = tuple(float(step) for step in spacing * factors)
    window = window_mm(scene.fixed.shape, scene.spacing_mm)
    share = local_correlation(shrunk(scene.fixed, factors), shrunk(expected, factors), own, window)
    seen = np.isfinite(share)
    shades = bytes_of(np.where(seen, share, 0), 0, 1)
    return np.where(seen, np.maximum(shades, 1), 0).astype(np.uint8), own
