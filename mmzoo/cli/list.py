"""`mmzoo list`: the names a configuration may use, and the configurations that there are."""

from collections.abc import Iterable

import typer

from mmzoo.checks import check_choice

KINDS = ("losses", "backbones", "methods", "augmentations", "configs")


def list(
    kind: str = typer.Argument("", help=f"One of {', '.join(KINDS)}; all if left out."),
) -> None:
    """List losses, backbones, methods and configurations, each with its source."""
    from mmzoo.deepreg.catalogue import config_folder, config_rows, plugin_rows

    if kind:
        check_choice("kind", kind, KINDS)
    for name in (kind,) if kind else KINDS:
        _print(name, config_rows() if name == "configs" else plugin_rows(name))
        if name == "configs":
            typer.echo(f"in {config_folder()}; `deepreg_train -c` finds them by these names")


def _print(title: str, rows: Iterable) -> None:
    """Print one table."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    table.add_column("name", overflow="fold", style="bold")
    table.add_column("from", no_wrap=True)
    table.add_column("source")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
