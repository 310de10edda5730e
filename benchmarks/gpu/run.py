"""`python -m benchmarks.gpu.run FOLDER --out PAGE_FOLDER`: run what `gpu.lower` wrote, by JAX.

Each job runs in a process of its own: seconds of one call, the median of several batches of calls;
memory as the compiled program says it, arguments and results included; the first values beside
those that TensorFlow computed on processors. Needs jax alone, and torch and monai for their column.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.gpu.jobs import draw
from benchmarks.speed.measure import PEER_TENSORS, inputs

BATCHES, SECONDS = 5, 0.5  # measured batches of calls, and how long each takes


def run(name: str, folder: Path) -> dict:
    """Compile and call one job.

    Returns:
        What `gpu.lower` wrote of it; "device", "versions", "compile_s", "gradient_s", "memory_mb";
        and "measured", the first values.
    """
    import jax

    jax.config.update("jax_enable_x64", True)  # counters of steps are int64
    described = json.loads((folder / f"{name}.json").read_text())
    device = jax.devices()[0]
    start = time.perf_counter()
    program, follows = _compiled(folder / f"{name}.mlirbc", device)
    compile_s = time.perf_counter() - start
    with np.load(folder / f"{name}.npz") as file:
        state = [file[key] for key in file.files]
    arguments = [*draw(described["tensors"], tuple(described["size"]), described["batch"]), *state]
    arguments = [jax.device_put(each, device) for each in arguments]

    def call():
        results = program.execute_sharded(arguments).disassemble_into_single_device_arrays()
        for argument, result in follows.items():
            arguments[argument] = results[result][0]
        return results[0][0]

    measured = [float(call()) for _ in described["values"]]
    memory = program.get_compiled_memory_stats()
    taken = memory.temp_size_in_bytes + memory.argument_size_in_bytes + memory.output_size_in_bytes
    return described | {
        "device": device.device_kind,
        "versions": f"JAX {jax.__version__}",
        "compile_s": compile_s,
        "gradient_s": _seconds(call, lambda value: value.block_until_ready()),
        "memory_mb": taken / 2**20,
        "measured": measured,
    }


def _compiled(path: Path, device):
    """Return the program for a device, and {argument: the result that follows it}."""
    from jax._src.interpreters import mlir
    from jax._src.lib import xla_client
    from jax.extend.mlir import deserialize_portable_artifact, ir

    context = mlir.make_ir_context()
    with context:
        text = str(deserialize_portable_artifact(path.read_bytes(), context))
        head, body = text.split("\n", 1)
        found = re.findall(
            r"parameter_number = (\d+) : i64\}, output_index = array<i64: (\d+)>", head
        )
        # JAX takes neither the module's own attributes nor copies, which are but their operand.
        name = re.findall(r"@[\w.]+", head)[0]
        body = body.replace("mhlo.copy", "stablehlo.optimization_barrier")
        code = mlir.module_to_bytecode(ir.Module.parse(f"module {name} {{\n{body}"))
    program = device.client.compile_and_load(
        code, xla_client.DeviceList((device,)), xla_client.CompileOptions()
    )
    return program, {int(argument): int(result) for argument, result in found}


def _seconds(call, wait) -> float:
    """Return the seconds of one call when many are made in a row."""
    start = time.perf_counter()
    wait(call())
    calls = max(1, round(SECONDS / (time.perf_counter() - start)))
    times = []
    for _ in range(BATCHES):
        start = time.perf_counter()
        for _ in range(calls):
            value = call()
        wait(value)
        times.append((time.perf_counter() - start) / calls)
    return statistics.median(times)


def run_monai(name: str, folder: Path) -> dict:
    """Do the same with MONAI's form of a piece, in PyTorch; memory is what it allocates."""
    import monai
    import torch

    from benchmarks.speed import peers

    described = json.loads((folder / f"{name}.json").read_text())
    device = "cuda" if torch.cuda.is_available() else "cpu"
    arrays = inputs(
        PEER_TENSORS.get(described["subject"], ("fixed", "warped")), tuple(described["size"])
    )
    _, gradient = peers.prepare(described["subject"], arrays, device)
    gradient()
    figures = {"gradient_s": _seconds(gradient, lambda _: None)}
    if device == "cuda":
        figures |= {
            "device": torch.cuda.get_device_name(),
            "memory_mb": torch.cuda.max_memory_allocated() / 2**20,
        }
    versions = f"PyTorch {torch.__version__}, MONAI {monai.__version__}"
    return described | figures | {"form": "MONAI", "versions": versions}


def main() -> None:
    """Run every job of a folder, then write the figures and the page."""
    parser = argparse.ArgumentParser(prog="benchmarks.gpu.run", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of gpu.lower")
    parser.add_argument("--out", type=Path, required=True, help="folder of README.md, figures.json")
    parser.add_argument("--monai", action="store_true", help="MONAI's forms too: torch and monai")
    parser.add_argument("--longest", type=float, default=120, help="seconds for a job")
    parser.add_argument("--one", nargs=2, metavar=("FORM", "JOB"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        form, name = options.one
        print(json.dumps((run_monai if form == "MONAI" else run)(name, options.folder)))
        return
    options.out.mkdir(parents=True, exist_ok=True)
    kept = options.out / "figures.json"
    figures = json.loads(kept.read_text()) if kept.exists() else {}
    for form, name in _waiting(options, figures):
        figures[f"{form} {name}"] = _in_a_process(form, name, options)
        kept.write_text(json.dumps(figures, indent=1) + "\n")
    from benchmarks.gpu.page import write_page

    print(write_page(options.out, figures))


def _waiting(options: argparse.Namespace, figures: dict) -> list[tuple[str, str]]:
    """Return form and name of what has no figures yet, or failed."""
    names = [path.stem for path in sorted(options.folder.glob("*.json"))]
    if not names:
        raise SystemExit(f"gpu.run: there are no jobs in {options.folder}; gpu.lower writes them.")
    wanted = [("XLA", name) for name in names]
    if options.monai:
        from benchmarks.speed.peers import PEERS

        subjects = {
            name: json.loads((options.folder / f"{name}.json").read_text())["subject"]
            for name in names
        }
        wanted += [("MONAI", name) for name in names if subjects[name] in PEERS]
    return [
        each for each in wanted if "failed" in figures.get(" ".join(each), {"failed": "not run"})
    ]


def _in_a_process(form: str, name: str, options: argparse.Namespace) -> dict:
    """Return the figures of a job, or why there are none as "failed"; tells of it."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.gpu.run",
        str(options.folder),
        "--out",
        str(options.out),
    ]
    environment = {**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    start = time.perf_counter()
    found: dict = {}
    try:
        done = subprocess.run(
            [*command, "--one", form, name],
            capture_output=True,
            text=True,
            timeout=options.longest,
            env=environment,
        )
        lines = done.stdout.splitlines()
        found = json.loads(lines[-1]) if not done.returncode else {"failed": done.stderr[-1500:]}
    except subprocess.TimeoutExpired:
        found = {"failed": f"more than {options.longest:g} s"}
    said = found.get("failed") or f"{1e3 * found['gradient_s']:.2f} ms"
    print(f"{form} {name}: {said} ({time.perf_counter() - start:.0f} s)", flush=True)
    return found


if __name__ == "__main__":
    main()
