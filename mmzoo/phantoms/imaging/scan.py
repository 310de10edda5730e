"""The scanner, for all phantoms: from a noise-free image to what CT or MR would have stored."""

import numpy as np
from scipy.ndimage import gaussian_filter

from mmzoo.phantoms.fields import bias_field, correlated_gaussian, rician

FWHM = 2.0 * np.sqrt(2.0 * np.log(2.0))  # of a Gaussian of standard deviation one


def scan(
    modality: str, image: np.ndarray, grid, anatomy, contrast, noise, *, window: tuple[float, float]
) -> np.ndarray:
    """Turn the ideal image into a scan: gain, noise and the range that is stored, float32.

    CT gets noise of 10 to 20 Hounsfield units with the grain of a kernel; MR a coil's gain, which
    is one in the middle of the organs, Rician noise of 4 to 8, and the brightest 0.5 % clipped.

    Args:
        modality: "ct", or the name of an MR sequence.
        image: noise-free, (dim1, dim2, dim3); Hounsfield units, or arbitrary ones from 0 for MR.
        grid: where its voxels are.
        anatomy: whose it is.
        contrast: generator of what differs between scans.
        noise: generator of what differs between voxels.
        window: lowest and highest Hounsfield units that are stored.
    """
    if modality == "ct":
        noisy = correlated_gaussian(noise, image, contrast.uniform(10, 20), 0.6)
        return np.clip(noisy, *window).astype(np.float32)
    gain = bias_field(contrast, grid.points(), anatomy.centre_mm, 120.0, 0.18)
    noisy = rician(noise, image * gain, contrast.uniform(4, 8))
    return np.clip(noisy, 0, np.percentile(noisy, 99.5)).astype(np.float32)


def scan_again(modality: str, image: np.ndarray, grid, anatomy, noise) -> np.ndarray:
    """Turn one of several MR images of one session into a scan; see ``scan``.

    The coil's gain and the strength of the noise are the session's, from ``anatomy.coil``.
    """
    session = np.random.default_rng(anatomy.coil)
    return scan(modality, image, grid, anatomy, session, noise, window=(0, 0))


def scan_with_gain(
    modality: str, image: np.ndarray, grid, anatomy, contrast, noise, *, gains: tuple[float, float]
) -> np.ndarray:
    """Turn one of several MR images of one session into a scan of a gain between two."""
    gain = np.float32(contrast.uniform(*gains))
    return scan_again(modality, gain * image, grid, anatomy, noise)


def worsen(image: np.ndarray, spacing_mm, settings, noise) -> np.ndarray:
    """Return an MR image blurred and with more noise, where the settings ask for it; air stays 0.

    Args:
        image: (dim1, dim2, dim3), 0 in the air.
        spacing_mm: voxel size.
        settings: with `blur` in mm (full width at half maximum of a Gaussian) and `noise` (standard
            deviation, in percent of the brightest intensity), or None for none.
        noise: generator of what differs between voxels.
    """
    if not (settings.blur or settings.noise):
        return image
    body, brightest = image > 0, image.max()
    if settings.blur:
        sigma = settings.blur / FWHM / np.asarray(spacing_mm)
        image = gaussian_filter(image, sigma)
    if settings.noise:
        image = rician(noise, image, settings.noise / 100 * brightest)
    return np.where(body, image, 0).astype(np.float32)
