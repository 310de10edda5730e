"""`mmzoo doctor`: what is wrong with an installation, and how to mend it."""

import typer

from mmzoo.terminal import quiet

MARKS = {"ok": "[green]ok[/]", "warning": "[yellow]warning[/]", "problem": "[red]problem[/]"}


def doctor() -> None:
    """Check Python, TensorFlow, Keras, DeepReg, autoload, GPU and folders; exit 1 on a problem."""
    from rich.console import Console
    from rich.table import Table

    from mmzoo.planning.diagnosis import diagnose

    with quiet():
        findings = diagnose()
    table = Table(show_header=False, box=None)
    for finding in findings:
        table.add_row(MARKS[finding.status], finding.subject, finding.detail)
        if finding.remedy:
            table.add_row("", "", f"-> {finding.remedy}")
    Console().print(table)
    if any(finding.status == "problem" for finding in findings):
        raise typer.Exit(1)
