"""The picture of a registration: slices before and after, the field, its Jacobian determinant."""

import io
import tempfile
from pathlib import Path

import SimpleITK as sitk
from matplotlib.figure import Figure
from matplotlib.image import imread

from mmzoo.evaluation.picture import draw_pair
from mmzoo.evaluation.volumes import PairData
from mmzoo.registration.drawing_flat import draw_slices
from mmzoo.registration.frame import ImagePair, choose_box
from mmzoo.registration.result import Registration, stages_of
from mmzoo.registration.stages import resampled
from mmzoo.registration.transform import voxels
from mmzoo.spatial.frames import ras_affine
from mmzoo.spatial.geometry import to_array

MAX_VOXELS = 400_000  # of what is drawn


def draw_registration(path: Path, found: Registration) -> None:
    """Write a picture as `mmzoo evaluate` draws them.

    "moving" is the image after the rigid or affine stage, on the fixed image's grid; displacement
    and determinant are those of the field alone.
    """
    if found.is_flat:
        draw_slices(path, found, _heading(found.report))
        return
    box = choose_box(ImagePair(found.fixed, found.moving), None, MAX_VOXELS)
    grid = box.grid(found.fixed, box.shape)
    data = PairData(
        moving=to_array(resampled(found.moving, grid, found.linear, sitk.sitkLinear)),
        fixed=to_array(resampled(found.fixed, grid, sitk.Transform(), sitk.sitkLinear)),
        ddf=voxels(found.displacement, grid),
        backward_ddf=None,
        moving_labels=(),
        fixed_labels=(),
        affine=ras_affine(grid),
        spacing_mm=grid.GetSpacing(),
    )
    draw_pair(path, data, structures=(), title=_heading(found.report))


def _heading(report: dict) -> str:
    settings, nmi = report["settings"], report["nmi"]
    stages = ", ".join(f"{name} {value}" for name, value in nmi.items())
    return (
        f"mmzoo register: {stages_of(settings)}\n"
        f"moving: after the {settings['initial']} stage; normalised mutual information {stages}"
    )


class Picture(Figure):
    """A figure that notebooks display as the value of a cell."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


def picture(found: Registration) -> Picture:
    """Return what `draw_registration` draws, as a figure."""
    with tempfile.TemporaryDirectory() as folder:
        draw_registration(Path(folder) / "picture.png", found)
        pixels = imread(Path(folder) / "picture.png")
    figure = Picture(figsize=(pixels.shape[1] / 100, pixels.shape[0] / 100), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(pixels, interpolation="none")
    axes.set_axis_off()
    return figure
