"""A picture of a data set: middle slices of its first cases, with the outlines of their labels."""

import json
from itertools import zip_longest
from pathlib import Path

import nibabel as nib
import numpy as np

MAX_CASES = 4
PLANES = ("sagittal", "coronal", "axial")  # the axis that is cut, of volumes in RAS order


def draw_overview(folder: Path) -> Path:
    """Write FOLDER/overview.png and return its path.

    Args:
        folder: a data set with `mmzoo.json`, `images/` and maybe `labels/`. Slices go through the
            middle of the volume and are drawn in proportion to their voxel size.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    description = json.loads((folder / "mmzoo.json").read_text())
    cases, planes = choose_cases(description), description.get("planes", PLANES)
    figure, axes = plt.subplots(
        len(cases), 3, figsize=(9, 3 * len(cases)), squeeze=False, facecolor="black"
    )
    for row, name in zip(axes, cases, strict=True):
        image = nib.load(folder / "images" / f"{name}.nii.gz")
        labels = folder / "labels" / f"{name}.nii.gz"
        values = nib.load(labels).get_fdata() if labels.exists() else None
        for axis, panel in enumerate(row):
            shown = image.get_fdata(), image.header.get_zooms()[:3]
            draw_slice(panel, *shown, values, axis, f"{name}, {planes[axis]}")
    figure.tight_layout()
    figure.savefig(folder / "overview.png", dpi=80)
    plt.close(figure)
    return folder / "overview.png"


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


def draw_slice(panel, image: np.ndarray, spacing_mm, labels, axis: int, title: str) -> None:
    """Draw one slice through the middle, and the outline of every label that it meets.

    Args:
        panel: axes of matplotlib.
        image: (dim1, dim2, dim3).
        spacing_mm: its voxel sizes.
        labels: (dim1, dim2, dim3, num_labels) binary, or None.
        axis: which is cut.
        title: what stands above.
    """
    middle = image.shape[axis] // 2
    spacing = np.delete(spacing_mm, axis)
    aspect = float(spacing[1] / spacing[0])
    panel.imshow(np.take(image, middle, axis).T, cmap="gray", origin="lower", aspect=aspect)
    for channel in range(labels.shape[-1] if labels is not None else 0):
        outline = np.take(labels[..., channel], middle, axis)
        if outline.any():
            panel.contour(outline.T, [0.5], colors=f"C{channel}", linewidths=0.8)
    panel.set_title(title, color="white", fontsize=8)
    panel.axis("off")
