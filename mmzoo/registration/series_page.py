"""The page of a series: its mean, the frame that moved most before and after, and the motion."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mmzoo.registration.frame import reduced, whole_box
from mmzoo.registration.page_scene import grey
from mmzoo.registration.pair_page import origins, write_report
from mmzoo.registration.series import PARAMETERS, SeriesRegistration
from mmzoo.registration.stages import resampled
from mmzoo.report.scene import MAX_MAP_VOXELS, MAX_VOXELS, Scene, Stage, write_page
from mmzoo.spatial.frames import ras_affine
from mmzoo.spatial.view import window

FAR = "mean_displacement_mm"
COLUMNS = ("frame", "seconds", *PARAMETERS, FAR)
HEAD = (
    *("frame", "seconds", "turn x, degrees", "turn y", "turn z"),
    *("shift x, mm", "shift y", "shift z", "mean displacement, mm"),
)


def write_series_report(path: Path, found: SeriesRegistration, report: dict, plot: bytes) -> None:
    """Write the page: with a fixed image that of the mean's registration, and the motion.

    Args:
        path: HTML file.
        found: the registration.
        report: what `registration.json` holds.
        plot: the motion's curves, PNG.
    """
    rows = [[row[name] for name in COLUMNS] for row in found.motion]
    motion = {"title": "Motion of each frame against the mean", "head": HEAD, "rows": rows}
    pictures = {"Motion": plot}
    if found.registration is not None:
        write_report(path, found.registration, report, [motion], pictures)
        return
    name = Path(report.get("files", {}).get("moving", "a series")).name
    title = f"{name}: {len(rows)} frames aligned to their mean, which counts as the fixed image"
    scene = series_scene(found)
    tables = [motion, *origins(report)]
    notes = report["notes"]
    write_page(path, scene, title=title, notes=notes, tables=tables, pictures=pictures)


def series_scene(found: SeriesRegistration) -> Scene:
    """Return the mean, and the frame of the largest motion before and after alignment."""
    mean = sitk.DICOMOrient(found.mean, "RAS")
    box, coarse = (whole_box(mean, most) for most in (MAX_VOXELS, MAX_MAP_VOXELS))
    grid = box.grid(mean, box.shape)
    limits = window(sitk.GetArrayViewFromImage(mean))
    farthest = int(np.argmax([row[FAR] for row in found.motion]))
    frame = reduced(found.frames[farthest], float(min(box.spacing_mm)))

    def warped_grey(image: sitk.Image, way: sitk.Transform) -> np.ndarray:
        return grey(resampled(image, grid, way, sitk.sitkLinear), limits)

    still = sitk.Transform(3, sitk.sitkIdentity)
    return Scene(
        fixed=warped_grey(mean, still),
        spacing_mm=grid.GetSpacing(),
        affine=ras_affine(grid),
        stages=(
            Stage(f"frame {farthest} before", warped_grey(frame, still)),
            Stage(f"frame {farthest} after", warped_grey(frame, found.transforms[farthest])),
        ),
        displacement_mm=np.zeros((*coarse.shape, 3), np.float32),
        determinant=np.ones(coarse.shape),
        map_spacing_mm=tuple(coarse.spacing_mm),
    )
