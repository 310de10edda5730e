"""A search over displacements and Gauss-Newton steps, then a U-Net.

Source: the self-similarities (MIND-SSC) and Gauss-Newton steps of Heinrich et al. 2013; the search
of ConvexAdam, Siebert et al. 2021; SynthMorph's flows of velocities, Hoffmann et al. 2022. The
whole and its sizes are ours.

The self-similarities of both images give a first field, which has no weights to learn: by a search
at half the resolution, see `mmzoo.ops.cost_volume`, then by steps at the whole one, see
`mmzoo.ops.gauss_newton`. A U-Net sees the fixed image, the moving one as the first field warps it,
the self-similarities of both and the first field, and predicts what is left, as a flow.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from mmzoo.checks import check_positive, check_rank
from mmzoo.framework import keras
from mmzoo.layers.flow import NEARLY_ZERO
from mmzoo.networks.registration.synthmorph import SynthMorph, integrate
from mmzoo.ops.cost_volume import search
from mmzoo.ops.filters import resize
from mmzoo.ops.gauss_newton import gauss_newton_step
from mmzoo.ops.grid import dims_of
from mmzoo.ops.pad import cut_back, pad_to_multiple
from mmzoo.ops.self_similarity import descriptors
from mmzoo.ops.warp import warp

ENCODER = (24, 32, 48, 64)
DECODER = (64, 48, 32, 32, 24)
# Each search: voxels that a step is long, steps along each axis, rounds. docs/tuning.md says how
# these constants were found.
SEARCHES = ((2, 2, 6),)
SHARPNESS = 400.0
HOLD = 0.05
STEPS = 8
DAMPING = 0.003
WINDOW = 3
SMOOTHING = 12
OWN = ("searches", "sharpness", "hold", "steps", "damping", "window", "smoothing")


@keras.saving.register_keras_serializable(package="mmzoo")
class CostVolumeNet(SynthMorph):
    """A registration network that starts from a search and Gauss-Newton steps.

    Input: (batch, dim1, dim2, dim3, 2): moving and fixed image as channels.
    Output: (batch, dim1, dim2, dim3, 3): a ddf in voxels.

        u_0 = 0, and after each search  u_0(x) = u(x) + u_0(x + u(x)),
              u = flow of search(self-similarities of fixed and of moving o u_0)
        `steps` times  u_0 = gauss_newton_step(self-similarities of both, u_0)
        u_1 = flow of the U-Net's velocity, of fixed, moving o u_0, the self-similarities of both
              and u_0
        ddf(x) = u_1(x) + u_0(x + u_1(x))

    The U-Net is `SynthMorph`'s with 29 channels of input and more channels within. u_0 is taken as
    given: no gradient passes through it, and none reaches the images. An axis that the strides do
    not divide is padded at its far end with border values, and the field is cropped back. The
    weights do not depend on the image size; there are 560,243 of them.
    """

    def __init__(
        self,
        image_size: Sequence[int] | None = None,
        encoder: Sequence[int] = ENCODER,
        decoder: Sequence[int] = DECODER,
        searches: Sequence[Sequence[int]] = SEARCHES,
        sharpness: float = SHARPNESS,
        hold: float = HOLD,
        steps: int = STEPS,
        damping: float = DAMPING,
        window: int = WINDOW,
        smoothing: int = SMOOTHING,
        squarings: int = 5,
        out_channels: int = 3,
        out_kernel_initializer: str | dict = NEARLY_ZERO,
        out_activation: str | None = None,
        name: str = "CostVolumeNet",
        **kwargs,
    ):
        """Build the layers.

        Args:
            image_size: as `SynthMorph` has it, like all that is not said here.
            encoder: see there.
            decoder: see there.
            searches: of each, one after the other: voxels that a step is long, steps along each
                axis, and rounds.
            sharpness: of the searches, see `mmzoo.ops.cost_volume.search`.
            hold: of the last round of each; half as much in each round before, 0 in the first.
            steps: of Gauss-Newton, 0 for none.
            damping: of these, see `mmzoo.ops.gauss_newton.gauss_newton_step`.
            window: see there.
            smoothing: see there.
            squarings: see `SynthMorph`.
            out_channels: 3.
            out_kernel_initializer: see `SynthMorph`.
            out_activation: see there.
            name: of the model.
            **kwargs: for `keras.Model`.

        Raises:
            ValueError: as `SynthMorph`; or searches that are no three whole numbers, or whose step
                does not divide what is padded.
        """
        own = (out_channels, out_kernel_initializer, out_activation, name)
        # In mixed precision the searches need the images as they are; convolutions cast their own.
        kwargs = {"autocast": False, **kwargs}
        super().__init__(image_size, encoder, decoder, squarings, *own, **kwargs)
        for numbers in searches:
            whole = all(isinstance(n, int) and n > 0 for n in numbers)
            if len(numbers) != 3 or not whole or 2 ** len(encoder) % numbers[0]:
                raise ValueError(
                    "`searches` needs of each search three whole numbers above 0, a step that "
                    f"divides {2 ** len(encoder)}, a reach and rounds; got {numbers!r}."
                )
        check_positive("sharpness", sharpness)
        check_positive("hold", hold, allow_zero=True)
        check_positive("damping", damping)
        for name, times in (("steps", steps), ("window", window), ("smoothing", smoothing)):
            if not isinstance(times, int) or times < 0:
                raise ValueError(f"`{name}` must be a whole number, 0 or above, got {times!r}.")
        self.searches = tuple(tuple(numbers) for numbers in searches)
        self.sharpness, self.hold, self.steps = sharpness, hold, steps
        self.damping, self.window, self.smoothing = damping, window, smoothing

    # === Forward ===
    def call(self, inputs: tf.Tensor, training=None, mask=None) -> tf.Tensor:
        """Return the field of a pair: (batch, dim1, dim2, dim3, 3)."""
        check_rank("inputs", inputs, (5,))
        if inputs.shape[-1] != 2:
            raise ValueError(
                "`inputs` must have two channels, the moving and the fixed image, got "
                f"{inputs.shape[-1]}."
            )
        padded = tf.stop_gradient(pad_to_multiple(inputs, (2 ** len(self.encoder),) * 3))
        moving, fixed = tf.unstack(padded, axis=-1)
        of_fixed = descriptors(fixed)
        start, warped, of_warped = self._start(moving, of_fixed)
        alike = tf.transpose(tf.concat([of_fixed, of_warped], axis=1), [0, 2, 3, 4, 1])
        seen = [fixed[..., None], warped[..., None], alike, start]
        velocity = self.velocity(tf.stop_gradient(tf.concat(seen, axis=-1)))
        rest = 2 * resize(integrate(velocity, self.squarings), dims_of(padded))
        return cut_back(rest + warp(tf.stop_gradient(start), rest), inputs)

    def _start(self, moving: tf.Tensor, of_fixed: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Return the first field, the image that it warps, and its self-similarities."""
        shape = dims_of(moving)
        start = tf.stack([tf.zeros_like(moving)] * 3, axis=-1)
        warped, of_warped = moving, descriptors(moving)
        for step, reach, rounds in self.searches:
            fixed, moved = (_coarser(m, step) for m in (of_fixed, of_warped))
            hold = (0.0, *(self.hold / 2**k for k in reversed(range(rounds - 1))))
            velocity = search(fixed, moved, reach, self.sharpness, hold)
            more = step * resize(integrate(velocity, self.squarings), shape)
            start = more + warp(start, more)
            warped = warp(moving, start)
            of_warped = descriptors(warped)
        settings = self.damping, self.window, self.smoothing

        def one_more(start, _, of_warped):
            start = gauss_newton_step(of_fixed, of_warped, start, *settings)
            warped = warp(moving, start)
            return start, warped, descriptors(warped)

        # One loop of the graph: unrolled, an ONNX file of it has several times the nodes.
        return tf.while_loop(
            lambda *_: True, one_more, (start, warped, of_warped), maximum_iterations=self.steps
        )

    # === Config ===
    def get_config(self) -> dict:
        """Return the settings, for recreating this network."""
        own = {name: getattr(self, name) for name in OWN}
        return {**super().get_config(), **own}


def _coarser(features: tf.Tensor, step: int) -> tf.Tensor:
    """Return the means over step^3 voxels of (batch, channels, dim1, dim2, dim3)."""
    dims, channels = dims_of(features, first=2), features.shape[1]
    volumes = tf.reshape(features, [-1, *dims, 1])
    means = tf.nn.avg_pool3d(volumes, step, step, "VALID")
    return tf.reshape(means, [-1, channels, *(n // step for n in dims)])
