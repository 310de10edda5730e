"""What the machine can do at best, and what a piece must do at least.

    python benchmarks/speed/limits.py

prints JSON: bytes a second that all cores copy, read and written; float32 additions a second of
numbers in the cache; and float32 multiply-adds a second of a product of matrices.
"""

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

COPIED = 2**26  # numbers a core
CACHED = 2**12  # numbers: two such rows fit in every processor's first cache
ADDED = 2**28  # numbers a core
ORDER = 3072  # of the matrices
TURNS = 7


def copy_bandwidth() -> float:
    """Return bytes a second, the quickest of several copies by all cores at once."""
    cores = os.cpu_count() or 1
    source = [np.ones(COPIED // cores, np.float32) for _ in range(cores)]
    target = [np.zeros_like(block) for block in source]
    return 2 * sum(block.nbytes for block in source) / _best(np.copyto, target, source)


def operation_rate() -> float:
    """Return additions a second by all cores at once: two numbers from the cache, one into it."""
    cores = os.cpu_count() or 1
    rows = [np.broadcast_to(np.ones(CACHED, np.float32), (ADDED // CACHED, CACHED))] * cores
    return sum(block.size for block in rows) / _best(np.add.reduce, rows)


def product_rate() -> float:
    """Return multiply-adds a second, the quickest of several products."""
    a = np.ones((ORDER, ORDER), np.float32)
    out = np.empty_like(a)
    return ORDER**3 / min(_timed(lambda: np.matmul(a, a, out)) for _ in range(TURNS))


def _best(function: Callable, *arguments: list) -> float:
    """Return the seconds of a function of each core's arguments, the least of several turns."""
    with ThreadPoolExecutor(len(arguments[0])) as pool:
        return min(_timed(lambda: list(pool.map(function, *arguments))) for _ in range(TURNS))


def _timed(function: Callable) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def least_seconds(piece, voxels: int, machine: dict) -> dict[str, float]:
    """Return how long the machine needs for a piece's value and gradient if nothing is wasted.

    Args:
        piece: of `PIECES`.
        voxels: of the volume.
        machine: the three figures.

    Returns:
        By what takes that long, of which the longest counts: "memory", to read its tensors once
        for the value and once more for the gradient, which is written; "operations" on numbers in
        the cache, of the best algorithm known; "products" of matrices.
    """
    return {
        "memory": 4 * voxels * piece.passes / machine["copied_bytes_s"],
        "operations": voxels * piece.operations / machine["operations_s"],
        "products": voxels * piece.multiply_adds / machine["multiply_adds_s"],
    }


def main() -> None:
    """Print the three figures."""
    figures = {"copied_bytes_s": copy_bandwidth(), "operations_s": operation_rate()}
    print(json.dumps(figures | {"multiply_adds_s": product_rate()}))


if __name__ == "__main__":
    main()
