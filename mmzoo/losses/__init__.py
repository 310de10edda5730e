"""Similarity losses and regularisers: each a pure function and a Keras class with its settings."""

import mmzoo.onednn  # noqa: F401  (before TensorFlow)
from mmzoo.losses.bending import BendingEnergy, bending_energy
from mmzoo.losses.cycle import CycleConsistency, cycle_consistency
from mmzoo.losses.diffusion import DiffusionEnergy, diffusion_energy
from mmzoo.losses.local_correlation import LocalCorrelation, local_correlation
from mmzoo.losses.local_gradient import LocalGradient, local_gradient
from mmzoo.losses.mi import MI, mi
from mmzoo.losses.mind_ssc import MINDSSC, mind_ssc
from mmzoo.losses.ncc import NCC, ncc
from mmzoo.losses.nmi import NMI, nmi
from mmzoo.losses.rigidity import Rigidity, bone_mask, rigidity
from mmzoo.losses.segi import SEGI, segi

__all__ = [
    "MI",
    "MINDSSC",
    "NCC",
    "NMI",
    "SEGI",
    "BendingEnergy",
    "CycleConsistency",
    "Rigidity",
    "DiffusionEnergy",
    "LocalCorrelation",
    "LocalGradient",
    "bending_energy",
    "bone_mask",
    "cycle_consistency",
    "diffusion_energy",
    "local_correlation",
    "local_gradient",
    "mi",
    "mind_ssc",
    "ncc",
    "nmi",
    "rigidity",
    "segi",
]
