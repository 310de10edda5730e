"""First fields of the network `cost-volume`, before its U-Net: TRE and Dice by setting.

    MMZOO_REAL_DATA=... python benchmarks/first_field.py '{"steps": 8, "smoothing": 12}' '{}'

On people 13 and 14 of the label maps, who are kept for choices, 12 pairs in contrasts drawn at
random and of T1 and T2, and on two pairs of one person's T1 and PD, whose deformations no card has.
Settings of `CostVolumeNet` as JSON, the defaults if none; the first row is the linear stage.
docs/tuning.md has what came of it.
"""

import json
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
if not __package__:  # run as a file
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np  # noqa: E402

from benchmarks.registration.brains import DRAWN, brain_pair  # noqa: E402
from benchmarks.registration.templates import t1_pd_pair  # noqa: E402
from mmzoo.registration.frame import ImagePair  # noqa: E402
from mmzoo.registration.linear import register_linear  # noqa: E402
from mmzoo.registration.network import network  # noqa: E402
from mmzoo.registration.transform import composite  # noqa: E402

SEED = 100
KEPT = (13, 14)  # people
T1_PD_SEED = 50
CONTRASTS = ((DRAWN, DRAWN), ("t1", "t2"), (DRAWN, DRAWN))  # of fixed and moving image


class FirstField:
    """A network whose U-Net says nothing yet, for `mmzoo.registration.network`."""

    image_size: tuple[int, ...] = (64, 80, 64)
    spacing_mm: tuple[float, float, float] | None = (3.0, 3.0, 3.0)

    def __init__(self, settings: dict) -> None:
        from mmzoo.networks.registration import CostVolumeNet
        from mmzoo.ops.compiled import traced

        self.field = traced(CostVolumeNet(out_kernel_initializer="zeros", **settings))
        self.seconds: list[float] = []

    def __call__(self, moving, fixed, *, refine, on_step):
        """Return the field of a pair."""
        scaled = [(volume - volume.min()) / np.ptp(volume) for volume in (moving, fixed)]
        begin = time.process_time()
        ddf = self.field(np.stack(scaled, axis=-1)[None].astype(np.float32)).numpy()[0]
        self.seconds.append(time.process_time() - begin)
        return SimpleNamespace(ddf=ddf, backward_ddf=None, losses=())


def main() -> None:
    """Print one row for each setting."""
    real = Path(os.environ["MMZOO_REAL_DATA"])
    pairs = []
    for made in _pairs(real / "brain-labels", real / "same-subject-t1-pd"):
        images = ImagePair(made.fixed, made.moving)
        pairs.append((made, images, register_linear(images, "affine", 0)[0]))
    print("linear", _scores([(made, made.score(linear)) for made, _, linear in pairs]), flush=True)
    for settings in [json.loads(word) for word in sys.argv[1:]] or [{}]:
        first = FirstField(settings)
        method = network(first)
        scores = []
        for made, images, linear in pairs:
            displacement = method(images)(linear, lambda *_: None).displacement
            scores.append((made, made.score(composite(linear, displacement))))
        seconds = np.mean(first.seconds[1:])  # the first one compiles
        print(json.dumps(settings), _scores(scores), f"{seconds:.2f} processor s", flush=True)


def _pairs(labels: Path, t1_pd: Path):
    for fixed, moving in ((f, m) for f in KEPT for m in KEPT):
        for index, contrasts in enumerate(CONTRASTS):
            yield brain_pair(labels, fixed, moving, contrasts, SEED + index)
    for index in range(2):
        yield t1_pd_pair(t1_pd, index, T1_PD_SEED)


def _scores(scores) -> str:
    kinds: dict[str, list] = {}
    for made, score in scores:
        people = "two people" if made.truth is None else "one person"
        kinds.setdefault(f"{made.group}, {people}", []).append(score)
    said = []
    for kind, found in kinds.items():
        dice, tre = np.mean(found, axis=0)
        said.append(f"{kind}: Dice {dice:.3f}" + ("" if np.isnan(tre) else f", TRE {tre:.2f} mm"))
    return "; ".join(said)


if __name__ == "__main__":
    main()
