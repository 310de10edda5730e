"""mmzoo register beside ANTs, elastix, ConvexAdam: real scans, heads of label maps, phantoms.

    MMZOO_REAL_DATA=... python benchmarks/register.py [--quick] [--only heart] [--methods affine]

Each method registers each pair in a process of its own, one after the other; what is done is kept
in benchmarks/out/register, or `--out`, so that the same command goes on where it was stopped. Then
the page is written: README.md and results.csv beside it. Real scans, heads and pairs without motion
need MMZOO_REAL_DATA; without it they are left out. ConvexAdam is left out where it is not
installed. The pairs shown are others than those that settings were chosen on (seed 7, people 1 to 3
and 11 to 14, phantoms of seed 100).
"""

import argparse
import csv
import functools
import importlib.util
import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
if not __package__:  # run as a file
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.registration.bodies import ct_pair  # noqa: E402
from benchmarks.registration.brains import brain_pair  # noqa: E402
from benchmarks.registration.crops import spine_crops  # noqa: E402
from benchmarks.registration.methods import before_registration, measure  # noqa: E402
from benchmarks.registration.page import write_page  # noqa: E402
from benchmarks.registration.pair import SIZES, BenchmarkPair, phantom_pair  # noqa: E402
from benchmarks.registration.still import still, still_pairs  # noqa: E402
from benchmarks.registration.templates import t1_pd_pair, template_pair  # noqa: E402
from benchmarks.speed.processors import processor  # noqa: E402
from mmzoo.io.atomic import write_text  # noqa: E402

SEED = 0  # of the phantoms and heads shown
SCANS_SEED = 20  # of the deformations of real scans
SHOWN = [
    "affine",
    "mmzoo register",
    "ANTs affine",
    "ANTs SyN, defaults",
    "ANTs SyN, 100x70x40",
    "elastix",
    *(["ConvexAdam"] if importlib.util.find_spec("convexAdam") else []),
]
STILL = ["affine", "mmzoo register", "ANTs SyN, defaults"]
TEMPLATES = (("FLAIR", 0), ("FLAIR", 1), ("SPECT", 0), ("SPECT", 1), ("transmission", 0))
BRAINS = (  # fixed, moving person, contrasts (fixed, moving)
    (5, 5, ("t1", "t2")),
    (6, 6, ("t1", "pd")),
    (7, 7, ("ct", "t1")),
    (7, 8, ("t1", "t2")),
    (9, 10, ("t2", "t1")),
)


def pairs(quick: bool, only: str) -> Iterator[tuple[str, Callable[[], BenchmarkPair]]]:
    """Yield (key, function that makes the pair)."""
    for key, make in [*_scans(quick), *_still(), *_phantoms(quick)]:
        if only in ("", key.partition("-")[0]):
            yield key, make


def _real() -> Path:
    return Path(os.environ.get("MMZOO_REAL_DATA", "/nowhere"))


def _scans(quick: bool):
    real = _real()
    heads, scans, body = real / "brain-labels", real / "same-subject-t1-pd", real / "chaos-ct-case"
    templates, crops = real / "mni-templates", real / "spine-samples"
    for index in range(1 if quick else 2):
        if scans.is_dir():
            yield f"t1pd-{index}", functools.partial(t1_pd_pair, scans, index, SCANS_SEED)
        if body.is_dir():
            yield f"ct-{index}", functools.partial(ct_pair, body, index, SCANS_SEED)
    if templates.is_dir():
        for name, index in TEMPLATES[:: 2 if quick else 1]:
            make = functools.partial(template_pair, templates, name, index, SCANS_SEED)
            yield f"templates-{name}{index}", make
    if crops.is_dir():
        yield "crops-0", functools.partial(spine_crops, crops)
    if heads.is_dir():
        for fixed, moving, contrasts in BRAINS[:: 2 if quick else 1]:
            make = functools.partial(brain_pair, heads, fixed, moving, contrasts, SEED)
            yield f"brains-{fixed}{moving}", make


def _still():
    for key, make in still_pairs(_real(), SCANS_SEED):
        yield key, functools.partial(still, make)


def _phantoms(quick: bool):
    for index in range(1 if quick else 2):
        for name in SIZES:
            yield f"{name}-{index}", functools.partial(phantom_pair, name, index, SEED)


def main() -> None:
    """Measure what is not measured yet, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="about half of the pairs")
    parser.add_argument("--only", default="", help="one kind: t1pd, ct, brains, still, heart ...")
    parser.add_argument("--methods", nargs="*", help="some of them")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/out/register"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for key, make in pairs(options.quick, options.only):
        methods = STILL if key.startswith("still-") else SHOWN
        measure_pair(key, make, options.methods or methods, options.out)
    results, failed = measured(options.out)
    with (options.out / "results.csv").open("w", newline="") as file:
        fields = [name for name in max(map(list, results), key=len) if name != "notes"]
        writer = csv.DictWriter(file, fields, extrasaction="ignore")
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
