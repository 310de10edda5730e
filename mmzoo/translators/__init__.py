"""Translation of an image into another modality by a conditional GAN, usable on its own."""

from mmzoo.translators.discriminator import StridedDiscriminator
from mmzoo.translators.generator import UNetGenerator
from mmzoo.translators.objectives import OBJECTIVES, Objective
from mmzoo.translators.table import DISCRIMINATORS, GENERATORS
from mmzoo.translators.translator import Translator

__all__ = [
    "DISCRIMINATORS",
    "GENERATORS",
    "OBJECTIVES",
    "Objective",
    "StridedDiscriminator",
    "Translator",
    "UNetGenerator",
]
