"""ANTs (Avants et al. 2008) through ANTsPy: affine, SyN and their kin, as one dense field.

Both images count as having the fixed image's voxel size, zero origin and no rotation: the same
voxel index is the same place at the start, as for the networks, and ANTs chooses its shrink
factors, and turns, by millimetres.

The images are drawn on by random samples. With the seed fixed and one ITK thread the same pair
gives the same field, bit by bit; with more threads sums are formed in another order each time and
fields differ by 1e-5 to 1e-2 voxels, without the seed by whole voxels where there is little to
align.
"""

import contextlib
import inspect
import os
import tempfile
from collections.abc import Iterator

import numpy as np

from mmzoo.checks import check_choice

SEED = "1"
# Arguments of ants.registration that are ours to give, or cannot be written in a YAML file.
NOT_SETTINGS = {
    "fixed",
    "moving",
    "outprefix",
    "mask",
    "moving_mask",
    "mask_all_stages",
    "multivariate_extras",
    "write_composite_transform",
    "kwargs",
}


def check_settings(settings: dict) -> None:
    """Raise ValueError unless ANTsPy is installed and takes these settings.

    It would ignore a misspelt argument.
    """
    names = inspect.signature(_ants().registration).parameters.keys() - NOT_SETTINGS
    for name in settings:
        check_choice("baseline.settings", name, names)


def register(
    moving: np.ndarray, fixed: np.ndarray, settings: dict, spacing_mm: tuple[float, ...]
) -> np.ndarray:
    """Return the field that aligns `moving` to `fixed`.

    Args:
        moving: (m_dim1, m_dim2, m_dim3), not constant.
        fixed: (f_dim1, f_dim2, f_dim3), not constant.
        settings: arguments of `ants.registration`.
        spacing_mm: voxel size along each axis.

    Returns:
        (f_dim1, f_dim2, f_dim3, 3), float32, voxels: warped(x) = moving(x + ddf(x)). All stages
        in one, without interpolating between them. Costs 0.5 s (affine) to minutes (SyN with
        cross-correlation) for 48^3.

    Raises:
        ValueError: ANTsPy is not installed or does not know a setting.
        RuntimeError: ANTs cannot register the pair.
    """
    check_settings(settings)
    ants = _ants()
    # ANTsPy overlooks lists where it means tuples.
    arguments = {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()}
    # from_numpy keeps the order of the axes: ITK's x, y, z are our first, second, third.
    images = [
        ants.from_numpy(image.astype(np.float32), spacing=tuple(spacing_mm))
        for image in (fixed, moving)
    ]
    with tempfile.TemporaryDirectory() as folder, _fixed_seed():
        prefix = os.path.join(folder, "")
        found = ants.registration(*images, outprefix=prefix, **arguments)
        return _dense_field(ants, images, found["fwdtransforms"], prefix)


def _dense_field(ants, images: list, transforms: list[str], prefix: str) -> np.ndarray:
    """Return the composition of transforms, sampled at the fixed voxels, in voxels."""
    path = ants.apply_transforms(*images, transforms, compose=prefix)
    return ants.image_read(path).numpy().astype(np.float32) / np.float32(images[0].spacing)


def _ants():
    try:
        import ants
    except ImportError as error:
        raise ValueError(
            f"The tool 'ants' needs ANTsPy, which is not installed here ({error}): "
            'pip install "mmzoo[benchmark]"'
        ) from error
    return ants


@contextlib.contextmanager
def _fixed_seed() -> Iterator[None]:
    """Let ANTs draw the same samples each time; it reads the seed from the environment."""
    before = os.environ.get("ANTS_RANDOM_SEED")
    os.environ["ANTS_RANDOM_SEED"] = SEED
    try:
        yield
    finally:
        if before is None:
            del os.environ["ANTS_RANDOM_SEED"]
        else:
            os.environ["ANTS_RANDOM_SEED"] = before
