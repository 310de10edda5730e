"""The rooms of the package and what they may import; see `ROOMS` for where code belongs."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mmzoo"

# Each room with the rooms it may import: checks <- ops <- losses | layers <- backbones |
# translators <- models | methods <- host <- cli. Rooms that are named together are siblings.
BELOW_MODELS = ("checks", "ops", "losses", "layers", "backbones", "translators")
MAY_IMPORT = {
    "checks": (),
    "layering": ("checks",),
    "ops": ("checks",),
    "losses": ("checks", "ops"),
    "layers": ("checks", "ops"),
    "backbones": ("checks", "ops", "layers"),
    "translators": ("checks", "ops", "losses", "layers"),
    "models": BELOW_MODELS,  # plain Keras: for programs that have no DeepReg
    "methods": BELOW_MODELS,  # what DeepReg trains
    "metrics": (),
    "data": ("checks",),
    "evaluation": ("checks", "metrics", "data"),
    "baselines": ("checks", "data", "evaluation"),
    # Registers a pair by the losses and draws it: beside the models, knows no network.
    "registration": ("checks", "ops", "losses", "metrics", "data", "evaluation"),
    # `register` hands a pair to a network, or to the registration without one.
    "host": (*BELOW_MODELS, "models", "methods", "layering", "registration"),
    "cli": (
        *BELOW_MODELS,
        *(
            "models",
            "methods",
            "layering",
            "metrics",
            "data",
            "evaluation",
            "baselines",
            "registration",
            "host",
        ),
    ),
}
KNOW_DEEPREG = ("methods", "host", "cli")
METRICS_PACKAGES = {"numpy", "scipy", "surface_distance"}

ADVICE = {
    "checks": "checks know no other room: hand what is needed over as an argument",
    "layering": "layering merges files and knows nothing of what they say",
    "ops": "a tensor function that needs a loss or a layer is one itself: move it there",
    "losses": "move what both need into mmzoo/ops",
    "layers": "move what both need into mmzoo/ops",
    "backbones": "move shared layers into mmzoo/layers, the use of a loss into mmzoo/methods",
    "translators": "move what joins it with a network into mmzoo/methods",
    "models": "move what needs DeepReg into mmzoo/methods or mmzoo/host",
    "methods": "move what knows how DeepReg runs into mmzoo/host, what a user calls into mmzoo/cli",
    "metrics": "metrics judge the tensor code: keep them NumPy and SciPy, join them in the caller",
    "data": "move what needs a network or a metric into mmzoo/cli or mmzoo/evaluation",
    "evaluation": "move what needs a network into mmzoo/host or mmzoo/cli",
    "baselines": "a tool knows images and fields alone: move what needs a network into mmzoo/cli",
    "registration": "a method takes a pair and gives a field: move a network into mmzoo/models",
    "host": "move what a user calls into mmzoo/cli",
    "cli": "",
}


def imports_of(path: Path) -> set[str]:
    """Return the dotted names that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports out, from mmzoo.<room>"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_the_rooms_below_it(path):
    room = room_of(path)
    assert room in MAY_IMPORT, f"{path} is in no known room; the rooms are {', '.join(MAY_IMPORT)}"
    for name in imports_of(path):
        first, *rest = name.split(".")
        if first == "mmzoo" and rest and rest[0] in MAY_IMPORT and rest[0] != room:
            assert rest[0] in MAY_IMPORT[room], (
                f"{path} imports {name}, but mmzoo/{room} may import only "
                f"{MAY_IMPORT[room] or 'nothing of mmzoo'}; {ADVICE[room]}."
            )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_rooms_that_plug_in_know_deepreg(path):
    if room_of(path) not in KNOW_DEEPREG:
        known = [name for name in imports_of(path) if name.split(".")[0] == "deepreg"]
        assert not known, (
            f"{path} imports {known[0]}, but losses, layers, metrics and data work without "
            "DeepReg; move what needs it into mmzoo/methods or mmzoo/host."
        )


def test_metrics_import_numpy_scipy_and_surface_distance_alone():
    import sys

    for path in (PACKAGE / "metrics").glob("*.py"):
        packages = {name.split(".")[0] for name in imports_of(path)} - {"mmzoo", "__future__"}
        foreign = packages - METRICS_PACKAGES - set(sys.stdlib_module_names)
        assert not foreign, f"{path} imports {sorted(foreign)}; {ADVICE['metrics']}."


def test_the_rule_finds_an_import_that_goes_up(tmp_path, monkeypatch):
    (tmp_path / "ops").mkdir()
    wrong = tmp_path / "ops" / "warp.py"
    wrong.write_text("def f():\n    from mmzoo.losses import segi\n")
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    with pytest.raises(AssertionError, match="mmzoo/ops may import only .* move it there"):
        test_a_room_imports_only_the_rooms_below_it(wrong)
