"""Adaptations that give DeepReg's NIfTI outputs the place in space of their inputs."""

import contextlib
import functools
import inspect
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

from mmzoo.deepreg.preflight.sampling import interpolation_of
from mmzoo.deepreg.samples import Source, grid_affine, moving_and_fixed, source_of
from mmzoo.io.atomic import whole_file
from mmzoo.terminal import progress

# What DeepReg writes on the moving image's grid; all else is on the fixed image's.
ON_MOVING_GRID = ("moving_", "pred_moving_", "backward_ddf")


@dataclass
class Prediction:
    """What is known of the prediction that is running."""

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
        """Note the files of a pair, and the grids that its outputs live on."""
        save_dir, name = os.path.split(pair_dir)
        if not self.pairs:  # what an interrupted prediction leaves says of itself that it is one
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
        """Return the affine of an output, None where the input has none."""
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
        with whole_file(Path(save_dir) / "pairs.json") as partial:
            partial.write_text(json.dumps(content, indent=2))


_prediction: Prediction | None = None
_affine_of_output = None  # a function without arguments, while an output is written


def _entry(role: str, source: Source) -> dict:
    """Return a source as it stands in pairs.json."""
    return {role: source.path} | ({f"{role}_key": source.key} if source.key else {})


@contextlib.contextmanager
def _affine_from(function):
    """Let images that are written meanwhile have the affine that `function` returns."""
    global _affine_of_output
    _affine_of_output, before = function, _affine_of_output
    try:
        yield
    finally:
        _affine_of_output = before


def place_outputs(module) -> None:
    """Write NIfTI files with the affine of the grid they live on, where one is known.

    DeepReg writes the identity, so that no output lies on its input in a viewer and every
    measurement in mm is wrong. Only the module's own name `nib` is rebound.
    """
    from mmzoo.io.nifti import make_nifti

    def image(array, affine):
        known = _affine_of_output() if _affine_of_output is not None else None
        return make_nifti(array, affine if known is None else known)

    module.nib = types.SimpleNamespace(Nifti1Image=image, save=nib.save)


def place_warped(warp_module) -> None:
    """Give the output of `deepreg_warp` the affine of the ddf, whose grid it is on.

    And let `--out` be a bare file name, whose empty folder DeepReg cannot make.
    """
    original = warp_module.warp

    @functools.wraps(original)
    def warp(image_path, ddf_path, out_path):
        if out_path.endswith((".nii", ".nii.gz")) and not os.path.dirname(out_path):
            out_path = os.path.join(os.curdir, out_path)
        with _affine_from(lambda: nib.load(ddf_path).affine):
            return original(image_path, ddf_path, out_path)

    warp_module.warp = warp


def follow_prediction(predict_module) -> None:
    """Know which files each pair of a prediction comes from, and write that beside the outputs.

    DeepReg saves arrays under a running number; neither the affine nor the name of the input
    reaches the place where they are written. pairs.json keeps them for `mmzoo evaluate`.
    """
    _follow_run(predict_module)
    _follow_inputs(predict_module)
    _follow_outputs(predict_module)


def _follow_run(module) -> None:
    """Know checkpoint and mode from the beginning of a prediction to its end."""
    original = module.predict

    @functools.wraps(original)
    def predict(*args, **kwargs):
        global _prediction
        given = inspect.signature(original).bind(*args, **kwargs).arguments
        _prediction = Prediction(os.path.expanduser(given["ckpt_path"]), given["mode"])
        try:
            return original(*args, **kwargs)
        finally:
            _prediction = None

    module.predict = predict


def _follow_inputs(module) -> None:
    """Know the configuration and the data loader of a prediction."""
    build_config, build_dataset = module.build_config, module.build_dataset

    @functools.wraps(build_config)
    def build_config_and_note(*args, **kwargs):
        result = build_config(*args, **kwargs)
        if _prediction is not None:
            _prediction.config = result[0]
        return result

    @functools.wraps(build_dataset)
    def build_dataset_and_note(*args, **kwargs):
        result = build_dataset(*args, **kwargs)
        if _prediction is not None:
            _prediction.loader = result[0]
        return result

    module.build_config, module.build_dataset = build_config_and_note, build_dataset_and_note


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
    """Yield samples while their number is shown."""
    with progress() as report:
        for done, sample in enumerate(samples):
            report("predicting", done, total)
            yield sample


def _take_time(model, prediction: Prediction) -> None:
    """Note how long the model takes for each sample, without reading and writing."""
    predict = model.predict

    def predict_and_note(*args, **kwargs):
        start = time.perf_counter()
        outputs = predict(*args, **kwargs)
        batch_size = kwargs.get("batch_size") or 1
        prediction.last_seconds = (time.perf_counter() - start) / batch_size
        return outputs

    model.predict = predict_and_note


def _is_plain(loader) -> bool:
    """Whether a loader has labels that are found by one number."""
    return bool(loader.labeled) and not loader.loader_moving_label.grouped


def _follow_outputs(module) -> None:
    """Give each output its affine and write pairs.json when all are there."""
    build_path, save, run = (
        module.build_pair_output_path,
        module.save_array,
        module.predict_on_dataset,
    )

    @functools.wraps(build_path)
    def build_pair_output_path(indices, save_dir):
        pair_dir, label_dir = build_path(indices, save_dir)
        if _prediction is not None:
            _prediction.begin_pair(pair_dir, indices[:-1])
        return pair_dir, label_dir

    @functools.wraps(save)
    def save_array(save_dir, arr, name, *args, **kwargs):
        with _affine_from(lambda: _prediction and _prediction.affine_for(name)):
            return save(save_dir, arr, name, *args, **kwargs)

    @functools.wraps(run)
    def predict_on_dataset(*args, **kwargs):
        given = inspect.signature(run).bind(*args, **kwargs).arguments
        if _prediction is not None:
            _show_progress(given, _prediction.loader)
            _take_time(given["model"], _prediction)
        run(**given)
        if _prediction is not None:
            _prediction.complete = True
            _prediction.write(given["save_dir"])

    module.build_pair_output_path = build_pair_output_path
    module.save_array, module.predict_on_dataset = save_array, predict_on_dataset
