"""Evaluation in NumPy and SciPy; never imports the zoo's ops, so that it can judge them."""

from mmzoo.metrics.field import (
    JacobianStatistics,
    determinant_statistics,
    folding_fraction,
    inverse_consistency_error,
    jacobian_determinant,
    jacobian_statistics,
    log_jacobian_std,
    mean_change_at_edge,
    target_registration_error,
)
from mmzoo.metrics.learn2reg import LabelFigures, label_figures, landmark_distances
from mmzoo.metrics.overlap import dice
from mmzoo.metrics.rigid import MotionError, fit_rigid, rigid_motion_error
from mmzoo.metrics.similarity import (
    gradient_field_similarity,
    mutual_information,
    normalised_mutual_information,
    root_mean_square_error,
)
from mmzoo.metrics.surface import (
    SurfaceDistances,
    average_surface_distance,
    hausdorff_distance,
    mean_surface_distance,
    surface_distances,
)

__all__ = [
    "JacobianStatistics",
    "LabelFigures",
    "MotionError",
    "SurfaceDistances",
    "average_surface_distance",
    "determinant_statistics",
    "dice",
    "fit_rigid",
    "folding_fraction",
    "gradient_field_similarity",
    "hausdorff_distance",
    "inverse_consistency_error",
    "jacobian_determinant",
    "jacobian_statistics",
    "label_figures",
    "landmark_distances",
    "log_jacobian_std",
    "mean_change_at_edge",
    "mean_surface_distance",
    "mutual_information",
    "normalised_mutual_information",
    "rigid_motion_error",
    "root_mean_square_error",
    "surface_distances",
    "target_registration_error",
]
