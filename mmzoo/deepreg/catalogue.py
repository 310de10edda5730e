"""Plugins and configurations: the rows of `mmzoo list`."""

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import mmzoo
from mmzoo.deepreg.plugins import PLUGINS

CATEGORIES = {
    "losses": "loss_class",
    "backbones": "backbone_class",
    "methods": "model_class",
    "augmentations": "da_class",
}
# The decorators that DeepReg enters its own classes with.
DECORATORS = {
    "losses": "register_loss",
    "backbones": "register_backbone",
    "methods": "register_model",
    "augmentations": "register_data_augmentation",
}


def plugin_rows(kind: str) -> list[tuple[str, str, str]]:
    """Return (name, origin, source) of the zoo's plugins of a kind, then of DeepReg's own.

    Args:
        kind: losses, backbones, methods or augmentations.
    """
    category = CATEGORIES[kind]
    zoo = [(row.name, "mmzoo", row.source) for row in PLUGINS if row.category == category]
    ours = {name for name, _, _ in zoo}
    own = _registered_by_deepreg(DECORATORS[kind])
    return [*zoo, *((name, "DeepReg", text) for name, text in own if name not in ours)]


def _registered_by_deepreg(decorator: str) -> Iterator[tuple[str, str]]:
    """Yield (name, first line of the docstring) of the classes that DeepReg's files register.

    The files are read, not imported: DeepReg imports TensorFlow, which takes seconds.
    """
    found = importlib.util.find_spec("deepreg")
    folders = found.submodule_search_locations if found else None
    for file in sorted(file for folder in folders or () for file in Path(folder).rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        if f"REGISTRY.{decorator}(" not in text:
            continue
        for node in (node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)):
            for call in node.decorator_list:
                if isinstance(call, ast.Call) and ast.unparse(call.func) == f"REGISTRY.{decorator}":
                    (name,) = [*call.args, *(keyword.value for keyword in call.keywords)]
                    yield ast.literal_eval(name), _first_line(ast.get_docstring(node))


def config_rows() -> list[tuple[str, str, str]]:
    """Return (name for `-c`, origin, first comment line) of every configuration of the zoo."""
    folder = config_folder()
    files = sorted(folder.rglob("*.yaml"))
    return [(file.relative_to(folder).as_posix(), "mmzoo", description_of(file)) for file in files]


def config_folder() -> Path:
    """Return the folder of the configurations: in the wheel's package, or beside it in a checkout.

    The folder need not exist.
    """
    package = Path(mmzoo.__file__).parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def zoo_file(path: str) -> str:
    """Return the path itself if there is such a file, else the zoo's configuration of that name."""
    name = Path(path)
    parts = name.parts[1:] if name.parts[:1] == ("configs",) else name.parts
    ours = config_folder().joinpath(*parts)
    is_ours = not name.expanduser().exists() and not name.is_absolute() and ours.is_file()
    return str(ours) if is_ours else str(path)


def description_of(path: Path) -> str:
    """Return the first comment line of a YAML file without its `#`, or nothing."""
    for line in path.read_text().splitlines():
        if line.startswith("#"):
            return line.lstrip("# ").strip()
        if line.strip():
            break
    return ""


def _first_line(text: str | None) -> str:
    """Return the first line of a docstring, empty where there is none."""
    lines = (text or "").strip().splitlines()
    return lines[0] if lines else ""
