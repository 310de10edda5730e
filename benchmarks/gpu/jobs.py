"""What is lowered and run: training steps of configurations, and the pieces of `speed`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.speed.measure import inputs
from benchmarks.speed.steps import CONFIGS, UNET
from benchmarks.step import boxes

PIECE_SIZE = (160, 192, 160)
PIECES = ("warp", "lncc", "bending", "gradient", "mi24", "mi64", "segi", "local-gradient")
OTHER_FORMS = {
    "DeepReg's U-Net, lncc": ("DeepReg", "bfloat16"),
    "VM-NCC": ("DeepReg",),
    "MMRegNet": ("bfloat16",),
    "US": ("bfloat16",),
}
MIXED = Path(__file__).with_name("mixed_precision.yaml")
LABELS = ("moving_label", "fixed_label")


@dataclass(frozen=True)
class GpuJob:
    """One training step, or one piece with its gradient.

    Attributes:
        title: as the page says it; the forms of one title are compared.
        subject: path of a configuration, or name of a piece.
        size: (dim1, dim2, dim3).
        batch: pairs a step.
        form: "mmzoo", "bfloat16" for that with mixed precision, or "DeepReg" for its pieces as they
            are.
    """

    title: str
    subject: str
    size: tuple[int, ...]
    batch: int = 1
    form: str = "mmzoo"

    @property
    def is_step(self) -> bool:
        """Return whether it is a training step."""
        return Path(self.subject).suffix == ".yaml"

    @property
    def name(self) -> str:
        """Return the name of its files."""
        words = f"{self.title} {self.form} {'x'.join(map(str, self.size))}"
        return "".join(c if c.isalnum() else "_" for c in words)


def _steps() -> list[GpuJob]:
    paper = [
        ("MMRegNet", "mmregnet/mmregnet.yaml", (96, 96, 96), 1),
        ("VM-NCC", "mmregnet/vm_ncc.yaml", (96, 96, 96), 1),
        ("de Vos, U-Net", "devos_mi/unet_nmi.yaml", (64, 64, 64), 8),
        ("de Vos, PoolNet", "devos_mi/poolnet_nmi.yaml", (64, 64, 64), 8),
        ("US", "rigid_bones/us.yaml", (320, 320, 96), 1),  # WS-RP has sizes known only as it runs
        ("Deform-GAN-2", "deform_gan/deform_gan_2.yaml", (112, 128, 96), 2),
    ]
    jobs = [GpuJob("DeepReg's U-Net, lncc", str(UNET), (64, 64, 64))]
    jobs += [GpuJob(title, str(CONFIGS / file), size, batch) for title, file, size, batch in paper]
    others = [replace(job, form=form) for job in jobs for form in OTHER_FORMS.get(job.title, ())]
    return jobs + others


JOBS = {job.name: job for job in [*_steps(), *(GpuJob(p, p, PIECE_SIZE) for p in PIECES)]}


def draw(names: list[str], size: tuple[int, ...], batch: int) -> list[np.ndarray]:
    """Return random tensors by name, the same on every machine."""
    drawn = inputs(tuple(names), size)
    drawn |= {name: boxes(1, size) for name in names if name in LABELS}
    drawn |= {"indices": np.zeros((1, 2), np.float32)} if "indices" in names else {}
    return [np.repeat(drawn[name], batch, axis=0) for name in names]
