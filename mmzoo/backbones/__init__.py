"""Registration networks: Keras models from a pair of images to displacement fields."""

from mmzoo.backbones.mmregnet import MMRegNet

__all__ = ["MMRegNet"]
