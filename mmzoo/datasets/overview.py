"""A picture of a data set: middle slices of its first cases, with the outlines of their labels."""

import json
from itertools import zip_longest
from pathlib import Path

import nibabel as nib
import numpy as np

from mmzoo.spatial.view import PLANES, Turn, frame_slice, planes_through, show_slice

MAX_CASES = 4
ACROSS = tuple(name for name, *_ in reversed(PLANES))  # the plane that is orthogonal to each axis


def draw_overview(folder: Path) -> Path:
    """Write FOLDER/overview.png and return its path.

    Args:
        folder: a data set with `mmzoo.json`, `images/` and maybe `labels/`. Slices go through the
            middle of the volume and are drawn in proportion to their voxel size.
    """
    description = json.loads((folder / "mmzoo.json").read_text())
    names = description.get("planes", ACROSS)

    def volumes():
        for name in choose_cases(description):
            image = nib.load(folder / "images" / f"{name}.nii.gz")
            labels = folder / "labels" / f"{name}.nii.gz"
            values = nib.load(labels).get_fdata() if labels.exists() else None
            yield name, image.get_fdata(), image.affine, values

    return draw_middles(folder / "overview.png", list(volumes()), names)


def choose_cases(description: dict) -> list[str]:
    """Return up to four names: moving and fixed cases in turn, the first of each first."""
    sides: dict[str, list[str]] = {side: [] for side in ("moving", "fixed")}
    for fold in description["folds"]:
        for split in fold.values():
            for side, names in sides.items():
                names += split[side] if split else []
    ordered = [sorted(set(names)) for names in sides.values()]
    in_turn = [name for pair in zip_longest(*ordered) for name in pair if name]
    return list(dict.fromkeys(in_turn))[:MAX_CASES]


def draw_middles(path: Path, volumes: list[tuple], names=ACROSS) -> Path:
    """Draw three slices through the middle of each volume, a row each, and return the path.

    Args:
        path: PNG to write.
        volumes: of each its name, (dim1, dim2, dim3), its affine (voxel to RAS mm), and (dim1,
            dim2, dim3, num_labels) binary, or None.
        names: titles of the slices orthogonal to the right, anterior and superior axis.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3 * len(volumes)), dpi=80, facecolor="black")
    axes = figure.subplots(len(volumes), 3, squeeze=False)
    for row, (name, image, affine, labels) in zip(axes, volumes, strict=True):
        turn = Turn.from_affine(affine)
        grey = turn.volume(image)
        middle = tuple(n // 2 for n in grey.shape)
        masks = [] if labels is None else [turn.volume(each) for each in np.moveaxis(labels, -1, 0)]
        for panel, plane in zip(
            row, reversed(planes_through(middle, grey.shape, turn.spacing_mm)), strict=True
        ):
            cut = plane.slice(grey)
            show_slice(panel, plane, cut, vmin=None, vmax=None, interpolation=None)
            for channel, mask in enumerate(masks):
                outline = plane.slice(mask)
                if outline.any() and not outline.all():
                    centres = plane.centres(grey.shape)
                    panel.contour(*centres, outline, [0.5], colors=f"C{channel}", linewidths=0.8)
            frame_slice(panel, plane, 8)
            panel.set_title(f"{name}, {names[plane.cut]}", color="white", fontsize=8)
    figure.tight_layout()
    FigureCanvasAgg(figure).print_png(str(path))
    return path
