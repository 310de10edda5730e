"""The picture of two slices: before and after, displacement, Jacobian determinant, agreement."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mmzoo.metrics import jacobian_determinant
from mmzoo.registration.flat import in_plane
from mmzoo.registration.result import Registration
from mmzoo.registration.stages import resampled
from mmzoo.registration.transform import voxels
from mmzoo.report.agreement import local_agreement
from mmzoo.spatial.view import frame_slice, planes_through, show_slice

TILES = 8  # along each side
COLOURS = {"displacement, mm": "viridis", "determinant": "coolwarm", "agreement": "magma"}
LIMITS = {"determinant": (0, 2), "agreement": (0, 1)}


def draw_slices(path: Path, found: Registration, title: str) -> None:
    """Write a picture as PNG; "moving" is the slice after the linear stage.

    Args:
        path: file to write.
        found: the registration of two slices.
        title: heading.
    """
    thin = int(np.argmin(found.fixed.GetSize()))
    fixed = _array(found.fixed, thin)
    moving = _array(resampled(found.moving, found.fixed, found.linear, sitk.sitkLinear), thin)
    warped = _array(sitk.DICOMOrient(found.warped, "RAS"), thin)
    rows, columns = np.indices(fixed.shape) * TILES // np.array(fixed.shape).reshape(2, 1, 1)
    tiles = np.where((rows + columns) % 2 == 0, _scaled(fixed), _scaled(warped))
    length, determinant = _field(found)
    spacing = np.delete(found.fixed.GetSpacing(), thin)
    panels = {
        "fixed": fixed,
        "moving": moving,
        "warped": warped,
        "fixed / warped tiles": tiles,
        "displacement, mm": length,
        "determinant": determinant,
        "agreement": local_agreement(_scaled(fixed), _scaled(warped), spacing.tolist()),
    }
    figure = Figure(figsize=(3 * len(panels), 4.6), layout="constrained")
    planes = planes_through((0, 0, 0), found.fixed.GetSize(), found.fixed.GetSpacing())
    plane = next(plane for plane in planes if plane.cut == thin)
    for axes, (name, values) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        colours = COLOURS.get(name, "gray")
        limits = LIMITS.get(name, (None, None))
        options = {"cmap": colours, "vmin": limits[0], "vmax": limits[1]}
        show_slice(axes, plane, values[::-1].T, **options)
        axes.set_title(name, fontsize=10)
        if colours != "gray":
            figure.colorbar(axes.images[0], ax=axes, shrink=0.7)
        frame_slice(axes, plane, 8)
    figure.suptitle(title, fontsize=10)
    FigureCanvasAgg(figure).print_png(str(path), pil_kwargs={"compress_level": 1})


def _field(found: Registration) -> tuple[np.ndarray, np.ndarray]:
    """Return the field's length in mm and its Jacobian determinant within the slice."""
    field = voxels(found.displacement, found.fixed)
    length = np.linalg.norm(field * found.fixed.GetSpacing(), axis=-1)
    return np.squeeze(length), jacobian_determinant(in_plane(field))


def _array(image: sitk.Image, thin: int) -> np.ndarray:
    return np.squeeze(sitk.GetArrayFromImage(image).transpose(2, 1, 0), axis=thin)


def _scaled(values: np.ndarray) -> np.ndarray:
    low, high = np.percentile(values, (1, 99))
    return np.clip((values - low) / max(high - low, 1e-12), 0, 1)
