"""Former name of `mmzoo.networks.registration`; goes with version 0.2."""

import warnings

from mmzoo.networks.registration import *  # noqa: F403

warnings.warn(
    "mmzoo.backbones is now mmzoo.networks.registration; the old name goes with version 0.2.",
    DeprecationWarning,
    stacklevel=2,
)
