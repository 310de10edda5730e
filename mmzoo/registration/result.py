"""The result of a registration: transform, images and report, and methods that use them."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mmzoo.checks import check_choice
from mmzoo.io import images
from mmzoo.io.points import read_points
from mmzoo.spatial.frames import FRAMES
from mmzoo.spatial.points import invert_points, transform_points


@dataclass(frozen=True)
class Registration:
    """The result of `register`.

    Attributes:
        transform: takes points of the fixed image to the moving one, mm, as SimpleITK resamples.
        warped: the moving image on the fixed image's grid, float32; outside the moving image its
            smallest value.
        ddf_mm: the whole transform as displacement, mm towards left, posterior and superior, over
            the fixed image and a little beyond.
        report: what was done: settings, seconds, similarity before and after, folding, notes.
        label: the moving image's label map on the fixed image's grid, or None.
        linear: the rigid or affine stage alone.
        displacement: of the field alone, before the linear stage; None without a field.
        fixed: the fixed image, axes turned to right-anterior-superior; `moving` too.
        way_back: computes `inverse` when it is first used.
    """

    transform: sitk.Transform
    warped: sitk.Image
    ddf_mm: sitk.Image
    report: dict
    label: sitk.Image | None
    linear: sitk.Transform
    displacement: sitk.Image | None
    fixed: sitk.Image
    moving: sitk.Image
    way_back: Callable[[], sitk.Transform]

    @property
    def is_flat(self) -> bool:
        """Whether the two images are slices."""
        return min(self.fixed.GetSize()) == 1

    @functools.cached_property
    def inverse(self) -> sitk.Transform:
        """The backward transform, of points of the moving image.

        The inverse of `transform`, exact to a twentieth of the field's voxel size where nothing
        folds. With a bidirectional network its backward field, which is approximately the inverse.
        """
        return self.way_back()

    def save(self, folder: str | Path, overwrite: bool = False) -> None:
        """Write image, transform, field, picture and report, as `mmzoo register --out` does.

        Args:
            folder: to write; made if it is not there.
            overwrite: replace an earlier registration in it.

        Raises:
            ValueError: the folder holds something that must not be replaced.
        """
        from mmzoo.registration.output import check_out, write_registration

        check_out(Path(folder), overwrite)
        write_registration(self, Path(folder))

    def apply(
        self,
        image: images.Source,
        *,
        interpolation: str = "linear",
        labels: str = "",
        inverse: bool = False,
    ) -> sitk.Image:
        """Warp another image of the moving image's space onto the fixed image's grid.

        Args:
            image: 3-D, or 4-D frame by frame: a name of a file, or an object, as of `register`.
            interpolation: "linear" or "cubic" (B-spline).
            labels: of a label map on the moving image's grid: "nearest", or "linear" (each label as
                a mask, the largest value wins).
            inverse: from the fixed image's space onto the moving image's grid.

        Returns:
            float32; labels int32 or int64; axes as the target's file has them.

        Raises:
            ValueError: for bad input, or labels that do not lie on the registered image.
        """
        from mmzoo.registration.apply import warped_image, warped_labels

        way = self.inverse if inverse else self.transform
        source = self.fixed if inverse else self.moving
        name = "fixed" if inverse else "moving"
        target = self.moving if inverse else self.warped
        if labels:
            on = images.Loaded(source, "RAS", title=f"the {name} image that was registered")
            return warped_labels(images.read_labels(image, name, on=on).image, target, way, labels)
        found = images.read_image(image, name, series=True, flat=True)
        frames = found.frames or (found.image,)
        warped = [warped_image(frame, target, way, interpolation) for frame in frames]
        return warped[0] if len(warped) == 1 else sitk.JoinSeries(warped, 0.0, found.seconds)

    def apply_points(
        self, points: np.ndarray | str | Path, *, frame: str = "", inverse: bool = False
    ) -> np.ndarray:
        """Map points from the fixed image to the moving one.

        Args:
            points: (n, 3), mm, or a file: CSV with columns x, y, z, .fcsv, .mrk.json.
            frame: "ras" (NIfTI, nibabel) or "lps" (DICOM, ITK), which way x and y count; Slicer's
                files say it.
            inverse: from the moving image to the fixed one, to a thousandth of a mm.

        Returns:
            (n, 3), mm, in the same frame.

        Raises:
            ValueError: for bad input, or a point without a preimage.
        """
        if isinstance(points, (str, Path)):
            given = read_points(Path(points), frame)
            places, frame = given.places, given.frame
        else:
            check_choice("frame", frame, FRAMES)
            places = np.asarray(points, float)
            if places.ndim != 2 or places.shape[1] != 3 or not np.isfinite(places).all():
                raise ValueError(
                    f"`points` must be finite numbers of shape (n, 3), got shape {places.shape}."
                )
            places = places * FRAMES[frame]
        carry = invert_points if inverse else transform_points
        return carry(self.transform, places) * FRAMES[frame]

    def show(self):
        """Return the picture of `mmzoo register` as a matplotlib figure, which notebooks show."""
        from mmzoo.registration.drawing import picture

        return picture(self)


def stages_of(settings: dict) -> str:
    """Return the names of the stages, from the settings of a report."""
    if "model" not in settings:
        return f"{settings['initial']}, then {settings['field']} by {settings['loss']}"
    more = f", {settings['refine']} steps of refinement" if settings["refine"] else ""
    return f"{settings['initial']}, then the network {settings['model']}{more}"
