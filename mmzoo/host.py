"""Former name of `mmzoo.deepreg`; goes with version 0.2."""

import warnings

from mmzoo.deepreg import *  # noqa: F403

warnings.warn(
    "mmzoo.host is now mmzoo.deepreg; the old name goes with version 0.2.",
    DeprecationWarning,
    stacklevel=2,
)
