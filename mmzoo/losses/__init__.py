"""Similarities and regularisers: for each a pure function and a Keras class of its settings."""

from mmzoo.losses.bending import BendingEnergy, bending_energy
from mmzoo.losses.cycle import CycleConsistency, cycle_consistency
from mmzoo.losses.segi import SEGI, segi

__all__ = [
    "SEGI",
    "BendingEnergy",
    "CycleConsistency",
    "bending_energy",
    "cycle_consistency",
    "segi",
]
