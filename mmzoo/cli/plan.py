"""`mmzoo plan`: what a training step will take, before it is run."""

from typing import Annotated

import typer

from mmzoo.terminal import quiet


def plan(
    config: Annotated[
        list[str], typer.Argument(help="Files as for deepreg_train -c; later ones win.")
    ],
    size: Annotated[
        tuple[int, int, int] | None, typer.Option(help="Voxels; the configuration's by default.")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Pairs a step; the configuration's by default.")
    ] = None,
) -> None:
    """Predict peak memory and seconds a step of a training on this machine's processors."""
    with quiet():
        import mmzoo.deepreg

        mmzoo.deepreg.activate()
        from mmzoo.config_merge import merge_files
        from mmzoo.deepreg.catalogue import zoo_file
        from mmzoo.planning import step_cost

    if size is not None and min(size) < 1:
        raise typer.BadParameter(f"--size takes three numbers of voxels, got {size}.")
    with quiet():
        merged = merge_files(zoo_file(name) for name in config)
        predicted = step_cost.plan(merged, size, batch)
    typer.echo(_table(predicted))


def _table(plan) -> str:
    """Return a line a figure."""
    size = "x".join(map(str, plan.size))
    lines = [
        f"size           {size}, batch {plan.batch}",
        f"parameters     {plan.parameters:,}",
        f"multiply-adds  {plan.multiply_adds / 1e9:.1f} thousand million a step",
        f"peak memory    {plan.memory_bytes / 1e9:.1f} GB",
        f"seconds a step {plan.seconds:.2f}",
    ]
    if plan.steps is not None:
        hours = plan.steps * plan.seconds / 3600
        lines.append(f"whole training {hours:.1f} hours ({plan.steps:,} steps)")
    return "\n".join(lines)
