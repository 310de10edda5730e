"""mmzoo register beside ANTs SyN and elastix: phantoms, brains of label maps, spine crops.

    python benchmarks/register.py [--quick] [--only heart] [--out benchmarks/out/register]

Each method registers each pair in a process of its own, one after the other; what is done is
kept, so that the same command goes on where it was stopped. Then the page is written: README.md
and results.csv beside it. Brains and crops need MMZOO_REAL_DATA; without it they are left out. The
pairs shown are others than those that settings were chosen on (phantoms of seed 100, people 1 to
3).
"""

import argparse
import csv
import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
if not __package__:  # run as a file
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.registration.brains import brain_pair  # noqa: E402
from benchmarks.registration.crops import spine_crops  # noqa: E402
from benchmarks.registration.methods import before_registration, measure  # noqa: E402
from benchmarks.registration.page import write_page  # noqa: E402
from benchmarks.registration.pair import SIZES, BenchmarkPair, phantom_pair  # noqa: E402
from benchmarks.speed.processors import processor  # noqa: E402
from mmzoo.io.atomic import write_text  # noqa: E402

SEED = 0  # of the phantoms shown
SHOWN = ["affine", "mmzoo register", "ANTs SyN", "elastix"]
BRAINS = (  # fixed, moving person, contrasts (fixed, moving)
    (5, 5, ("t1", "t2")),
    (6, 6, ("t1", "pd")),
    (7, 8, ("t1", "t2")),
    (9, 10, ("t2", "t1")),
)


def pairs(quick: bool, only: str):
    """Yield (key, function that makes the pair)."""
    count = 1 if quick else 2
    for index in range(count):
        for name in SIZES:
            if only in ("", name):
                yield f"{name}-{index}", lambda n=name, i=index: phantom_pair(n, i, SEED)
    real = Path(os.environ.get("MMZOO_REAL_DATA", "/nowhere"))
    folder = real / "brain-labels"
    if only in ("", "crops") and (real / "spine-samples").is_dir():
        yield "crops-0", lambda: spine_crops(real / "spine-samples")
    if only in ("", "brains") and folder.is_dir():
        for fixed, moving, contrasts in BRAINS[:: 2 if quick else 1]:
            make = lambda f=fixed, m=moving, c=contrasts: brain_pair(folder, f, m, c, SEED)  # noqa: E731
            yield f"brains-{fixed}-{moving}", make


def main() -> None:
    """Measure what is not measured yet, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one pair of a kind, not two")
    parser.add_argument("--only", default="", help="one phantom, brains or crops")
    parser.add_argument("--methods", nargs="*", default=SHOWN, help="some of them")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/out/register"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for key, make in pairs(options.quick, options.only):
        measure_pair(key, make, options.methods, options.out)
    results, failed = measured(options.out)
    with (options.out / "results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=max(map(list, results), key=len))
        writer.writeheader()
        writer.writerows(results)
    print(write_page(options.out, results, failed))


def measured(out: Path) -> tuple[list[dict], list[dict]]:
    """Return what is in a folder: the figures, and what methods gave up."""
    every = [json.loads(path.read_text()) for path in sorted(out.glob("*.json"))]
    return [row for row in every if "failed" not in row], [row for row in every if "failed" in row]


def measure_pair(
    key: str, make: Callable[[], BenchmarkPair], methods: list[str], out: Path
) -> None:
    """Measure the methods that a folder has no figures of yet, and keep these there."""
    todo = [method for method in methods if not _file(out, key, method).exists()]
    if not todo:
        return
    pair = make()
    about = {"key": key, "group": pair.group, "pair": pair.name, "processor": processor()}
    _save(out, key, "before", {**about, "method": "before", **before_registration(pair)})
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "pair.pkl"
        kept.write_bytes(pickle.dumps(pair))
        for method in todo:
            found = _in_a_fresh_process(method, kept)
            said = {k: round(v, 3) if isinstance(v, float) else v for k, v in found.items()}
            print(key, method, said, flush=True)
            _save(out, key, method, {**about, "method": method, **found})


def _in_a_fresh_process(method: str, pair: Path) -> dict:
    command = [sys.executable, __file__, "--measure", method, str(pair)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:  # a method may give a pair up, and the others go on
        return {"failed": done.stderr.strip().splitlines()[-1]}
    return json.loads(done.stdout.splitlines()[-1])


def _file(out: Path, key: str, method: str) -> Path:
    return out / f"{key}--{method.replace(' ', '-')}.json"


def _save(out: Path, key: str, method: str, content: dict) -> None:
    write_text(_file(out, key, method), json.dumps(content))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2], pickle.loads(Path(sys.argv[3]).read_bytes()))))
    else:
        main()
