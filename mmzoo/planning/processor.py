"""The processor: its name, its vector instructions, and the rate of TensorFlow's convolutions."""

import platform
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path

# Vector instructions by the names that Linux gives them, and as they are called.
INSTRUCTIONS = {
    "avx2": "AVX2",
    "avx512f": "AVX512",
    "avx512_vnni": "AVX512 VNNI",
    "avx512_bf16": "AVX512 BF16",
    "amx_tile": "AMX",
    "asimd": "NEON",
    "sve": "SVE",
}


def processor_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the name of the processor, or of its kind where the system does not say it."""
    rows = cpuinfo.read_text() if cpuinfo.is_file() else ""
    found = re.search(r"^model name\s*: (.*)$", rows, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def vector_instructions(cpuinfo: Path = Path("/proc/cpuinfo")) -> list[str] | None:
    """Return the vector instructions of the processor; None where the system does not say."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return None
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    words = set(flags.partition(":")[2].split())
    return [name for flag, name in INSTRUCTIONS.items() if flag in words]


def convolution_share() -> float:
    """Return the rate of a 3-D convolution as a share of that of a matrix product.

    Both count multiply-adds in a second and are measured in turns, so that other work on the
    machine slows both. The convolution is of a network: 16 channels, a kernel of 3^3, 32^3 voxels.
    """
    import tensorflow as tf

    volume, kernel = tf.ones((1, 32, 32, 32, 16)), tf.ones((3, 3, 3, 16, 16))
    matrix = tf.ones((768, 768))
    works = lambda: tf.nn.conv3d(volume, kernel, [1] * 5, "SAME"), lambda: matrix @ matrix
    seconds = [[_seconds(work) for work in works] for _ in range(16)][1:]
    convolution, product = 32**3 * 27 * 16 * 16, 768**3
    return statistics.median(
        (convolution / of_convolution) / (product / of_product)
        for of_convolution, of_product in seconds
    )


def _seconds(work: Callable) -> float:
    start = time.perf_counter()
    work().numpy()
    return time.perf_counter() - start
