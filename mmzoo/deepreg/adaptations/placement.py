"""Adaptations that give DeepReg's NIfTI outputs the affine of the grid that they are on."""

import contextlib
import functools
import json
import math
import os
import time
import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from mmzoo.deepreg.adaptations.wrapping import arguments_of, wrapping
from mmzoo.deepreg.preflight.sampling import interpolation_of
from mmzoo.deepreg.samples import Source, grid_affine, moving_and_fixed, source_of
from mmzoo.io.atomic import write_text
from mmzoo.terminal import progress

# Outputs of DeepReg on the moving image's grid; all others are on the fixed image's.
ON_MOVING_GRID = ("moving_", "pred_moving_", "backward_ddf")


@dataclass
class RunningPrediction:
    """State of the prediction that is running."""

    checkpoint: str
    mode: str
    config: dict = field(default_factory=dict)
    loader: Any = None
    moving_affine: np.ndarray | None = None
    fixed_affine: np.ndarray | None = None
    pairs: dict = field(default_factory=dict)
    last_seconds: float = math.inf
    complete: bool = False

    def begin_pair(self, pair_dir: str, indices: list) -> None:
        """Record the files of a pair, and the grids of its outputs."""
        save_dir, name = os.path.split(pair_dir)
        if not self.pairs:  # so that an interrupted prediction is recognised
            self.write(save_dir)
        moving_index, fixed_index = moving_and_fixed(indices)
        moving = source_of(self.loader.loader_moving_image, moving_index)
        fixed = source_of(self.loader.loader_fixed_image, fixed_index)
        self.moving_affine = grid_affine(moving, self.loader.moving_image_shape)
        self.fixed_affine = grid_affine(fixed, self.loader.fixed_image_shape)
        if moving is not None and fixed is not None:
            entry = {**_entry("moving", moving), **_entry("fixed", fixed)}
            # Once for each label of the pair; the first of all builds the graph.
            earlier = self.pairs.get(name, {}).get("seconds", math.inf)
            self.pairs[name] = {**entry, "seconds": round(min(self.last_seconds, earlier), 4)}

    def affine_for(self, name: str) -> np.ndarray | None:
        """Return the affine of an output; None if its input has none."""
        return self.moving_affine if name.startswith(ON_MOVING_GRID) else self.fixed_affine

    def write(self, save_dir: str) -> None:
        """Write pairs.json: which files each pair_<i> folder was made from."""
        content = {
            "method": self.config["train"]["method"],
            "checkpoint": os.path.abspath(self.checkpoint),
            "mode": self.mode,
            "interpolation": interpolation_of(self.config),
            "dataset": self.config["dataset"],
            "expected": self.loader and self.loader.num_samples,
            "complete": self.complete,
            "pairs": self.pairs,
        }
        write_text(Path(save_dir) / "pairs.json", json.dumps(content, indent=2))


_prediction: RunningPrediction | None = None
_affine_of_output = None  # a function without arguments, while an output is written


def _entry(role: str, source: Source) -> dict:
    """Return the entry of a source in pairs.json."""
    return {role: source.path} | ({f"{role}_key": source.key} if source.key else {})


@contextlib.contextmanager
def _affine_from(function):
    """Give images that are written within this context the affine that `function` returns."""
    global _affine_of_output
    _affine_of_output, before = function, _affine_of_output
    try:
        yield
    finally:
        _affine_of_output = before


def place_outputs(module) -> None:
    """Write NIfTI files with the affine of their grid, where it is known.

    DeepReg writes the identity, so that outputs do not lie on their inputs in a viewer and
    measurements in mm are wrong. Only the module's own name `nib` is replaced.
    """
    from mmzoo.io.nifti import make_nifti

    def image(array, affine):
        known = _affine_of_output() if _affine_of_output is not None else None
        return make_nifti(array, affine if known is None else known)

    module.nib = types.SimpleNamespace(Nifti1Image=image, save=nib.save)


