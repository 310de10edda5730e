"""`mmzoo cite`: BibTeX of the zoo's papers, methods, losses and networks, and of mmzoo itself."""

import re
from pathlib import Path

import typer

from mmzoo.checks import check_choice

TABLE = Path(__file__).parents[1] / "citations.bib"
ITSELF = ("mmzoo", "deepreg")


def cite(
    names: list[str] = typer.Argument(
        None,
        help="Losses, methods, networks (mmzoo list), papers (mmregnet, devos_mi, rigid_bones, "
        "deform_gan, mind, presets), ants, elastix, deepreg; mmzoo and deepreg if left out.",
    ),
) -> None:
    """Print BibTeX of what you used: papers, methods, losses, networks, and mmzoo itself."""
    wanted = {key: None for name in names or ITSELF for key in keys_of(name)}
    entries = citations()
    typer.echo("\n\n".join(entries[key] for key in wanted))


def citations() -> dict[str, str]:
    """Return each entry of the table by its key."""
    entries = TABLE.read_text(encoding="utf-8").strip().split("\n\n")
    return {re.match(r"@\w+{(\w+),", entry)[1]: entry for entry in entries}  # type: ignore[index]


def keys_of(name: str) -> list[str]:
    """Return the keys of what a name stands for.

    Args:
        name: of the zoo's losses, networks, methods or augmentations, whose sources name papers;
            a keyword of an entry, as the folder of a paper's configurations; or a key.

    Raises:
        ValueError: it is none of these; with the closest one.
    """
    from mmzoo.deepreg.plugins import PLUGINS

    named: dict[str, list[str]] = {}
    for plugin in PLUGINS:
        named.setdefault(plugin.name, []).extend(cited(plugin.source))
    for key, entry in citations().items():
        for keyword in (key, *re.findall(r"keywords = {(.*)}", entry)):
            named.setdefault(keyword, []).append(key)
    check_choice("name", name, named)
    return named[name]


def cited(source: str) -> list[str]:
    """Return the keys of the papers that a source names: devos2020 of "de Vos 2020 Eq. 1"."""
    names = re.findall(r"((?:de |van )?[A-Z]\w+) (\d{4})", source)
    return [(author + year).lower().replace(" ", "") for author, year in names]
