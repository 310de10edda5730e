"""Rigid registration by elastix, of labels or of images, in the physical space of both.

Van Ulsen 2022, section 3.2.1: "performed using Elastix by optimising the error between the L5
segmentation labels". The thesis prints no parameters: here the mean squared difference of the two
masks, from where their centres of gravity meet, over a box round the fixed one, three resolutions.
Where there are no labels, mutual information of the images, from where their headers put them.
"""

import numpy as np
import SimpleITK as sitk

from mmzoo.baselines.elastix import SEED, load_itk, run_elastix

SETTINGS = {
    "Registration": "MultiResolutionRegistration",
    "FixedImagePyramid": "FixedSmoothingImagePyramid",
    "MovingImagePyramid": "MovingSmoothingImagePyramid",
    "NumberOfResolutions": "3",
    "Transform": "EulerTransform",
    "AutomaticScalesEstimation": "true",
    "Optimizer": "AdaptiveStochasticGradientDescent",
    "AutomaticParameterEstimation": "true",
    "MaximumNumberOfIterations": "300",
    "ImageSampler": "RandomCoordinate",
    "NumberOfSpatialSamples": "4096",
    "NewSamplesEveryIteration": "true",
    "RandomSeed": SEED,
    "Interpolator": "LinearInterpolator",
    "ResampleInterpolator": "FinalLinearInterpolator",
    "Resampler": "DefaultResampler",
    "WriteResultImage": "false",
}
LABELS = {
    "Metric": "AdvancedMeanSquares",
    "ImagePyramidSchedule": ("4", "4", "4", "2", "2", "2", "1", "1", "1"),
    "AutomaticTransformInitialization": "true",
    "AutomaticTransformInitializationMethod": "CenterOfGravity",
}
IMAGES = {
    "Metric": "AdvancedMattesMutualInformation",
    "NumberOfHistogramBins": "32",
    "ImagePyramidSchedule": ("8", "8", "8", "4", "4", "4", "2", "2", "2"),
    "AutomaticTransformInitialization": "false",
}
MARGIN_MM = 12.0  # round a mask


def align_labels(fixed: sitk.Image, moving: sitk.Image) -> np.ndarray:
    """Return the rigid motion that lays a mask on another.

    Args:
        fixed: binary, somewhere 1.
        moving: binary, somewhere 1; another grid is fine.

    Returns:
        (4, 4): where a point of the fixed image is in the moving one, millimetres towards left,
        posterior and superior, as ITK counts them.

    Raises:
        ValueError: itk-elastix is not installed.
        RuntimeError: elastix cannot register the two; says why.
    """
    return _align(_crop(fixed), _crop(moving), LABELS)


def align_images(fixed: sitk.Image, moving: sitk.Image) -> np.ndarray:
    """Return the rigid motion that aligns two images by mutual information; see `align_labels`."""
    return _align(fixed, moving, IMAGES)


def _align(fixed: sitk.Image, moving: sitk.Image, settings: dict) -> np.ndarray:
    itk = load_itk()
    parameters = itk.ParameterObject.New()
    stage = {**SETTINGS, **settings}
    parameters.AddParameterMap(
        {name: (value,) if isinstance(value, str) else value for name, value in stage.items()}
    )
    method = itk.ElastixRegistrationMethod.New(_to_itk(itk, fixed), _to_itk(itk, moving))
    method.SetParameterObject(parameters)
    run_elastix(method)
    transform = method.GetCombinationTransform()
    corners = np.vstack([np.zeros(3), np.eye(3)])
    moved = np.array([tuple(transform.TransformPoint(corner.tolist())) for corner in corners])
    motion = np.eye(4)
    motion[:3, 3] = moved[0]
    motion[:3, :3] = (moved[1:] - moved[0]).T
    return motion


def _crop(mask: sitk.Image) -> sitk.Image:
    """Return a mask's surroundings as float32, padded with 0 where it comes near the border."""
    inside = np.argwhere(sitk.GetArrayViewFromImage(mask).T)
    margin = np.ceil(MARGIN_MM / np.array(mask.GetSpacing())).astype(int)
    lower, upper = inside.min(0) - margin, inside.max(0) + 1 + margin
    before = np.maximum(-lower, 0)
    after = np.maximum(upper - mask.GetSize(), 0)
    padded = sitk.ConstantPad(sitk.Cast(mask, sitk.sitkFloat32), before.tolist(), after.tolist(), 0)
    size, start = (upper - lower).tolist(), (lower + before).tolist()
    return sitk.RegionOfInterest(padded, size, start)


def _to_itk(itk, image: sitk.Image):
    """Return SimpleITK's image as ITK's."""
    copy = itk.image_from_array(sitk.GetArrayFromImage(sitk.Cast(image, sitk.sitkFloat32)))
    copy.SetSpacing(image.GetSpacing())
    copy.SetOrigin(image.GetOrigin())
    copy.SetDirection(itk.matrix_from_array(np.array(image.GetDirection()).reshape(3, 3)))
    return copy
