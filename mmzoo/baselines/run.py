"""Registering every pair of a split by a conventional tool."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nibabel.affines import voxel_sizes

from mmzoo.baselines.config import Baseline, read_section
from mmzoo.baselines.output import Output, write_pair
from mmzoo.baselines.pairs import DataPair, list_pairs, read_images, read_labels
from mmzoo.io.workers import TaskError, run_tasks


@dataclass(frozen=True)
class BaselineRun:
    """What a run came to.

    Attributes:
        folder: holds the pairs; `mmzoo evaluate` reads it.
        pairs: number of pairs asked for.
        failures: pair and reason, of those that could not be registered.
        seconds: mean time of a registration, without reading and writing.
    """

    folder: Path
    pairs: int
    failures: tuple[tuple[str, str], ...]
    seconds: float


@dataclass(frozen=True)
class Task:
    """One pair, for another process."""

    pair: DataPair
    baseline: Baseline
    folder: Path


def run_baseline(
    config: dict,
    out: str | Path,
    *,
    method: str,
    mode: str = "test",
    jobs: int = 1,
    overwrite: bool = False,
    report: Callable[[int, int], None] | None = None,
) -> BaselineRun:
    """Register the pairs of a split and write them as `deepreg_predict` does.

    A pair appears when it is whole. Finished pairs are kept if all that they are made from is
    the same: call again after an interruption or a failure.

    Args:
        config: sections `baseline` (see `Baseline`) and `dataset`.
        out: folder to write; the pairs go to its folder `test`.
        method: name in tables, where the section has no `name`.
        mode: "test" or "valid".
        jobs: processes of one thread each. A script that calls this needs the usual
            `if __name__ == "__main__":`.
        overwrite: whether to replace what was made with other settings.
        report: called with the pairs done and the pairs in all.

    Raises:
        ValueError: the configuration, the data's folders or `out` cannot be used.
    """
    baseline = read_section(config)
    if jobs < 1:
        raise ValueError(f"`jobs` must be 1 or more, got {jobs}.")
    pairs = list_pairs(config.get("dataset"), mode, baseline.pairs)
    description = {
        "method": config["baseline"].get("name", method),
        "checkpoint": "",
        "mode": mode,
        "expected": len(pairs),
        "dataset": config["dataset"],
        "baseline": baseline.as_dict(),
    }
    if baseline.interpolation != "linear":  # what a reader takes where it is not said
        description["interpolation"] = baseline.interpolation
    output = Output(Path(out).expanduser(), description, overwrite=overwrite)
    failures = _register(output, baseline, pairs, jobs, report)
    return BaselineRun(output.folder, len(pairs), tuple(failures), output.mean_seconds())


def _register(
    output: Output,
    baseline: Baseline,
    pairs: list[DataPair],
    jobs: int,
    report: Callable[[int, int], None] | None,
) -> list[tuple[str, str]]:
    """Register the pairs that are not finished; return pair and reason of those that failed."""
    todo = [pair for pair in pairs if not output.is_finished(pair)]
    done, failures, failed = len(pairs) - len(todo), [], []
    tasks = [Task(pair, baseline, output.partial(pair)) for pair in todo]
    try:
        with contextlib.closing(run_tasks(register_pair, tasks, jobs)) as results:
            for count, (task, result) in enumerate(results, start=1):
                if isinstance(result, TaskError):
                    failures.append((str(task.pair), str(result)))
                    failed.append(task.pair)
                else:
                    output.finish(task.pair, result)
                if report is not None:
                    report(done + count, len(pairs))
    finally:
        output.remove_partial()
    output.note_failures(failed)
    return failures


def register_pair(task: Task) -> float:
    """Register a pair, write its volumes and return the seconds that the registration took."""
    tool = task.baseline.functions
    tool.check_settings(task.baseline.settings)  # imports the tool before the clock runs
    images = read_images(task.pair)
    labels = read_labels(task.pair)
    moving, fixed = (prepare(image.values, task.baseline.clip_percentiles) for image in images)
    spacing_mm = tuple(float(step) for step in voxel_sizes(images[1].affine))
    start = time.perf_counter()
    ddf = tool.register(moving, fixed, task.baseline.settings, spacing_mm)
    seconds = time.perf_counter() - start
    if not np.isfinite(ddf).all():
        raise ValueError(f"{task.baseline.tool} returned a field with NaN or infinity.")
    write_pair(task.folder, images, labels, ddf)
    return seconds


def prepare(image: np.ndarray, percentiles: tuple[float, float] | None) -> np.ndarray:
    """Return an image clipped to two percentiles and scaled to 0..255; as it is for None.

    Raises:
        ValueError: nothing is left between the percentiles.
    """
    if percentiles is None:
        return image
    low, high = np.percentile(image, percentiles)
    if not high > low:
        raise ValueError(
            f"One value only is left between the percentiles {percentiles[0]:g} and "
            f"{percentiles[1]:g}: is the image cropped too widely? Set `baseline.clip_percentiles`."
        )
    return (255 * (np.clip(image, low, high) - low) / (high - low)).astype(np.float32)
