"""A trained network for pairs of arrays: scaled as in training, predicted, refined if asked."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmzoo.checks import check_image_values
from mmzoo.errors import PreflightError
from mmzoo.inference.loading import build_method, is_of_zoo, plain_model, zoo_model
from mmzoo.inference.runs import TrainedRun, open_run


class Prediction(NamedTuple):
    """What a network says of a pair.

    Attributes:
        ddf: (dim1, dim2, dim3, 3), voxels, on the fixed grid: warped(x) = moving(x + ddf(x)).
        backward_ddf: the same from fixed to moving, of two-way methods; else None.
        losses: before each step of the refinement and after the last; empty without one.
    """

    ddf: np.ndarray
    backward_ddf: np.ndarray | None
    losses: tuple[float, ...] = ()


class Predictor:
    """Predicts the field of pairs on the grid that a network was trained for.

        predictor = Predictor("logs/heart")
        ddf = predictor(moving, fixed).ddf

    What comes of a pair does not depend on the pairs before it.
    """

    def __init__(self, run: str | Path, image_size: Sequence[int] | None = None):
        """Find the run; its networks are built when they are first used.

        Args:
            run: a log folder of deepreg_train (its last checkpoint), its name in logs/, a
                checkpoint LOG_FOLDER/save/ckpt-EPOCHS, or a preset of `mmzoo list presets`.
            image_size: (dim1, dim2, dim3) of the grid, by default that of the training.

        Raises:
            ValueError: there is no such run.
        """
        self.run: TrainedRun = open_run(run)
        self.image_size = tuple(image_size or self.run.image_size)
        self.spacing_mm = self.run.spacing_mm

    @functools.cached_property
    def model(self):
        """The plain Keras model, for images of `image_size` in [0, 1]."""
        if is_of_zoo(self.run):
            return zoo_model(self.run, self.image_size)
        return plain_model(build_method(self.run, self.image_size), self.image_size)

    @functools.cached_property
    def _refiner(self):
        from mmzoo.inference.refine import Refiner

        return Refiner(build_method(self.run, self.image_size, with_loss=True))

    def scale(self, image: np.ndarray) -> np.ndarray:
        """Return an image in [0, 1], clipped and scaled as those of the training were.

        DeepReg does so before it resamples: give the image as it is in its file.

        Args:
            image: of any shape.

        Returns:
            float32, the same shape.

        Raises:
            ValueError: NaN, infinity, or no contrast between the limits.
        """
        from mmzoo.deepreg.adaptations.sampling import BELOW_ONE, intensity_limits

        check_image_values("The image", image)
        low, high = intensity_limits(image, self.run.percentiles)
        if low == high:
            raise PreflightError(
                f"The image is {low:g} at both of the percentiles {self.run.percentiles} that the "
                "network was trained with: clipped there it is constant. Crop the background away."
            )
        scaled = (np.clip(image, low, high) - low) / (high - low)
        return np.minimum(scaled, BELOW_ONE if self.run.percentiles else 1).astype(np.float32)

    def __call__(
        self,
        moving: np.ndarray,
        fixed: np.ndarray,
        *,
        scaled: bool = False,
        refine: int = 0,
        on_step: Callable[[int, int], None] | None = None,
    ) -> Prediction:
        """Return the field of a pair.

        Args:
            moving: (dim1, dim2, dim3), the grid of the training.
            fixed: the same shape.
            scaled: the images went through `scale` already; otherwise they go now.
            refine: steps of instance optimisation of the network's weights by the run's own loss,
                see `mmzoo.inference.refine`; the best field on the way is returned, and the weights
                are as before afterwards.
            on_step: called with the steps of the refinement done and all of them.

        Raises:
            ValueError: a shape or an image that cannot be registered.
            ImportError: `refine`, which DeepReg's model does, and this program runs Keras 3.
        """
        pair = {"moving": moving, "fixed": fixed}
        for name, image in pair.items():
            if tuple(np.shape(image)) != self.image_size:
                raise PreflightError(
                    f"`{name}` must have the grid of the training, {self.image_size}, got "
                    f"{np.shape(image)}; resample it."
                )
        if not isinstance(refine, int) or refine < 0:
            raise PreflightError(f"`refine` must be a number of steps, 0 for none, got {refine!r}.")
        if refine and not self.run.compares_images:
            raise PreflightError(
                f"{self.run.checkpoint} learnt from labels alone: its loss says nothing of a pair "
                "without them. Leave `refine` out, or use mmzoo.register, where a loss goes on."
            )
        if refine:
            self._refiner  # noqa: B018  (first: it decides which Keras a program has, if none did)
        if not scaled:
            pair = {name: self.scale(np.asarray(image)) for name, image in pair.items()}
        batch = {name: np.asarray(image, np.float32)[None] for name, image in pair.items()}
        outputs, losses = self._outputs(batch, refine, on_step)
        backward = outputs.get("backward_ddf")
        backward = None if backward is None else np.asarray(backward)[0]
        return Prediction(np.asarray(outputs["ddf"])[0], backward, tuple(losses))

    def _outputs(self, batch: dict, steps: int, on_step) -> tuple[dict, Sequence[float]]:
        if not steps:
            return self.model(batch, training=False), ()
        inputs = {f"{name}_image": image for name, image in batch.items()}
        inputs["indices"] = np.zeros((1, 2), np.float32)
        return self._refiner(inputs, steps, on_step)
