"""`python -m benchmarks.gpu.lower --out FOLDER`: write each job as StableHLO, and its arguments.

NAME.mlirbc is the program, NAME.npz the weights and the optimizer's state, which are its last
arguments; images are drawn anew where it is run. NAME.json says what they are, and the first values
as TensorFlow computes them here, for a comparison.
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks.gpu.jobs import JOBS, MIXED, GpuJob, draw

CALLS = 2  # whose values are computed here


def lower(job: GpuJob, out: Path) -> None:
    """Write the three files of a job into a folder."""
    os.environ["MMZOO_ACCELERATE"] = str(int(job.form != "DeepReg"))
    import mmzoo.deepreg

    mmzoo.deepreg.activate()
    import tensorflow as tf

    from mmzoo.ops import histogram

    histogram.on_gpu = lambda: True  # there will be one where it is run
    names, function = _step(job) if job.is_step else _piece(job)
    tensors = [tf.constant(each) for each in draw(names, job.size, job.batch)]
    program = tf.function(function, jit_compile=True, autograph=False)
    traced = program.get_concrete_function(*tensors)
    code = program.experimental_get_compiler_ir(*tensors)(stage="stablehlo_serialized")
    (out / f"{job.name}.mlirbc").write_bytes(code)
    held = {id(variable.handle): variable for variable in traced.variables}
    state = [held.get(id(tensor), tensor).numpy() for tensor in traced.captured_inputs]
    np.savez_compressed(out / f"{job.name}.npz", *state)
    plain = tf.function(function, autograph=False)  # XLA convolves slowly on processors
    values = [float(plain(*tensors)[0]) for _ in range(CALLS)]
    description = asdict(job) | {"tensors": names, "values": values}
    (out / f"{job.name}.json").write_text(json.dumps(description))


def _step(job: GpuJob):
    """Return the names of the tensors of a training step, and the step: tensors -> [loss]."""
    from benchmarks.step import build
    from mmzoo.deepreg.adaptations.checkpoint import build_optimizer_variables

    files = [job.subject, *[str(MIXED)] * (job.form == "bfloat16")]
    model, pair = build(files, job.size, job.batch)
    build_optimizer_variables(model)
    names = list(pair)

    def step(*tensors):
        return [model.train_step(dict(zip(names, tensors, strict=True)))["loss"]]

    return names, step


def _piece(job: GpuJob):
    """Return the names of a piece's tensors, and the piece: tensors -> [value, gradient]."""
    import tensorflow as tf

    from benchmarks.speed.pieces import PIECES

    piece = PIECES[job.subject]
    form = piece.forms[job.form]()

    def value_and_gradient(*tensors):
        with tf.GradientTape() as tape:
            tape.watch(tensors[-1])
            total = tf.reduce_sum(form(*tensors))
        return [total, tape.gradient(total, tensors[-1])]

    return list(piece.tensors), value_and_gradient


def main() -> None:
    """Lower the jobs, each in a process of its own; those that are there are left alone."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.gpu.lower", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the files")
    parser.add_argument("--jobs", nargs="+", default=list(JOBS), choices=list(JOBS), metavar="JOB")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.one:
        lower(JOBS[options.jobs[0]], options.out)
        return
    for done, name in enumerate(options.jobs, 1):
        if not (options.out / f"{name}.json").exists():
            command = [sys.executable, "-m", "benchmarks.gpu.lower", "--one", "--jobs", name]
            subprocess.run([*command, "--out", str(options.out)], check=True)
        print(f"{done}/{len(options.jobs)} {name}", flush=True)


if __name__ == "__main__":
    main()
