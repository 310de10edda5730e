"""Adaptations that let DeepReg's own networks compute in mixed precision (`train.mixed_precision`).

Without it every one of them leaves DeepReg's values as they are.
"""

import functools

import tensorflow as tf

from mmzoo.layers.precision import policy, policy_of_networks, precision_of_weights

HALF = (tf.bfloat16, tf.float16)
LAST = ("Conv3dWithResize", "Dense", "ResizeCPTransform", "BSplines3DTransform")
MADE_LATE = ("Deconv3d", "UpSampleResnetBlock", "LocalNetUpSampleResnetBlock")


def build_networks_in_policy(registry) -> None:
    """Let the registry make networks, and nothing else, in mixed precision where it is wanted."""
    original = registry.Registry.build_backbone

    @functools.wraps(original)
    def build_backbone(self, config, default_args=None):
        with policy_of_networks():
            return original(self, config, default_args)

    registry.Registry.build_backbone = build_backbone


def keep_fields_precise(layer) -> None:
    """Make the last layers of DeepReg's networks, which give a field or its parameters, in full.

    Layers that they are made of follow them.
    """
    for name in LAST:
        cls = getattr(layer, name)
        cls.__init__ = _in_full(cls.__init__)


def follow_when_made_late(layer) -> None:
    """Let layers that a layer makes only when it is built follow its policy.

    They are made when the network is called, outside of the context that it was made in.
    """
    for name in MADE_LATE:
        cls = getattr(layer, name)
        cls.build = _in_own_policy(cls.build)


def resize_in_own_precision(layer_util) -> None:
    """Return features of half precision as such from `resize3d`; TensorFlow makes them float32."""
    original = layer_util.resize3d

    @functools.wraps(original)
    def resize3d(image, *args, **kwargs):
        resized = original(image, *args, **kwargs)
        return tf.cast(resized, image.dtype) if image.dtype in HALF else resized

    layer_util.resize3d = resize3d


def _in_full(init):
    @functools.wraps(init)
    def __init__(self, *args, **kwargs):
        with policy(precision_of_weights()):
            init(self, *args, **kwargs)

    return __init__


def _in_own_policy(build):
    @functools.wraps(build)
    def build_late(self, input_shape):
        with policy(self.dtype_policy.name):
            build(self, input_shape)

    return build_late
