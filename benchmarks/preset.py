"""A preset's card: its figures on people and contrasts that it has not seen, beside other methods.

    MMZOO_REAL_DATA=... python benchmarks/preset.py brain-any-contrast [--out benchmarks/out/preset]

Each method registers each pair in a process of its own, one after the other; what is done is kept,
so that the same command goes on where it was stopped. Then docs/presets/NAME.md is written. ANTs
comes with the benchmark's packages; ConvexAdam (`pip install convexAdam`, with PyTorch) is left
out where it is not installed.
"""

import argparse
import importlib.util
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
if not __package__:  # run as a file
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.register import SEED, measure_pair, measured  # noqa: E402
from benchmarks.registration.brains import DRAWN, brain_pair  # noqa: E402
from benchmarks.registration.card import write_card  # noqa: E402
from benchmarks.registration.methods import REFINED  # noqa: E402
from benchmarks.registration.pair import phantom_pair  # noqa: E402
from benchmarks.registration.templates import t1_pd_pair  # noqa: E402

PEERS = ["affine", "mmzoo register", "ANTs SyN"]
UNSEEN = (15, 16)  # people
CONTRASTS = ((DRAWN, DRAWN), ("t1", "t2"))  # of fixed and moving image
PHANTOMS = ("heart", "abdomen", "breast")


def brains(real: Path):
    """Yield (key, function that makes the pair) of people and contrasts not trained on."""
    for fixed in UNSEEN:
        for moving in UNSEEN:
            for index, contrasts in enumerate(CONTRASTS):
                yield (
                    f"people-{fixed}-{moving}-{index}",
                    lambda f=fixed, m=moving, c=contrasts, i=index: brain_pair(
                        real / "brain-labels", f, m, c, SEED + i
                    ),
                )
    for index in range(2):
        yield (
            f"t1-pd-{index}",
            lambda i=index: t1_pd_pair(real / "same-subject-t1-pd", i, SEED),
        )


def shapes(_real: Path):
    """Yield the same of phantoms."""
    for name in PHANTOMS:
        for index in range(2):
            yield f"{name}-{index}", lambda n=name, i=index: phantom_pair(n, i, SEED)


PAIRS = {"brain-any-contrast": brains, "shapes-any-contrast": shapes}


def main() -> None:
    """Measure what is not measured yet, and write the card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("preset", choices=list(PAIRS))
    parser.add_argument("--methods", nargs="*", help="some of them, for a part of the figures")
    parser.add_argument("--log", type=Path, help="log folder of the training, for its curve")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/out/preset"))
    options = parser.parse_args()
    real = Path(os.environ.get("MMZOO_REAL_DATA", ""))
    if options.preset == "brain-any-contrast" and not (real / "brain-labels").is_dir():
        parser.error("set MMZOO_REAL_DATA to the folder of brain-labels and same-subject-t1-pd")
    peers = [*PEERS, *(["ConvexAdam"] if importlib.util.find_spec("convexAdam") else [])]
    methods = options.methods or [*peers, options.preset, options.preset + REFINED]
    out = options.out / options.preset
    out.mkdir(parents=True, exist_ok=True)
    for key, make in PAIRS[options.preset](real):
        measure_pair(key, make, methods, out)
    if options.methods is None:
        print(write_card(options.preset, *measured(out), options.log))


if __name__ == "__main__":
    main()
