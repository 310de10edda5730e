"""Rigid alignment of pairs and resampling to a grid of given voxels: van Ulsen 2022, 3.2.

The moving image is rigidly aligned to the fixed one on one structure. Both are resampled once by
windowed sinc (Lanczos), labels to the nearest voxel, onto a box round the fixed image's labels, and
intensities between two percentiles are mapped linearly to [0, 1]. The thesis does not mention
clipping; here values outside become 0 or 1.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import SimpleITK as sitk

from mmzoo.datasets import steps
from mmzoo.io.images import Loaded, read_image, read_labels
from mmzoo.spatial import geometry
from mmzoo.spatial.frames import change_frame, ras_affine, transform_of

Align = Callable[[sitk.Image, sitk.Image], np.ndarray]


@dataclass(frozen=True)
class AlignedGrid:
    """Aligns and resamples pairs for `prepare_pairs`; see its argument `place`.

    Attributes:
        size: voxels along each axis, towards right, front and up.
        spacing: voxel size in mm.
        percentiles: of intensities that become 0 and 1.
        label_value: of the label that is aligned; None aligns the images.
        align: takes the fixed and the moving mask, or the images, and returns the (4, 4) motion
            from the fixed to the moving in ITK's mm; None leaves images where their headers say.
        on_note: called with a note on each pair: its motion, and labels that it lacks.
        motions: filled with the rigid motion of each moving case, (4, 4) in RAS mm, from points of
            the fixed image to the moving image as it was read. It is undone in what is written.
    """

    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    percentiles: tuple[float, float]
    label_value: int | None
    align: Align | None
    on_note: Callable[[str], None] = lambda line: None
    motions: dict[str, list] = field(default_factory=dict)

    def __call__(self, files: dict, label_files: dict, values: list[int]):
        """Return the shape of all pairs, and case -> (image, labels, affine, source)."""
        cases: dict = {}
        for k in range(len(files["fixed"])):
            names = {role: files[role][k] for role in files}
            read = {role: read_image(path) for role, path in names.items()}
            drawn = {
                role: read_labels(paths[k], on=read[role]) for role, paths in label_files.items()
            }
            self._tell_notes([*read.values(), *drawn.values()])
            images = {role: loaded.image for role, loaded in read.items()}
            maps = {role: loaded.image for role, loaded in drawn.items()}
            motion = self._motion(k, names, images, maps)
            self.motions[f"moving_{k:03d}"] = change_frame(motion).tolist()
            grid = self._grid(images["fixed"], maps.get("fixed"), values)
            for role, image in images.items():
                to_image = transform_of(motion if role == "moving" else np.eye(4))
                on_grid = self._intensities(names[role], _lanczos(image, grid, to_image))
                labels = None
                if maps:
                    labels = _nearest(maps[role], grid, to_image, values)
                    self._tell_missing(label_files[role][k], labels, values)
                affine, source = ras_affine(grid), str(names[role].resolve())
                cases[f"{role}_{k:03d}"] = (on_grid, labels, affine, source)
        return self.size, cases

    def _tell_notes(self, loaded: list[Loaded]) -> None:
        for note in dict.fromkeys(note for each in loaded for note in each.notes):
            self.on_note(note)

    def _motion(self, k: int, names: dict, images: dict, maps: dict) -> np.ndarray:
        """Return the rigid motion from the fixed to the moving image, (4, 4), LPS mm."""
        if self.align is None:
            return np.eye(4)
        pair = images
        if self.label_value is not None:
            pair = {role: maps[role] == self.label_value for role in maps}
            for role, mask in pair.items():
                if not sitk.GetArrayViewFromImage(mask).any():
                    raise ValueError(
                        f"the labels of {names[role]} have no voxel of {self.label_value}, which "
                        "is to be aligned; choose another --align-value, or --align images."
                    )
        try:
            motion = self.align(pair["fixed"], pair["moving"])
        except RuntimeError as error:
            raise ValueError(f"{names['moving']} and {names['fixed']}: {error}") from error
        turn = np.degrees(np.arccos(np.clip((np.trace(motion[:3, :3]) - 1) / 2, -1, 1)))
        middle = np.append(_middle(pair["fixed"], self.label_value is not None), 1.0)
        shift = np.linalg.norm((motion @ middle - middle)[:3])
        self.on_note(f"pair {k}: moved by {shift:.1f} mm, turned by {turn:.1f} degrees")
        return motion

    def _grid(self, fixed: sitk.Image, labels: sitk.Image | None, values) -> sitk.Image:
        """Return the grid round the fixed image's labels; without labels, round its middle."""
        box = steps.whole_box(fixed) if labels is None else steps.label_box(labels, values)
        box = steps.centred_box(fixed, box, np.multiply(self.size, self.spacing))
        return geometry.make_grid(fixed, *box, self.size)

    def _intensities(self, path, image: np.ndarray) -> np.ndarray:
        low, high = np.percentile(image, self.percentiles)
        if not high > low:
            raise ValueError(
                f"{path} shows next to nothing on the grid: all of it is {low:g} between its "
                f"percentiles {self.percentiles}. Is the pair's alignment right, the field of view "
                "not too large?"
            )
        return np.clip((image - low) / (high - low), 0, 1).astype(np.float32)

    def _tell_missing(self, path, labels: np.ndarray, values: list[int]) -> None:
        lost = [value for channel, value in enumerate(values) if not labels[..., channel].any()]
        if len(lost) == len(values):
            raise ValueError(f"{path} has no voxel of label value(s) {lost} on the grid.")
        if lost:
            self.on_note(f"{path} has no voxel of label value(s) {lost}, whose channels are empty")


def _lanczos(image: sitk.Image, grid: sitk.Image, to_image: sitk.Transform) -> np.ndarray:
    smallest = float(sitk.GetArrayViewFromImage(image).min())
    sinc = sitk.sitkLanczosWindowedSinc
    return geometry.to_array(sitk.Resample(image, grid, to_image, sinc, smallest))


def _nearest(labels: sitk.Image, grid: sitk.Image, to_image: sitk.Transform, values) -> np.ndarray:
    found = geometry.to_array(sitk.Resample(labels, grid, to_image, sitk.sitkNearestNeighbor, 0))
    return np.stack([found == value for value in values], axis=-1).astype(np.uint8)


def _middle(image: sitk.Image, mask: bool) -> np.ndarray:
    if mask:
        inside = np.argwhere(sitk.GetArrayViewFromImage(image).T)
        index = inside.mean(axis=0)
    else:
        index = (np.array(image.GetSize()) - 1) / 2
    return np.array(image.TransformContinuousIndexToPhysicalPoint(index.tolist()))
