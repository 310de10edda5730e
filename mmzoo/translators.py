"""Former name of `mmzoo.networks.translation`; goes with version 0.2."""

import warnings

from mmzoo.networks.translation import *  # noqa: F403

warnings.warn(
    "mmzoo.translators is now mmzoo.networks.translation; the old name goes with version 0.2.",
    DeprecationWarning,
    stacklevel=2,
)