def place_warped(warp_module) -> None:
    """Give the output of `deepreg_warp` the affine of the ddf, as they share a grid.

    And let `--out` be a file name without a folder, on which DeepReg fails.
    """

    @wrapping(warp_module, "warp")
    def warp(original, image_path, ddf_path, out_path):
        if out_path.endswith((".nii", ".nii.gz")) and not os.path.dirname(out_path):
            out_path = os.path.join(os.curdir, out_path)
        with _affine_from(lambda: nib.load(ddf_path).affine):
            return original(image_path, ddf_path, out_path)


def follow_prediction(predict_module) -> None:
    """Record the input files of each pair of a prediction, and write them beside the outputs.

    DeepReg numbers its outputs; where it writes them, neither name nor affine of the input is
    known. pairs.json has them for `mmzoo evaluate`.
    """
    _follow_run(predict_module)
    _follow_inputs(predict_module)
    _follow_outputs(predict_module)


def _follow_run(module) -> None:
    """Keep checkpoint and mode during a prediction."""

    @wrapping(module, "predict")
    def predict(original, *args, **kwargs):
        global _prediction
        given = arguments_of(original, args, kwargs)
        _prediction = RunningPrediction(os.path.expanduser(given["ckpt_path"]), given["mode"])
        try:
            return original(*args, **kwargs)
        finally:
            _prediction = None


def _follow_inputs(module) -> None:
    """Keep configuration and data loader of a prediction."""
    for function, attribute in (("build_config", "config"), ("build_dataset", "loader")):
        _keep_first(module, function, attribute)


def _keep_first(module, function: str, attribute: str) -> None:
    """Keep the first of what a function returns as an attribute of the running prediction."""

    @wrapping(module, function)
    def keep(original, *args, **kwargs):
        result = original(*args, **kwargs)
        if _prediction is not None:
            setattr(_prediction, attribute, result[0])
        return result


def _show_progress(given: dict, loader) -> None:
    """Show one bar for the whole prediction, where Keras shows one for each sample.

    Args:
        given: the arguments of `predict_on_dataset`; its dataset and model are completed.
        loader: DeepReg's data loader of the prediction.
    """
    total = None
    if loader is not None:
        labels = loader.loader_moving_label.get_data(0).shape[3:] if _is_plain(loader) else ()
        total = loader.num_samples * (labels[0] if labels else 1)
    given["dataset"] = _counted(given["dataset"], total)
    given["model"].predict = functools.partial(given["model"].predict, verbose=0)


def _counted(samples: Iterable, total: int | None) -> Iterator:
    """Yield samples, with a progress bar."""
    with progress() as report:
        for done, sample in enumerate(samples):
            report("predicting", done, total)
            yield sample


def _take_time(model, prediction: RunningPrediction) -> None:
    """Record the model's time for each sample, without reading and writing."""

    @wrapping(model, "predict")
    def predict(original, *args, **kwargs):
        start = time.perf_counter()
        outputs = original(*args, **kwargs)
        batch_size = kwargs.get("batch_size") or 1
        prediction.last_seconds = (time.perf_counter() - start) / batch_size
        return outputs


def _is_plain(loader) -> bool:
    """Whether a loader's labels are indexed by one number."""
    return bool(loader.labeled) and not loader.loader_moving_label.grouped


def _follow_outputs(module) -> None:
    """Give each output its affine and write pairs.json when all are there."""

    @wrapping(module, "build_pair_output_path")
    def build_pair_output_path(original, indices, save_dir):
        pair_dir, label_dir = original(indices, save_dir)
        if _prediction is not None:
            _prediction.begin_pair(pair_dir, indices[:-1])
        return pair_dir, label_dir

    @wrapping(module, "save_array")
    def save_array(original, save_dir, arr, name, *args, **kwargs):
        with _affine_from(lambda: _prediction and _prediction.affine_for(name)):
            return original(save_dir, arr, name, *args, **kwargs)

    @wrapping(module, "predict_on_dataset")
    def predict_on_dataset(original, *args, **kwargs):
        given = arguments_of(original, args, kwargs)
        if _prediction is not None:
            _show_progress(given, _prediction.loader)
            _take_time(given["model"], _prediction)
        original(**given)
        if _prediction is not None:
            _prediction.complete = True
            _prediction.write(given["save_dir"])
