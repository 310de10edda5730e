"""Brains from label maps as `brain-labels`, without skulls: 0 outside, as after skull stripping.

Networks for registration between people usually get skull-stripped brains: tissue outside is in no
overlap measure, but would dominate the image similarity of whole heads.
"""

import dataclasses

import numpy as np

from mmzoo.datasets.sets import brain_labels

FIRST_OUTSIDE = 502  # the maps' ids from here up are no part of a brain; FreeSurfer's are below
ABOVE_ZERO = 1e-3  # smallest intensity inside, so that 0 is outside only


class SET(brain_labels.SET):
    """Label maps of heads, all that is no brain left out; modalities t1, t2, pd and ct."""

    title = "brain label maps, stripped"
    recipe = dataclasses.replace(brain_labels.SET.recipe, normalise="brain", margin_mm=5.0)

    def recognise(self, root) -> bool:
        """Return False: such a folder is said to be `brain-labels`."""
        return False

    def finish(self, image: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Set to exactly 0 what is outside the brain, and nothing else."""
        brain = (labels > 0) & (labels < FIRST_OUTSIDE)
        return np.where(brain, np.where(image == 0, ABOVE_ZERO, image), 0).astype(np.float32)
