"""Translation of an image into another modality by a conditional GAN, usable on its own."""

from mmzoo.networks.translation.discriminator import StridedDiscriminator
from mmzoo.networks.translation.generator import UNetGenerator
from mmzoo.networks.translation.objectives import OBJECTIVES, AdversarialObjective
from mmzoo.networks.translation.table import DISCRIMINATORS, GENERATORS
from mmzoo.networks.translation.translator import Translator

__all__ = [
    "DISCRIMINATORS",
    "GENERATORS",
    "OBJECTIVES",
    "AdversarialObjective",
    "StridedDiscriminator",
    "Translator",
    "UNetGenerator",
]
