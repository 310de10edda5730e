"""Brain images made from label maps of real heads (MMZOO_REAL_DATA), in the contrasts of MR and CT.

A contrast gives each tissue a mean intensity by a table, each label its own departure from it, each
tissue outside the brain one drawn from the contrast's seed; then come partial volume, a coil's
gain and noise. As in Billot et al. 2023 (SynthSeg), with tables of contrasts in the place of
means drawn at random.
"""

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from benchmarks.registration.pair import BenchmarkPair, displacement_from
from mmzoo.io.images import read_labels
from mmzoo.phantoms.fields import SplineDeformation

TISSUES = {  # FreeSurfer's ids
    "white": (2, 41, 7, 46),
    "grey": (3, 42, 8, 47, 17, 53, 18, 54),
    "deep": (10, 49, 11, 50, 12, 51, 26, 58),
    "pallidum": (13, 52, 28, 60, 16),
    "fluid": (4, 43, 5, 44, 14, 15, 24),
}
CONTRASTS = {
    "t1": {"white": 0.95, "grey": 0.62, "deep": 0.72, "pallidum": 0.85, "fluid": 0.18},
    "t2": {"white": 0.38, "grey": 0.58, "deep": 0.48, "pallidum": 0.34, "fluid": 1.0},
    "pd": {"white": 0.62, "grey": 0.85, "deep": 0.75, "pallidum": 0.66, "fluid": 0.92},
    "flair": {"white": 0.55, "grey": 0.78, "deep": 0.7, "pallidum": 0.58, "fluid": 0.12},
    # Hounsfield units
    "ct": {"white": 28.0, "grey": 37.0, "deep": 35.0, "pallidum": 33.0, "fluid": 8.0},
}
SEEDS = {"t1": 1, "t2": 2, "pd": 3, "flair": 4, "ct": 5}
SKULL, BONE_HU, AIR_HU, CT_NOISE_HU = 515, 900.0, -1000.0, 6.0
STRUCTURES = {
    "white matter": (2, 41),
    "cortex": (3, 42),
    "ventricles": (4, 43),
    "thalamus": (10, 49),
    "caudate": (11, 50),
    "putamen": (12, 51),
    "pallidum": (13, 52),
    "hippocampus": (17, 53),
    "cerebellum": (7, 46, 8, 47),
    "brain stem": (16,),
}
DRAWN = "drawn"  # a mean for each label at random
SPACING = {
    "t1": (2.0, 2.0, 2.0),
    "t2": (1.5, 1.5, 3.0),
    "pd": (1.5, 1.5, 3.0),
    "flair": (2.0, 2.0, 2.0),
    "ct": (1.5, 1.5, 3.0),
    DRAWN: (2.0, 2.0, 2.0),
}


def brain_pair(
    folder: Path, fixed: int, moving: int, contrasts, seed: int, still: bool = False
) -> BenchmarkPair:
    """Return a pair of one person (deformed by a known field) or of two (by their labels).

    The moving image is turned and shifted by its header; the fixed one is deformed if both are one
    person, so that the true map of a point of the fixed image is known exactly. `still` does
    neither.
    """
    rng = np.random.default_rng([seed, fixed, moving])
    maps = [
        head_only(read_labels(folder / f"training_seg_{person:02d}.nii.gz").image)
        for person in (fixed, moving)
    ]
    bend = None
    if fixed == moving:
        bend = SplineDeformation(rng, middle(maps[0]), 260.0, 30.0, 0.0 if still else 4.0)
    images, labels = [], []
    for index, (contrast, source) in enumerate(zip(contrasts, maps, strict=True)):
        grid = _grid(source, SPACING[contrast])
        points = points_of(grid)
        at = bend(points) if bend and index == 0 else points
        drawn = _paint(source, contrast, rng)
        values = at_points(drawn, at, sitk.sitkLinear)
        images.append((_ct if contrast == "ct" else _image)(values, grid, rng))
        labels.append(plain(_structures(at_points(source, at, sitk.sitkNearestNeighbor)), grid))
    turn = turn_of(rng, middle(maps[1]), still)
    truth = mask = None
    if bend:
        goal = bend(points_of(images[0]))
        moved = apply_turn(turn, goal)
        truth = displacement_from(moved - points_of(images[0]), images[0])
        mask = plain((sitk.GetArrayViewFromImage(labels[0]).T > 0).astype(np.uint8), images[0])
    move_header(images[1], turn)
    move_header(labels[1], turn)
    whose = f"person {moving} to {fixed}"
    if bend:
        whose = f"person {fixed}, " + ("as they are" if still else "deformed")
    name = f"{contrasts[1]} to {contrasts[0]}, {whose}"
    return BenchmarkPair(
        "brain labels", name, images[0], images[1], labels[0], labels[1], truth, mask
    )


def head_only(labels: sitk.Image) -> sitk.Image:
    """Cut to the head."""
    index = np.argwhere(sitk.GetArrayViewFromImage(labels) > 0)[:, ::-1]
    low, high = index.min(0), index.max(0) + 1
    return labels[tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))]


