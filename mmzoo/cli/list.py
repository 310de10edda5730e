"""`mmzoo list`: keys and names a configuration may use, and the configurations there are."""

from collections.abc import Iterable

import typer

from mmzoo.checks import check_choice

KINDS = ("losses", "backbones", "methods", "augmentations", "configs", "presets", "keys")
COLUMNS = ("name", "from", "source")


def list(
    kind: str = typer.Argument("", help=f"One of {', '.join(KINDS)}; all if left out."),
) -> None:
    """List losses, backbones, methods and configurations with their sources, and all keys."""
    from mmzoo.deepreg.catalogue import config_folder, config_rows, plugin_rows

    if kind:
        check_choice("kind", kind, KINDS)
    for name in (kind,) if kind else KINDS:
        if name == "keys":
            from mmzoo.deepreg.schema import rows as keys

            _print(name, keys(), ("key", "value"))
            continue
        if name == "presets":
            from mmzoo.deepreg.presets import rows as presets

            _print(name, presets())
            continue
        _print(name, config_rows() if name == "configs" else plugin_rows(name))
        if name == "configs":
            typer.echo(f"in {config_folder()}; `deepreg_train -c` finds them by these names")


def _print(title: str, rows: Iterable, columns: tuple[str, ...] = COLUMNS) -> None:
    """Print one table."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for name in columns:
        bold = name == columns[0]
        style = "bold" if bold else None
        table.add_column(name, overflow="fold", style=style, no_wrap=name == "from")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
