"""Training steps and pieces on a GPU, compiled whole: `lower` here, `run` there.

`jit_compile` gives the whole step to XLA. What XLA gets is the step as StableHLO, and that runs
under JAX too: so a machine with a GPU needs JAX alone, and neither TensorFlow nor the zoo.

    python -m benchmarks.gpu.lower --out lowered
    python -m benchmarks.gpu.run lowered --out benchmarks/results/gpu   # with JAX
"""
