"""Random smooth fields: folding-free deformations, texture, bias fields, noise.

Everything takes a NumPy generator and is a function of it alone, so that a seed fixes an image.
"""

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

# A cubic B-spline displacement whose coefficients stay below spacing / 2.479472 is one to one.
# Y. Choi and S. Lee, Injectivity conditions of 2D and 3D uniform cubic B-spline functions,
# Graphical Models 62 (2000) 411-427. One axis at a time, all three may reach it.
INJECTIVITY_3D = 2.479472


class SplineDeformation:
    """Smooth random displacement of space without folding, from cubic B-spline coefficients.

    Args:
        rng: source of the coefficients.
        centre_mm: middle of the deformed region; the displacement fades to zero outside it.
        extent_mm: edge length of that region, a cube.
        spacing_mm: distance between control points: the size of what is deformed.
        amplitude_mm: standard deviation of each coefficient before it is limited.
    """

    def __init__(self, rng, centre_mm, extent_mm: float, spacing_mm: float, amplitude_mm: float):
        size = int(np.ceil(extent_mm / spacing_mm)) + 1
        limit = 0.95 * spacing_mm / INJECTIVITY_3D
        # tanh limits smoothly: a plain clip would pile coefficients up at the limit.
        coefficients = limit * np.tanh(rng.normal(0, amplitude_mm, (3, size, size, size)) / limit)
        self.coefficients = np.pad(coefficients, [(0, 0)] + [(3, 3)] * 3)
        self.spacing_mm = spacing_mm
        self.origin_mm = np.asarray(centre_mm) - spacing_mm * (size - 1) / 2 - 3 * spacing_mm

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the displaced points, same shape and type, in millimetres."""
        index = np.moveaxis((points - self.origin_mm) / self.spacing_mm, -1, 0)
        shift = [
            map_coordinates(component, index, order=3, prefilter=False, mode="constant")
            for component in self.coefficients
        ]
        return points + np.stack(shift, axis=-1).astype(points.dtype)


class SplineNoise:
    """Smooth noise of space with mean zero and standard deviation one, repeated far away.

    A function of the point, not of the grid, so that it can move along with tissue.

    Args:
        rng: source of the coefficients.
        spacing_mm: distance between control points: about the size of a grain.
        period: control points along each axis after which the noise repeats.
    """

    # Mean over an interval of the sum of squares of the cubic B-splines on it.
    VARIANCE = 151 / 315

    def __init__(self, rng, spacing_mm: float, period: int = 48):
        noise = rng.standard_normal((period,) * 3, dtype=np.float32)
        self.coefficients = (noise - noise.mean()) / np.float32(self.VARIANCE**1.5)
        self.spacing_mm = spacing_mm

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the noise at points (..., 3) in millimetres, (...) float32."""
        index = np.moveaxis(points / self.spacing_mm, -1, 0)
        return map_coordinates(self.coefficients, index, order=3, prefilter=False, mode="grid-wrap")


def smooth_noise(rng, shape, sigma_voxels) -> np.ndarray:
    """White noise smoothed by a Gaussian, scaled back to standard deviation one, float32."""
    noise = gaussian_filter(rng.standard_normal(shape, dtype=np.float32), sigma_voxels, mode="wrap")
    return noise / max(float(noise.std()), 1e-12)


def bias_field(rng, points: np.ndarray, centre_mm, scale_mm: float, strength: float) -> np.ndarray:
    """Positive smooth gain like a receive coil's: exp of a random quadratic polynomial.

    Args:
        rng: source of the polynomial.
        points: (..., 3) in millimetres.
        centre_mm: where the gain is one.
        scale_mm: distance at which the polynomial's terms reach their full weight.
        strength: standard deviation of the logarithm of the gain at that distance.
    """
    local = (points - np.asarray(centre_mm, np.float32)) / np.float32(scale_mm)
    linear, quadratic = rng.normal(0, strength, 3), rng.normal(0, strength / 2, 3)
    tilt = np.einsum("...i,i->...", local, linear)
    return np.exp(tilt + np.einsum("...i,i->...", local**2, quadratic)).astype(np.float32)


def rician(rng, image: np.ndarray, sigma: float) -> np.ndarray:
    """Magnitude of a complex image with Gaussian noise ``sigma`` in both channels, as in MR."""
    real = image + rng.normal(0, sigma, image.shape)
    imaginary = rng.normal(0, sigma, image.shape)
    return np.hypot(real, imaginary).astype(np.float32)


def correlated_gaussian(rng, image: np.ndarray, sigma: float, grain_voxels: float) -> np.ndarray:
    """Add Gaussian noise with the grain of a reconstruction kernel, as in CT."""
    return image + np.float32(sigma) * smooth_noise(rng, image.shape, grain_voxels)
