"""Adaptation: cubic B-spline interpolation of the warped images that a prediction writes.

Source: de Vos et al. 2020, section 2.1: linear while training, B-spline in the final testing. The
key is `predict.interpolation: cubic-bspline` at the top of a configuration; default `linear`.
"""

import functools

import numpy as np
from scipy.ndimage import map_coordinates

from mmzoo.deepreg.adaptations.wrapping import arguments_of, last_results, wrapping
from mmzoo.deepreg.preflight.sampling import interpolation_of

# Outputs of methods: the image, the field that warps it, and the warped image.
WARPED = (
    ("moving_image", "ddf", "pred_fixed_image"),
    ("fixed_image", "backward_ddf", "pred_moving_image"),
)


def sample_by_bspline(predict_module) -> None:
    """Compute the warped image by cubic B-spline interpolation at x + ddf(x).

    The network's graph interpolates linearly; labels keep that. pairs.json says which it was, for
    `mmzoo evaluate`.
    """
    built = last_results(predict_module, "build_config")

    @wrapping(predict_module, "predict_on_dataset")
    def predict_on_dataset(original, *args, **kwargs):
        given = arguments_of(original, args, kwargs)
        if interpolation_of(built[0]) == "cubic-bspline":
            model = given["model"]
            model.postprocess = functools.partial(_postprocess, model.postprocess)
        original(**given)


def _postprocess(original, inputs, outputs):
    """Return the result of a model's `postprocess`, with its warped images replaced."""
    indices, processed = original(inputs=inputs, outputs=outputs)
    for image, field, warped in WARPED:
        if {image, field, warped} <= processed.keys():
            pairs = zip(processed[image][0], processed[field][0], strict=True)
            sampled = [warp_by_bspline(np.asarray(v), np.asarray(ddf)) for v, ddf in pairs]
            processed[warped] = (np.stack(sampled), *processed[warped][1:])
    return indices, processed


def warp_by_bspline(image: np.ndarray, ddf: np.ndarray) -> np.ndarray:
    """Return image(x + ddf(x)), interpolated by a cubic B-spline; edge values are repeated outside.

    The spline goes through the voxels' values and may overshoot between them, so the result may
    leave the range of the image a little; it is not clipped.

    Args:
        image: (m_dim1, m_dim2, m_dim3).
        ddf: (f_dim1, f_dim2, f_dim3, 3), voxels.

    Returns:
        (f_dim1, f_dim2, f_dim3), float32.
    """
    points = np.indices(ddf.shape[:-1], dtype=np.float32) + np.moveaxis(ddf, -1, 0)
    return map_coordinates(image, points, output=np.float32, order=3, mode="nearest")
