"""The conventional tools by the name that a configuration gives them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mmzoo.baselines import ants, elastix


class Tool(NamedTuple):
    """A registration tool; its library is imported by these functions, not before.

    Attributes:
        check_settings: takes the settings; ValueError if the tool is not installed or does not
            know one of them.
        register: takes moving, fixed, settings and the fixed image's voxel size in mm, which a
            tool may overlook; returns the field on the fixed grid, (f_dim1, f_dim2, f_dim3, 3) in
            voxels, with warped(x) = moving(x + ddf(x)).
    """

    check_settings: Callable[[dict], None]
    register: Callable[[np.ndarray, np.ndarray, dict, tuple[float, ...]], np.ndarray]


TOOLS = {
    "ants": Tool(ants.check_settings, ants.register),
    "elastix": Tool(elastix.check_settings, elastix.register),
}
