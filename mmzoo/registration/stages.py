"""The stages of a registration: from two images to a transform."""

import functools
import time
from collections.abc import Mapping
from dataclasses import asdict, replace

import numpy as np
import SimpleITK as sitk

import mmzoo
from mmzoo import compilation_cache
from mmzoo.io import images
from mmzoo.metrics import normalised_mutual_information
from mmzoo.registration.direct import Deformation, Method, direct
from mmzoo.registration.flat import flat_pair
from mmzoo.registration.frame import ImagePair, field_of_view
from mmzoo.registration.inverse import inverse_transform
from mmzoo.registration.linear import overlaps, register_linear
from mmzoo.registration.plausibility import LEAST_SHARED, implausible, shared
from mmzoo.registration.result import Registration
from mmzoo.registration.settings import Settings
from mmzoo.registration.similarity import LOSSES
from mmzoo.registration.size import (
    enlarged_deformation,
    enlarged_linear,
    enlarged_pair,
    enlarged_settings,
    enlargement,
)
from mmzoo.registration.transform import (
    backward_composite,
    composite,
    field_grid,
)
from mmzoo.spatial.frames import matrix_of, ras_affine
from mmzoo.spatial.geometry import total_displacement
from mmzoo.terminal import Report

LEFT_OUT = (
    "the field was left out: with it the images tell no more of each other than after the linear "
    "stage"
)
WORSE = (
    "doubtful: with the network's field the images tell less of each other than after the linear "
    "stage (NMI times overlap {:.3f}, {:.3f} after); compare without `--model`"
)
OF_FIELD = ("smallest_before", "smallest_determinant", "mended")  # only in reports of fields
SIMILARITY_MM = 3.0  # voxels on which stages are compared
LITTLE = 0.05  # allowed fall of mutual information, as a share, if the loss falls clearly
SMALL = "images smaller than people's: registered as if they were {:.0f} times as large"


def register_pair(
    fixed: images.Source,
    moving: images.Source,
    *,
    fixed_mask: images.Source | None = None,
    moving_mask: images.Source | None = None,
    label: images.Source | None = None,
    method: Method | None = None,
    progress: Report = lambda stage, done, total: None,
    **options,
) -> Registration:
    """Align two images of any size, spacing, orientation and modality, volumes or slices.

    A rigid and an affine stage in physical space, then a B-spline field that minimises a loss of
    the zoo for this pair, coarse to fine. The result for a pair is deterministic.

    Args:
        fixed: NIfTI, MHA, NRRD, MGZ, a folder with one DICOM series, a SimpleITK or nibabel image,
            or (array, spacing_mm).
        moving: likewise.
        fixed_mask: where the fixed image counts, above 0; all of it if None.
        moving_mask: likewise.
        label: label map of the moving image, on its grid, to be warped too (nearest).
        method: how the field is found; None: by the loss of `options`.
        progress: called with the name of a stage, steps done and steps in all (None: not known).
        options: of `mmzoo.registration.settings.Settings`: loss, initial, field, weight,
            control_mm, resolution_mm, ...

    Returns:
        The transform, the warped image and a report.

    Raises:
        ValueError: for bad input or options; says which, and what to change.
        TypeError: for an unknown option.
    """
    settings = Settings(**options)
    compilation_cache.use()
    watch = _Watch()
    read = tuple(
        images.read_image(each, name, flat=True)
        for each, name in ((fixed, "fixed"), (moving, "moving"))
    )
    masks = (
        images.read_mask(fixed_mask, read[0], "fixed mask"),
        images.read_mask(moving_mask, read[1], "moving mask"),
    )
    labels = None if label is None else images.read_labels(label, "label", on=read[1])
    loaded = [each for each in (*read, *masks, labels) if each is not None]
    fixed_image, moving_image = (each.image for each in read)
    on_grid = [None if mask is None else mask.image for mask in masks]
    pair, slices = ImagePair(fixed_image, moving_image, on_grid[0], on_grid[1]), None
    if any(each.is_flat for each in read):
        if method is not None:
            raise ValueError("a trained network takes volumes; register slices without a model.")
        limits = settings.resolution_mm, settings.max_voxels
        slices = flat_pair((fixed_image, moving_image), (on_grid[0], on_grid[1]), *limits)
        pair = slices.pair
    watch.lap("reading")
    times = enlargement(pair)
    if times > 1:
        pair = enlarged_pair(pair, times)
    progress("rigid and affine", 0, None)
    search = (method or direct(enlarged_settings(settings, times)))(pair)
    linear, notes = register_linear(pair, settings.initial, settings.seed)
    still = sitk.Transform(3, sitk.sitkIdentity)
    small = pair.reduced(SIMILARITY_MM)
    nmi, known = _similarities(small, before=still, linear=linear)
    watch.lap("linear")
    progress("rigid and affine", 1, 1)
    if method is None and shared(nmi, known, "linear") < LEAST_SHARED:
        found = Deformation(None)  # `implausible` says why
    else:
        found = search(linear, progress)
    watch.lap("field")
    transform = composite(linear, found.displacement)
    after = _similarities(small, after=transform)
    nmi, known = nmi | after[0], known | after[1]
    if method is not None:
        without, by_field = (shared(nmi, known, stage) for stage in ("linear", "after"))
        if by_field < (1 - LITTLE) * without:
            found = replace(found, notes=(*found.notes, WORSE.format(without, by_field)))
    elif found.displacement is not None:
        if not _is_kept(nmi, known, found.report, LOSSES[settings.loss].clearly):
            rest = {key: value for key, value in found.report.items() if key not in OF_FIELD}
            found = Deformation(None, rest, (*found.notes, LEFT_OUT))
            transform = composite(linear, None)
            nmi["after"], known["after"] = nmi["linear"], known["linear"]
    overlap = _overlap(pair, linear, known["linear"])
    if times > 1:
        linear = enlarged_linear(linear, 1 / times)
        found = enlarged_deformation(found, 1 / times)
        notes = [*notes, SMALL.format(times)]
    if slices is not None:
        linear = slices.placed_linear(linear, matrix_of(linear))
        found = slices.placed(found)
        notes = [*slices.notes, *notes]
    transform = composite(linear, found.displacement)
    warped = resampled(moving_image, fixed_image, transform, sitk.sitkLinear)
    carried = None if labels is None else resampled(labels.image, fixed_image, transform, None)
    watch.lap("warping")
    headers = dict.fromkeys(note for each in loaded for note in each.notes)
    notes = [*headers, *notes, *found.notes, *implausible(overlap, nmi, known)]
    report = {
        "mmzoo": mmzoo.__version__,
        "SimpleITK": sitk.Version_VersionString(),
        "settings": asdict(settings),
        "grids": {
            name: {"size": image.GetSize(), "affine": ras_affine(image).round(5).tolist()}
            for name, image in (("fixed", fixed_image), ("moving", moving_image))
        },
        "overlap_by_headers": overlaps(pair),
        "linear": matrix_of(linear).round(6).tolist(),
        **found.report,
        "nmi": nmi,
        "share_known": known,
        "notes": notes,
        "seconds": watch.seconds,
    }
    return Registration(
        transform,
        read[0].turned_back(warped),
        total_displacement(transform, _field_grid(fixed_image, found.displacement)),
        report,
        None if carried is None else read[0].turned_back(carried),
        linear,
        found.displacement,
        fixed_image,
        moving_image,
        functools.partial(_way_back, linear, transform, found),
    )


