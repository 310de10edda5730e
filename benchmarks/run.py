"""Reproduce a paper: run its Snakemake workflow and write its page of results.

    python benchmarks/run.py PAPER [--scale smoke|laptop|night|paper]
                             [--data phantom|DIR] [--out DIR]

`make benchmark PAPER=mmregnet SCALE=laptop` calls this. The same command goes on where it was
stopped. Anything after `--` goes to Snakemake, such as `-- --profile benchmarks/profiles/slurm`.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

if not __package__:  # run as a file
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.engine.data import PHANTOM, prepared_folders  # noqa: E402
from benchmarks.engine.paper import ROOT, SCALES, load_paper, paper_names  # noqa: E402


def main() -> None:
    """Run the workflow, then say where the page is, or what failed."""
    ours, theirs = _split(sys.argv[1:])
    given = parse(ours)
    try:
        paper = load_paper(given.paper, given.scale)
        prepared_folders(paper, given.data)
        out = (given.out or _default_out(given)).resolve()
        out.mkdir(parents=True, exist_ok=True)
        with only_one(out):
            given.paper = str(paper.path) if given.paper.endswith(".yaml") else paper.name
            status = snakemake(given, out, theirs)
            dry = {"-n", "--dry-run", "--dryrun"} & set(theirs)
            if status and not dry:
                write_partial_page(given, out)
    except (ValueError, OSError) as error:
        raise SystemExit(f"benchmark: {error}") from None
    if status:
        raise SystemExit(
            f"benchmark: not all of it worked; what is finished is kept, in {out}. The logs are in "
            f"{out / 'logs'}, what there is of the page in {out / 'partial'}. Mend the cause and "
            "give the same command again."
        )
    if not dry:
        print(f"page: {out / 'page' / 'README.md'}")


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paper", help=f"{', '.join(paper_names())}, or a description's path")
    parser.add_argument("--scale", default="smoke", choices=SCALES)
    parser.add_argument("--data", default=PHANTOM, help="phantom, or a prepared folder")
    parser.add_argument("--out", type=Path, help="working folder [benchmarks/out/...]")
    parser.add_argument("--cores", default="all", help="processor cores to use at once")
    parser.add_argument("--gpu", default="", help="of deepreg_train -g, as 0; empty: none")
    return parser.parse_args(arguments)


def snakemake(given: argparse.Namespace, out: Path, more: list[str]) -> int:
    """Run the workflow in its folder and return Snakemake's exit status."""
    config = {"paper": given.paper, "scale": given.scale, "data": _source(given), "gpu": given.gpu}
    command = [sys.executable, "-m", "snakemake", *more]
    command += ["--snakefile", str(ROOT / "benchmarks" / "Snakefile")]
    command += ["--directory", str(out), "--cores", given.cores]
    command += ["--keep-going", "--rerun-incomplete"]
    # Our own lock is let go whenever the process ends, so that a killed run needs no unlocking.
    command += [
        "--nolock",
        "--rerun-triggers",
        "mtime",
        "params",
        "input",
        "--quiet",
        "host",
        "reason",
    ]
    command += ["--config", *(f"{name}={value}" for name, value in config.items())]
    bin_folder = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"}
    environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        return subprocess.run(command, env=environment).returncode
    except KeyboardInterrupt:
        raise SystemExit("\nbenchmark: stopped; the same command goes on from here.") from None


def write_partial_page(given: argparse.Namespace, out: Path) -> None:
    """Write the page of what there is, the missing runs named."""
    command = [sys.executable, "-m", "benchmarks.engine.paper_page", "--partial"]
    command += ["--paper", given.paper, "--scale", given.scale, "--out", str(out)]
    command += ["--page", str(out / "partial"), "--data", _source(given)]
    subprocess.run(command, cwd=ROOT, check=False)


@contextmanager
def only_one(out: Path):
    """Hold a folder for this process; ValueError if another run is at work there."""
    with open(out / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"another benchmark is at work in {out}; wait for it.") from None
        yield


def _default_out(given: argparse.Namespace) -> Path:
    data = given.data if given.data == PHANTOM else Path(given.data).resolve().name
    return ROOT / "benchmarks" / "out" / Path(given.paper).stem / f"{data}-{given.scale}"


def _source(given: argparse.Namespace) -> str:
    """Return DATA as the jobs need it, whose working directory is another."""
    return PHANTOM if given.data == PHANTOM else str(Path(given.data).expanduser().resolve())


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return what is ours and what comes after `--`."""
    if "--" not in arguments:
        return arguments, []
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


if __name__ == "__main__":
    main()
