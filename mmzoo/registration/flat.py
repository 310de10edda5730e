"""2-D registration: two slices as volumes that repeat them along z, moved within the plane.

In these volumes x and y run along the fixed slice and z along its normal, and nothing depends on z.
The transform found is the same in each slice, and is converted to the slices' positions in space.
"""

from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk

from mmzoo.registration.direct import Deformation
from mmzoo.registration.frame import ImagePair
from mmzoo.registration.transform import displacement_image
from mmzoo.spatial.frames import transform_of

SLICES = 8  # of the volumes: four at the coarse level, the fewest that a level has
MOST_DEGREES = 20.0  # between the planes


@dataclass(frozen=True)
class FlatPair:
    """A pair of slices as volumes, and where the slices lie.

    Attributes:
        pair: the volumes; x and y from the fixed slice's first voxel along its axes.
        fixed_place: (4, 4), from coordinates of the volumes to those of the fixed slice, LPS mm.
        moving_place: (4, 4), likewise to the moving slice.
        notes: for the user.
    """

    pair: ImagePair
    fixed_place: np.ndarray
    moving_place: np.ndarray
    notes: tuple[str, ...] = ()

    def placed_linear(self, linear: sitk.Transform, matrix: np.ndarray) -> sitk.AffineTransform:
        """Convert a linear transform of the volumes to one from the fixed to the moving slice.

        Args:
            linear: the transform.
            matrix: of it, (4, 4).
        """
        whole = self.moving_place @ matrix @ np.linalg.inv(self.fixed_place)
        return transform_of(whole)

    def placed(self, found: Deformation) -> Deformation:
        """Convert a deformation of the volumes to one of the fixed slice."""
        if found.displacement is None:
            return found
        vectors = sitk.GetArrayFromImage(found.displacement).transpose(2, 1, 0, 3)
        middle = vectors[:, :, [vectors.shape[2] // 2]] * [1.0, 1.0, 0.0]
        turn, grid = self.fixed_place[:3, :3], found.displacement
        whole = displacement_image(np.repeat(middle, vectors.shape[2], 2) @ turn.T, grid)
        # The fixed slice lies in the middle of what the field covers.
        first = np.array(grid.GetOrigin())
        first[2] = -grid.GetSpacing()[2] * (grid.GetSize()[2] - 1) / 2
        whole.SetOrigin((turn @ first + self.fixed_place[:3, 3]).tolist())
        whole.SetDirection(turn.ravel().tolist())
        return replace(found, displacement=whole)


def flat_pair(
    images: tuple[sitk.Image, sitk.Image],
    masks: tuple[sitk.Image | None, sitk.Image | None],
    resolution_mm: float | None,
    max_voxels: int,
) -> FlatPair:
    """Return two slices as volumes that repeat them.

    Args:
        images: fixed and moving, 3-D, one voxel along one axis each.
        masks: of them, or None.
        resolution_mm: finest voxel size of the comparison.
        max_voxels: of the volumes.

    Raises:
        ValueError: one is a volume, or the two lie in planes that are turned against each other.
    """
    thin = [int(np.argmin(image.GetSize())) for image in images]
    if any(min(image.GetSize()) > 1 for image in images):
        raise ValueError(
            f"one image is a slice and the other a volume (sizes {images[0].GetSize()} and "
            f"{images[1].GetSize()}): register two slices, or two volumes."
        )
    axes = [_axes(image, axis) for image, axis in zip(images, thin, strict=True)]
    origins = [np.array(image.GetOrigin()) for image in images]
    if axes[0][:, 2] @ axes[1][:, 2] < 0:
        axes[1][:, 2] *= -1
    tilt = float(np.degrees(np.arccos(np.clip(axes[0][:, 2] @ axes[1][:, 2], -1, 1))))
    if tilt > MOST_DEGREES:
        raise ValueError(
            f"the two slices lie in planes that are turned by {tilt:.0f} degrees against each "
            "other, and a slice is only moved within its plane; do they belong together?"
        )
    fixed_place, moving_place = np.eye(4), np.eye(4)
    fixed_place[:3, :3], fixed_place[:3, 3] = axes[0], origins[0]
    gap = axes[0].T @ (origins[1] - origins[0])
    # Axes of the moving plane: the fixed one's x and y, rotated onto it.
    moving_place[:3, :3] = _tipped(axes[0], axes[1][:, 2])
    inside = moving_place[:3, :3] @ [gap[0], gap[1], 0.0]
    moving_place[:3, 3] = origins[1] - inside
    notes = []
    if tilt > 0.5 or abs(gap[2]) > 0.5:
        notes.append(
            f"the moving slice lies {abs(gap[2]):.1f} mm before or behind the fixed one and is "
            f"turned out of its plane by {tilt:.1f} degrees: only what is within the planes is "
            "looked for"
        )
    step = _step(images, thin, resolution_mm, max_voxels)
    places = fixed_place, moving_place
    whole = [_repeated(images[k], thin[k], places[k], step) for k in range(2)]
    kept = [
        None if mask is None else _repeated(mask, thin[k], places[k], step)
        for k, mask in enumerate(masks)
    ]
    pair = ImagePair(whole[0], whole[1], kept[0], kept[1], flat=True)
    return FlatPair(pair, *places, tuple(notes))


def to_moving_plane(fixed: sitk.Image, moving: sitk.Image) -> sitk.Transform:
    """Return the rigid transform between the planes of two slices, without in-plane motion."""
    pair = flat_pair((fixed, moving), (None, None), None, 10**9)
    return transform_of(pair.moving_place @ np.linalg.inv(pair.fixed_place))


def in_plane(ddf: np.ndarray) -> np.ndarray:
    """Return the field of a slice, one voxel along an axis, as (dim1, dim2, 2); volumes as is.

    Args:
        ddf: (dim1, dim2, dim3, 3), voxels.
    """
    shape = ddf.shape[:-1]
    if min(shape) > 1:
        return ddf
    thin = int(np.argmin(shape))
    return np.delete(np.squeeze(ddf, axis=thin), thin, axis=-1)


def _axes(image: sitk.Image, thin: int) -> np.ndarray:
    """Return the axes of a slice as columns, its normal last, a right-handed frame."""
    direction = np.array(image.GetDirection()).reshape(3, 3)
    first, second = (direction[:, k] for k in range(3) if k != thin)
    return np.stack([first, second, np.cross(first, second)], axis=1)


def _tipped(axes: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Rotate axes by the smallest rotation that aligns their third one with a normal."""
    about, cosine = np.cross(axes[:, 2], normal), float(axes[:, 2] @ normal)
    cross = np.array([[0, -about[2], about[1]], [about[2], 0, -about[0]], [-about[1], about[0], 0]])
    return (np.eye(3) + cross + cross @ cross / (1 + cosine)) @ axes


def _step(images, thin, resolution_mm: float | None, max_voxels: int) -> float:
    """Return the z spacing of the repeated slices: the finest voxel size of the comparison, mm."""
    steps, area = [resolution_mm or 0.0], 1.0
    for k in range(3):
        if k != thin[0]:
            area *= images[0].GetSize()[k] * images[0].GetSpacing()[k]
            steps.append(images[0].GetSpacing()[k])
    return max(*steps[:1], min(steps[1:]), float(np.sqrt(area * SLICES / max_voxels)))


def _repeated(image: sitk.Image, thin: int, place: np.ndarray, step: float) -> sitk.Image:
    """Repeat a slice into a volume, in coordinates that `place`, (4, 4), maps to LPS mm."""
    order = [k for k in range(3) if k != thin] + [thin]
    values = sitk.GetArrayFromImage(image).transpose(2, 1, 0).transpose(order)
    volume = sitk.GetImageFromArray(np.repeat(values, SLICES, axis=2).transpose(2, 1, 0).copy())
    spacing = np.array(image.GetSpacing())[order]
    direction = np.array(image.GetDirection()).reshape(3, 3)[:, order]
    within = np.linalg.inv(place) @ [*image.GetOrigin(), 1.0]
    turn = place[:3, :3].T @ direction
    turn[2, :], turn[:, 2] = 0.0, 0.0
    turn[2, 2] = 1.0
    left, _, right = np.linalg.svd(turn)
    volume.SetSpacing([*spacing[:2], step])
    volume.SetOrigin([*within[:2], -step * (SLICES - 1) / 2])
    volume.SetDirection((left @ right).ravel().tolist())
    return volume
