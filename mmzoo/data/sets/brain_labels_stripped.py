"""Brains from label maps as `brain-labels`, without skulls: 0 outside, as after skull stripping.

Networks that register people with each other are usually given stripped brains. What is outside
the brain and its fluid is no part of any overlap, and fills most of a similarity of whole heads.
"""

import dataclasses

import numpy as np

from mmzoo.data.head_scan import TISSUES
from mmzoo.data.sets import brain_labels

OUTSIDE = ("air", "eye", "soft tissue", "nerve", "mucosa", "skin and fat", "cortical bone", "marrow")
INSIDE = [value for name, values in TISSUES.items() if name not in OUTSIDE for value in values]
ABOVE_ZERO = 1e-3  # the least brightness inside, so that 0 is outside alone


class SET(brain_labels.SET):
    """Label maps of heads, all that is no brain left out; modalities t1, t2, pd and ct."""

    title = "brain label maps, stripped"
    recipe = dataclasses.replace(brain_labels.SET.recipe, normalise="brain", margin_mm=5.0)

    def recognise(self, root) -> bool:
        """Return False: such a folder is said to be `brain-labels`."""
        return False

    def finish(self, image: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Set to exactly 0 what is outside the brain, and nothing else."""
        inside = np.where(image == 0, ABOVE_ZERO, image)
        return np.where(np.isin(labels, INSIDE), inside, 0).astype(np.float32)
