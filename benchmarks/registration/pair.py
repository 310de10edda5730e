"""A pair of images of which is known how far a registration of it is off."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from mmzoo.datasets import phantom
from mmzoo.metrics import dice
from mmzoo.phantoms.settings import phantom_module

SIZES = {
    "heart": (64, 64, 64),
    "abdomen": (64, 64, 64),
    "breast": (80, 80, 80),
    "cine": (96, 96, 12),
    "brain": (80, 96, 80),
    "spine": (48, 80, 80),
}


@dataclass
class BenchmarkPair:
    """Two images, with label maps, and the true map of points of one person.

    Attributes:
        group: what kind of data.
        name: which pair.
        fixed: image; `moving` too.
        fixed_labels: label map of the fixed image; `moving_labels` too.
        truth: displacement of points of the fixed image, mm (vector image), or None.
        mask: voxels of `truth` that count.
        initial: stage before the field, as `mmzoo register --initial` has it.
    """

    group: str
    name: str
    fixed: sitk.Image
    moving: sitk.Image
    fixed_labels: sitk.Image
    moving_labels: sitk.Image
    truth: sitk.Image | None
    mask: sitk.Image | None
    initial: str = "affine"

    def score(self, transform: sitk.Transform) -> tuple[float, float]:
        """Return mean Dice over the labels, and the TRE in mm (NaN where there is no truth)."""
        warped = sitk.Resample(
            self.moving_labels, self.fixed_labels, transform, sitk.sitkNearestNeighbor, 0
        )
        a, b = (sitk.GetArrayViewFromImage(x) for x in (self.fixed_labels, warped))
        values = [dice(a == v, b == v) for v in np.unique(a) if v]
        return float(np.mean(values)), self._error_mm(transform)

    def _error_mm(self, transform: sitk.Transform) -> float:
        if self.truth is None or self.mask is None:
            return float("nan")
        grid = self.truth
        found = sitk.GetArrayFromImage(
            sitk.TransformToDisplacementField(
                transform, sitk.sitkVectorFloat64, grid.GetSize(), grid.GetOrigin(),
                grid.GetSpacing(), grid.GetDirection(),
            )
        )  # fmt: skip
        counts = sitk.GetArrayViewFromImage(self.mask) > 0
        gap = found[counts] - sitk.GetArrayViewFromImage(self.truth)[counts]
        return float(np.linalg.norm(gap, axis=-1).mean())


def displacement_from(vectors: np.ndarray, grid: sitk.Image) -> sitk.Image:
    """Return vectors (dim1, dim2, dim3, 3), mm, as an image."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(vectors.transpose(2, 1, 0, 3)), True)
    image.CopyInformation(grid)
    return image


def phantom_pair(name: str, index: int, seed: int) -> BenchmarkPair:
    """Return a pair of a phantom: of one person with the true field, or of two people."""
    settings = phantom.PhantomSettings(name, SIZES[name], seed=seed)
    fixed_modality = phantom_module(name).FIXED
    fixed, fixed_labels, affine = phantom.make_case(settings, fixed_modality, index)
    moving, moving_labels, moving_affine = phantom.make_case(settings, settings.moving, index)
    truth = mask = None
    fixed_image = _image(fixed, affine)
    if settings.same_person:
        ddf, _ = phantom.true_field(settings, index)
        known = np.isfinite(ddf).all(-1)
        body = known & (fixed_labels.max(-1) > 0 if name in ("spine", "cine") else True)
        # The grid's axes are RAS, ITK's millimetres LPS.
        vectors = np.nan_to_num(ddf) * np.diag(affine)[:3] * [-1, -1, 1]
        truth = displacement_from(vectors, fixed_image)
        mask = _image(body.astype(np.uint8), affine)
    return BenchmarkPair(
        name,
        f"{settings.moving} to {fixed_modality}, {index}",
        fixed_image,
        _image(moving, moving_affine),
        _image(_map(fixed_labels), affine),
        _image(_map(moving_labels), moving_affine),
        truth,
        mask,
    )


def _map(labels: np.ndarray) -> np.ndarray:
    """Return a label map of binary channels; a later channel covers an earlier one."""
    out = np.zeros(labels.shape[:-1], np.uint8)
    for channel in range(labels.shape[-1]):
        out[labels[..., channel] > 0] = channel + 1
    return out


def _image(values: np.ndarray, affine: np.ndarray) -> sitk.Image:
    image = sitk.GetImageFromArray(np.ascontiguousarray(values.T))
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    flip = np.diag([-1.0, -1.0, 1.0])
    image.SetSpacing(spacing.tolist())
    image.SetDirection((flip @ affine[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin((flip @ affine[:3, 3]).tolist())
    return image