def _is_kept(nmi: Mapping, known: Mapping, report: Mapping, clearly: float | None) -> bool:
    """Whether to keep a field: if mutual information is higher than without it, or the loss lower.

    Args:
        nmi: normalised mutual information by stage.
        known: share of the fixed image that lies in the moving one, likewise.
        report: "loss_before" and "loss_after".
        clearly: share by which the loss must fall where mutual information falls a little; None
            where it must not.
    """
    without, by_field = (shared(nmi, known, stage) for stage in ("linear", "after"))
    if by_field > without:
        return True
    if clearly is None or by_field < (1 - LITTLE) * without:
        return False
    return report["loss_after"] < (1 - clearly) * report["loss_before"]


def _way_back(linear: sitk.Transform, transform: sitk.Transform, found: Deformation):
    """Return the transform from the moving image to the fixed one."""
    if found.backward is not None:
        return backward_composite(linear, found.backward)
    if found.displacement is None:
        return linear.GetInverse()
    return inverse_transform(transform, found.displacement)


def resampled(
    image: sitk.Image, grid: sitk.Image, transform: sitk.Transform, interpolator: int | None
) -> sitk.Image:
    """Resample an image, its smallest value outside; labels (None): nearest, 0 outside."""
    if interpolator is None:
        return sitk.Resample(image, grid, transform, sitk.sitkNearestNeighbor, 0)
    smallest = float(sitk.GetArrayViewFromImage(image).min())
    return sitk.Resample(image, grid, transform, interpolator, smallest)


class _Watch:
    """Seconds of each stage."""

    def __init__(self):
        self.seconds: dict[str, float] = {}
        self._begin = time.perf_counter()

    def lap(self, name: str) -> None:
        """Record the seconds since the last lap."""
        now = time.perf_counter()
        self.seconds[name] = round(now - self._begin, 2)
        self._begin = now


def _field_grid(fixed: sitk.Image, displacement: sitk.Image | None) -> sitk.Image:
    """Return the field's grid, or a coarse one for a linear transform."""
    if displacement is not None:
        return displacement
    return field_grid(fixed, np.array(fixed.GetSize()) * fixed.GetSpacing() / 16)


def _overlap(pair: ImagePair, linear: sitk.Transform, known: float) -> float:
    """Return the share of the smaller image that overlaps the other, in the fixed image's space."""
    both = (pair.fixed, pair.moving)
    volumes = [float(np.prod(each.GetSize()) * np.prod(each.GetSpacing())) for each in both]
    volumes[1] /= abs(np.linalg.det(matrix_of(linear)[:3, :3]))
    return min(1.0, known * volumes[0] / min(volumes))


def _similarities(small: ImagePair, **stages: sitk.Transform):
    """Return normalised mutual information at stages, where both images are known.

    Args:
        small: the pair, reduced.
        stages: transforms, by name.

    Returns:
        NMI, None without overlap, and the overlapping share of the fixed image; by stage.
    """
    fixed = sitk.GetArrayViewFromImage(small.fixed)
    values: dict[str, float | None] = {}
    shares: dict[str, float] = {}
    for name, stage in stages.items():
        known = sitk.GetArrayFromImage(field_of_view(small.moving, None, small.fixed, stage)) > 0
        warped = sitk.GetArrayFromImage(
            resampled(small.moving, small.fixed, stage, sitk.sitkLinear)
        )
        shares[name] = round(float(known.mean()), 4)
        value = normalised_mutual_information(fixed[known], warped[known]) if known.any() else None
        values[name] = None if value is None else round(value, 4)
    return values, shares
