"""What was set as a target, and whether it was met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.speed.laptop import trainings
from benchmarks.speed.limits import least_seconds
from benchmarks.speed.pieces import PIECES
from benchmarks.speed.results import SpeedResults, voxels
from benchmarks.speed.runs import name_size
from benchmarks.speed.steps import ALONE, OLD, STEPS

JUDGED = (96, 96, 96)  # the size that times are judged at
LARGE = (320, 320, 96)  # the size that memory is judged at
UNET = next(iter(STEPS))


@dataclass(frozen=True)
class Target:
    """That `other` takes at least `times` as much as ours, of seconds or of memory."""

    subject: str
    other: str
    times: float
    size: tuple[int, ...] = JUDGED
    key: str = "gradient_s"
    other_subject: str = ""  # where it is not the same

    @property
    def name(self) -> str:
        """Return what tells it from the others."""
        words = self.key, self.subject, self.other, self.other_subject, name_size(self.size)
        return ", ".join(filter(None, words))

    def measured(self, results: SpeedResults) -> float | None:
        """Return the ratio, None if one of the two was not measured."""
        mine = results.get(self.subject, "mmzoo", self.size, self.key)
        subject = self.other_subject or self.subject
        theirs = results.get(subject, self.other, self.size, self.key)
        return theirs / mine if mine and theirs else None


TARGETS = (
    Target("warp", "DeepReg", 5),
    Target("lncc", "DeepReg", 5),
    Target("bending", "DeepReg", 10),
    Target("gradient", "DeepReg", 5),
    Target("gmi", "DeepReg", 3),
    Target("mi24", "DeepReg", 3),
    Target("segi", "plain", 3),
    Target("local-gradient", "plain", 6),
    Target("mind-ssc", "ConvexAdam", 5),
    *(Target(name, "MONAI", 1) for name, piece in PIECES.items() if piece.monai),
    Target("mi24", "DeepReg", 20, LARGE, "memory_mb"),
    Target("mi64", "DeepReg", 20, LARGE, "memory_mb", "mi24"),
    Target(UNET, "DeepReg", 2.5, (64, 64, 64)),
    Target(UNET, OLD, 10, (64, 64, 64)),
    *(Target(training.subject, "plain", 1, training.size) for training in trainings()),
)


def verdict(target: Target, results: SpeedResults, elsewhere: Sequence[float | None] = ()) -> str:
    """Return "met", "not met" with the ratio that the limit allows, or "not measured".

    Args:
        target: to be met on every processor that it was measured on.
        results: of this one.
        elsewhere: the ratios of other processors.
    """
    here = target.measured(results)
    if here is None or here >= target.times:
        known = [ratio for ratio in (here, *elsewhere) if ratio is not None]
        if not known:
            return "not measured"
        return "met" if min(known) >= target.times else "**not met** everywhere"
    theirs = results.get(target.subject, target.other, target.size, "gradient_s")
    if target.key != "gradient_s" or theirs is None:
        return "**not met**"
    if target.subject in PIECES:
        least = least_seconds(PIECES[target.subject], voxels(target.size), results.machine)
        return f"**not met**; the machine's limit allows {theirs / max(least.values()):.0f}x"
    alone = results.get(ALONE, "mmzoo", target.size, "gradient_s")
    if alone is None:
        return "**not met**"
    return f"**not met**; its network alone allows {theirs / alone:.1f}x"
