"""Settings of mmzoo register on pairs that its page does not show: TRE and Dice of each.

    MMZOO_REAL_DATA=... python benchmarks/tuning.py SPECT '{"loss": "mind-ssc", "weight": 700}'

Pairs by name (all if none), settings as JSON, the defaults if none. docs/tuning.md has what came
of it.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
if not __package__:  # run as a file
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.registration.brains import brain_pair  # noqa: E402
from benchmarks.registration.pair import BenchmarkPair, phantom_pair  # noqa: E402
from benchmarks.registration.templates import t1_pd_pair, template_pair  # noqa: E402

SEED, PHANTOMS = 7, 100


def pairs(real: Path) -> dict[str, Callable[[], BenchmarkPair]]:
    """Return by name how each pair is made."""
    labels = real / "brain-labels"
    return {
        "t1-pd": lambda: t1_pd_pair(real / "same-subject-t1-pd", 0, SEED),
        "SPECT": lambda: template_pair(real / "mni-templates", "SPECT", 0, SEED),
        "transmission": lambda: template_pair(real / "mni-templates", "transmission", 0, SEED),
        "labels-1-1": lambda: brain_pair(labels, 1, 1, ("t1", "t2"), SEED),
        "labels-1-2": lambda: brain_pair(labels, 1, 2, ("t1", "t2"), SEED),
        "heart": lambda: phantom_pair("heart", 0, PHANTOMS),
    }


def main() -> None:
    """Register each pair by each setting."""
    import mmzoo

    every = pairs(Path(os.environ["MMZOO_REAL_DATA"]))
    named = [word for word in sys.argv[1:] if not word.startswith("{")]
    settings = [json.loads(word) for word in sys.argv[1:] if word.startswith("{")]
    for name in named or every:
        pair = every[name]()
        for options in [{"field": "none"}, *(settings or [{}])]:
            found = mmzoo.register(pair.fixed, pair.moving, initial=pair.initial, **options)
            dice, tre = pair.score(found.transform)
            nmi = found.report["nmi"]
            print(f"{name} {options}: Dice {dice:.3f}, TRE {tre:.2f} mm, {nmi}", flush=True)


if __name__ == "__main__":
    main()
