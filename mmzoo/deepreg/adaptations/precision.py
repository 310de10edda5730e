"""Adaptations that let DeepReg's own networks compute in mixed precision (`train.mixed_precision`).

Without it every one of them leaves DeepReg's values as they are.
"""

import tensorflow as tf

from mmzoo.deepreg.adaptations.wrapping import wrapping
from mmzoo.layers.precision import policy, policy_of_networks, precision_of_weights

HALF = (tf.bfloat16, tf.float16)
LAST = ("Conv3dWithResize", "Dense", "ResizeCPTransform", "BSplines3DTransform")
MADE_LATE = ("Deconv3d", "UpSampleResnetBlock", "LocalNetUpSampleResnetBlock")


def build_networks_in_policy(registry) -> None:
    """Let the registry build networks, and nothing else, in mixed precision if asked to."""

    @wrapping(registry.Registry, "build_backbone")
    def build_backbone(original, self, config, default_args=None):
        with policy_of_networks():
            return original(self, config, default_args)


def keep_fields_precise(layer) -> None:
    """Build the output layers of DeepReg's networks, of fields or parameters, in float32.

    Their sublayers follow them.
    """
    for name in LAST:
        wrapping(getattr(layer, name), "__init__")(_in_full)


def follow_when_made_late(layer) -> None:
    """Give sublayers that are created in `build` the policy of their layer.

    They are created when the network is called, after the policy's context has ended.
    """
    for name in MADE_LATE:
        wrapping(getattr(layer, name), "build")(_in_own_policy)


def resize_in_own_precision(layer_util) -> None:
    """Let `resize3d` return features in their own precision; TensorFlow returns float32."""

    @wrapping(layer_util, "resize3d")
    def resize3d(original, image, *args, **kwargs):
        resized = original(image, *args, **kwargs)
        return tf.cast(resized, image.dtype) if image.dtype in HALF else resized


def _in_full(original, self, *args, **kwargs) -> None:
    with policy(precision_of_weights()):
        original(self, *args, **kwargs)


def _in_own_policy(original, self, input_shape) -> None:
    with policy(self.dtype_policy.name):
        original(self, input_shape)
