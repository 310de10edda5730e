"""What the machine can do at best, and what a piece must do at least.

    python benchmarks/speed/limits.py

prints JSON: bytes a second that all cores copy, read and written, and float32 multiply-adds a
second of a product of matrices.
"""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

COPIED = 2**26  # numbers a core
ORDER = 3072  # of the matrices
TURNS = 7


def copy_bandwidth() -> float:
    """Return bytes a second, the quickest of several copies by all cores at once."""
    cores = os.cpu_count() or 1
    source = [np.ones(COPIED // cores, np.float32) for _ in range(cores)]
    target = [np.zeros_like(block) for block in source]
    with ThreadPoolExecutor(cores) as pool:
        best = min(_timed(lambda: list(pool.map(np.copyto, target, source))) for _ in range(TURNS))
    return 2 * sum(block.nbytes for block in source) / best


def product_rate() -> float:
    """Return multiply-adds a second, the quickest of several products."""
    a = np.ones((ORDER, ORDER), np.float32)
    out = np.empty_like(a)
    return ORDER**3 / min(_timed(lambda: np.matmul(a, a, out)) for _ in range(TURNS))


def _timed(function) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def least_seconds(piece, voxels: int, machine: dict) -> float:
    """Return how long the machine needs for a piece's value and gradient if nothing is wasted.

    Its tensors are read once for the value and once more for the gradient, which is written; or
    its products of matrices take longer than that.
    """
    moved = 4 * voxels * piece.passes / machine["copied_bytes_s"]
    return max(moved, voxels * piece.multiply_adds / machine["multiply_adds_s"])


def main() -> None:
    """Print the two figures."""
    print(json.dumps({"copied_bytes_s": copy_bandwidth(), "multiply_adds_s": product_rate()}))


if __name__ == "__main__":
    main()
