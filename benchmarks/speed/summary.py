"""The page in a paragraph, which the README repeats."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.speed.laptop import DEMO
from benchmarks.speed.results import SpeedResults
from benchmarks.speed.steps import OLD
from benchmarks.speed.targets import JUDGED, LARGE, UNET
from mmzoo.io.atomic import write_text

README = Path(__file__).resolve().parents[2] / "README.md"
OPENING = "Value and gradient at 96^3"  # of the README's paragraph
PIECES = {
    "warp": "trilinear warp",
    "lncc": "local correlation",
    "bending": "bending energy",
    "mi24": "mutual information (24 bins)",
}
AUTHORS = {
    "rigid_bones": "van Ulsen",
    "mmregnet": "MMRegNet",
    "devos_mi": "de Vos",
    "deform_gan": "Deform-GAN",
}


def summary(results: SpeedResults, processor: str) -> str:
    """Return the paragraph; what was not measured is left out, and without pieces there is none."""
    pieces: dict[str, list] = {
        name: [results.ratio(name, o, JUDGED) for o in ("DeepReg", "MONAI")] for name in PIECES
    }
    if any(None in ratios for ratios in pieces.values()):
        return ""
    compared = ", ".join(
        f"{PIECES[name]} {_times(first)} and {_times(second)}"
        for name, (first, second) in pieces.items()
    )
    said = (
        f"{OPENING} on {os.cpu_count()} cores ({processor}), so many times as fast as DeepReg "
        f"0.1.2 on the same TensorFlow and as MONAI on PyTorch: {compared}"
    )
    memory = results.ratio("mi24", "DeepReg", LARGE, "memory_mb")
    if memory:
        said += f"; the last in 1/{memory:.0f} of DeepReg's memory at 320 x 320 x 96"
    step, old = (results.ratio(UNET, other, (64, 64, 64)) for other in ("DeepReg", OLD))
    if step and old:
        said += f". A step of DeepReg's own U-Net at 64^3: {_times(step)}, and {_times(old)} "
        said += "beside TensorFlow 2.3.1"
    laptop = {of: plain / ours for of, (_, plain, ours) in results.hours().items()}
    if laptop.keys() == {DEMO, *AUTHORS}:
        papers = ", ".join(f"{_times(laptop[of])} ({name})" for of, name in AUTHORS.items())
        said += (
            ". With every loss, warp and regulariser written plainly the demo's training steps "
            f"would take {_times(laptop[DEMO])} times as long, those of the papers' laptop "
            f"benchmarks {papers}"
        )
    return said + "."


def update(readme: Path, paragraph: str) -> None:
    """Put a paragraph in the place of the one with the same opening."""
    lines = readme.read_text().splitlines()
    (at,) = (i for i, line in enumerate(lines) if line.startswith(OPENING))
    lines[at] = paragraph
    write_text(readme, "\n".join(lines) + "\n")


def _times(ratio: float) -> str:
    return f"{ratio:.0f}" if ratio >= 3.5 else f"{ratio:.1f}"
