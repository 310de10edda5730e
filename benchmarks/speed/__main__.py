"""`python -m benchmarks.speed`: measure what is not measured yet, then write page and plot."""

import argparse
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from benchmarks.speed import limits
from benchmarks.speed.page import write_page
from benchmarks.speed.pieces import PIECES
from benchmarks.speed.plot import draw
from benchmarks.speed.processors import keep, processor
from benchmarks.speed.results import collect
from benchmarks.speed.runs import laptop, measure, pieces, read, steps
from benchmarks.speed.summary import README, summary, update
from mmzoo.checks import check_choice

OUT = Path(__file__).resolve().parents[1] / "results/speed"
SIZES = ["64", "96", "160x192x160", "320x320x96"]


def main() -> None:
    """Read the options and do it."""
    parser = _parser()
    options = parser.parse_args()
    try:
        for name in options.pieces:
            check_choice("--pieces", name, tuple(PIECES))
    except ValueError as error:
        parser.error(str(error))
    for python in filter(None, (options.monai_python, options.old_python)):
        if not Path(python).is_file():
            raise SystemExit(f"speed: there is no Python at {python}.")
    sizes = [_dims(text) for text in (["32"] if options.quick else options.sizes)]
    runs = [*pieces(sizes, options.monai_python, options.pieces)]
    if not options.no_steps:
        small = {"sizes": ((32, 32, 32),)} if options.quick else {}
        runs += steps(options.old_python, **small)
        runs += laptop("smoke" if options.quick else "laptop")
    kept = options.out / "measured"
    turns = 1 if options.quick else options.turns
    machine = _machine(kept)
    measure(runs, kept, turns, options.memory)
    results = collect(runs, kept, machine)
    draw(options.out, results)
    processors = keep(options.out, results, options.name or processor())
    print(write_page(options.out, results, _versions(options), processors))
    paragraph = summary(results, processors[0].processor)
    if options.out == OUT and paragraph:
        update(README, paragraph)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="speed", description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="96 or 160x192x160")
    parser.add_argument("--pieces", nargs="+", default=[], help=f"of {', '.join(PIECES)}; all")
    parser.add_argument("--quick", action="store_true", help="32^3 once, to see that all runs")
    parser.add_argument("--turns", type=int, default=2, help="of which the quickest counts")
    parser.add_argument("--memory", type=float, default=12, help="GB that a run may take")
    parser.add_argument("--no-steps", action="store_true", help="the pieces alone")
    parser.add_argument(
        "--monai-python", default="", help="a Python with torch, monai and convexAdam"
    )
    parser.add_argument("--old-python", default="", help="Python 3.8, TensorFlow 2.3.1, DeepReg")
    parser.add_argument("--name", default="", help="of the processor, the system's own if left out")
    parser.add_argument("--out", type=Path, default=OUT, help="folder of page and figures")
    return parser


def _dims(text: str) -> tuple[int, ...]:
    """Read 48 as 48x48x48."""
    try:
        size = tuple(int(n) for n in text.split("x"))
    except ValueError:
        size = ()
    if len(size) not in (1, 3) or min(size) < 16:
        raise SystemExit(f"speed: --sizes takes 96 or 160x192x160, of 16 and more, got {text}.")
    return size * 3 if len(size) == 1 else size


def _machine(kept: Path) -> dict:
    """Return the machine's limits, measured once."""
    path = kept / "machine.json"
    if not path.exists():
        kept.mkdir(parents=True, exist_ok=True)
        run = subprocess.run(
            [sys.executable, limits.__file__], check=True, capture_output=True, text=True
        )
        path.write_text(json.dumps([json.loads(run.stdout)]))
    return read(path)[0]


def _versions(options: argparse.Namespace) -> str:
    """Say what was measured with."""
    said = [f"Python {sys.version.split()[0]}", f"TensorFlow {version('tensorflow')}"]
    if options.monai_python:
        code = (
            "import torch, monai; print(f'PyTorch {torch.__version__}, MONAI {monai.__version__}')"
        )
        command = [options.monai_python, "-c", code]
        said.append(subprocess.run(command, capture_output=True, text=True).stdout.strip())
    return ", ".join(said)


if __name__ == "__main__":
    main()
