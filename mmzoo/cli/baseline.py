"""``mmzoo baseline``: a conventional method on the pairs that a network would predict."""

from pathlib import Path
from typing import Annotated

import typer

from mmzoo.cli._many import ManyValues
from mmzoo.cli._output import print_error


class COMMAND(ManyValues):
    """Lets ``-c a b c`` name several files, as `deepreg_train` does."""

    def parse_args(self, ctx, args):
        """Write the short name out, so that its values are found."""
        return super().parse_args(ctx, ["--config" if arg == "-c" else arg for arg in args])


def baseline(
    config: Annotated[
        list[str],
        typer.Option(
            "--config", "-c", help="The method's file, the data's, and others; later ones win."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write; mmzoo evaluate reads it.")],
    mode: Annotated[str, typer.Option(help="Split to register: test or valid.")] = "test",
    jobs: Annotated[
        int | None,
        typer.Option(help="Processes of one thread each (default: all processor cores)."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace pairs made with other settings.")
    ] = False,
) -> None:
    """Register pairs by a conventional tool and write them as deepreg_predict does."""
    # Late, so that `mmzoo --help` does not wait for NumPy and SciPy.
    import shlex
    from functools import partial

    from mmzoo.baselines import run_baseline
    from mmzoo.config_merge import merge_files
    from mmzoo.deepreg.catalogue import zoo_file
    from mmzoo.io.parallel import default_jobs
    from mmzoo.terminal import progress

    with progress() as report:
        run = run_baseline(
            merge_files(zoo_file(name) for name in config),
            out,
            method=Path(config[0]).stem,
            mode=mode,
            jobs=default_jobs() if jobs is None else jobs,
            overwrite=overwrite,
            report=partial(report, "pairs"),
        )
    for pair, reason in run.failures:
        print_error(f"Error: {pair}: {reason}")
    if run.failures:
        print_error(f"{len(run.failures)} of {run.pairs} pairs failed.")
        raise typer.Exit(1)
    typer.echo(f"{run.pairs} pairs in {run.folder}, {run.seconds:.2f} s each.")
    typer.echo(f"Measure them: mmzoo evaluate {shlex.quote(str(out))}")
