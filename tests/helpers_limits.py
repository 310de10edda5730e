"""Running a program where the disk is full, or where it is killed without warning."""

import os
import resource
import subprocess
import sys
from pathlib import Path

ROOT = str(Path(__file__).parents[1])


def run(code, *arguments, most_bytes=None, timeout=300):
    """Run Python code, no file of which may grow beyond so many bytes; return what it ended in."""

    def limit():
        # A write then ends with an error, as on a full disk: Python ignores the signal.
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, resource.RLIM_INFINITY))

    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "PYTHONPATH": ROOT, "COLUMNS": "300"},
        preexec_fn=None if most_bytes is None else limit,
    )


def mmzoo(*arguments, **limits):
    """Run the command mmzoo in a process of its own."""
    code = "import sys; from mmzoo.cli.main import main; sys.argv[0] = 'mmzoo'; main()"
    return run(code, *arguments, **limits)
