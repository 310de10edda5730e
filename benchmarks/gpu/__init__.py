"""Training steps and pieces on a GPU, compiled whole: `lower` here, `run` there.

`jit_compile` gives the whole step to XLA. What XLA gets is the step as StableHLO, and that runs
under JAX too: so a machine with a GPU needs JAX alone, and neither TensorFlow nor the zoo.

    PYTHONPATH=benchmarks python -m gpu.lower --out lowered
    PYTHONPATH=benchmarks python -m gpu.run lowered --out benchmarks/results/gpu   # with JAX
"""