def middle(image: sitk.Image) -> np.ndarray:
    half = [(n - 1) / 2 for n in image.GetSize()]
    return np.array(image.TransformContinuousIndexToPhysicalPoint(half))


def _grid(image: sitk.Image, spacing) -> sitk.Image:
    from mmzoo.spatial.geometry import make_grid

    size = np.array(image.GetSize())
    shape = np.ceil(size * image.GetSpacing() / spacing).astype(int)
    return make_grid(image, np.full(3, -0.5), size - 0.5, shape)


def points_of(image: sitk.Image) -> np.ndarray:
    index = np.moveaxis(np.indices(image.GetSize()), 0, -1) * np.array(image.GetSpacing())
    direction = np.array(image.GetDirection()).reshape(3, 3)
    return index @ direction.T + np.array(image.GetOrigin())


def at_points(image: sitk.Image, points: np.ndarray, way, outside=None) -> np.ndarray:
    """Sample an image at points in mm; beyond it its border goes on, or a value is taken."""
    from scipy.ndimage import map_coordinates

    direction = np.array(image.GetDirection()).reshape(3, 3)
    index = (points - np.array(image.GetOrigin())) @ direction / np.array(image.GetSpacing())
    volume = sitk.GetArrayViewFromImage(image).T
    order = 0 if way == sitk.sitkNearestNeighbor else 1
    how = {"mode": "nearest"} if outside is None else {"mode": "constant", "cval": outside}
    return map_coordinates(volume, np.moveaxis(index, -1, 0), order=order, **how)


def _paint(labels: sitk.Image, contrast: str, rng) -> sitk.Image:
    """Return mean intensities, smoothed as thick voxels would."""
    values = sitk.GetArrayFromImage(labels)
    table = np.zeros(int(values.max()) + 1, np.float32)
    own = rng if contrast == DRAWN else np.random.default_rng(SEEDS[contrast])
    for value in range(1, len(table)):
        table[value] = own.uniform(0.15, 0.9)  # what is outside the brain
    if contrast == "ct":
        table = 150 * table - 90  # fat to muscle
        table[0], table[SKULL] = AIR_HU, BONE_HU
    for tissue, mean in CONTRASTS.get(contrast, {}).items():
        for value in TISSUES[tissue]:
            if value < len(table):
                table[value] = mean
    table[1:] *= rng.uniform(0.95, 1.05, len(table) - 1)
    image = sitk.GetImageFromArray(table[values])
    image.CopyInformation(labels)
    sigmas = [0.4 * max(step, 1.0) for step in SPACING[contrast]]
    return sitk.SmoothingRecursiveGaussian(image, sigmas)


def _image(values: np.ndarray, grid: sitk.Image, rng) -> sitk.Image:
    from scipy.ndimage import gaussian_filter

    gain = gaussian_filter(rng.normal(size=values.shape), [40 / s for s in grid.GetSpacing()])
    gain = 1 + 0.1 * gain / np.abs(gain).max()
    noise = rng.normal(0, 0.03, (2, *values.shape))
    return plain(np.hypot(values * gain + noise[0], noise[1]).astype(np.float32), grid)


def _ct(values: np.ndarray, grid: sitk.Image, rng) -> sitk.Image:
    noisy = values + rng.normal(0, CT_NOISE_HU, values.shape)
    return plain(noisy.astype(np.float32), grid)


def _structures(values: np.ndarray) -> np.ndarray:
    out = np.zeros(values.shape, np.uint8)
    for index, ids in enumerate(STRUCTURES.values(), start=1):
        out[np.isin(values, ids)] = index
    return out


def plain(values: np.ndarray, grid: sitk.Image) -> sitk.Image:
    image = sitk.GetImageFromArray(np.ascontiguousarray(values.T))
    image.CopyInformation(grid)
    return image


def turn_of(rng, centre, still: bool = False) -> sitk.Euler3DTransform:
    turn = sitk.Euler3DTransform()
    turn.SetCenter(centre.tolist())
    if still:
        return turn
    turn.SetRotation(*np.deg2rad(rng.uniform(-10, 10, 3)).tolist())
    turn.SetTranslation(rng.uniform(-12, 12, 3).tolist())
    return turn


def apply_turn(turn: sitk.Euler3DTransform, points: np.ndarray) -> np.ndarray:
    matrix = np.array(turn.GetMatrix()).reshape(3, 3)
    centre = np.array(turn.GetCenter())
    return (points - centre) @ matrix.T + centre + np.array(turn.GetTranslation())


def move_header(image: sitk.Image, turn: sitk.Euler3DTransform) -> None:
    """Move an image in space by its header alone."""
    matrix = np.array(turn.GetMatrix()).reshape(3, 3)
    image.SetOrigin(turn.TransformPoint(image.GetOrigin()))
    image.SetDirection((matrix @ np.array(image.GetDirection()).reshape(3, 3)).ravel().tolist())
