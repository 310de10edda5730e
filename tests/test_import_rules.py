"""The rooms of the package and what they may import; see `ROOMS` for where code belongs."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "mmzoo"
LONGEST = 300  # lines of a file; what is longer holds two things

# Each room with the rooms it may import; any may import `onednn`. Rooms that are named together are
# siblings.
KERAS = ("checks", "framework", "ops", "losses", "layers", "networks")
FILES_AND_SPACE = ("checks", "spatial", "io")
MAY_IMPORT = {
    "checks": (),
    "errors": (),
    "onednn": (),
    "framework": ("errors", "compilation_cache"),
    "config_merge": ("checks",),
    "terminal": ("errors",),
    "compilation_cache": (),
    "ops": ("checks", "framework"),
    "losses": ("checks", "framework", "ops"),
    "layers": ("checks", "framework", "ops"),
    "networks": ("checks", "framework", "ops", "losses", "layers"),
    "models": KERAS,  # plain Keras: for programs that have no DeepReg
    "metrics": (),
    "spatial": ("checks",),
    "io": ("checks", "spatial"),
    "phantoms": FILES_AND_SPACE,
    "datasets": (*FILES_AND_SPACE, "errors", "phantoms"),
    "report": FILES_AND_SPACE,
    "evaluation": (*FILES_AND_SPACE, "metrics", "datasets", "report"),
    "baselines": (*FILES_AND_SPACE, "datasets", "evaluation"),
    # What DeepReg trains, how it runs, and what is checked before.
    "deepreg": (*KERAS, "errors", "config_merge", "io", "terminal", "compilation_cache"),
    "inference": (*KERAS, "errors", "models", "deepreg", "io"),
    "planning": (*KERAS, "errors", "models", "deepreg", "compilation_cache"),
    # Registers a pair by the losses, or by a trained network, and draws it.
    "registration": (
        *FILES_AND_SPACE,
        *(
            "errors",
            "terminal",
            "compilation_cache",
            "ops",
            "losses",
            "metrics",
            "datasets",
            "evaluation",
            "report",
            "inference",
        ),
    ),
    "cli": (
        *FILES_AND_SPACE,
        *KERAS,
        *("errors", "config_merge", "terminal", "models", "metrics", "phantoms", "datasets"),
        "evaluation",
        *("baselines", "deepreg", "inference", "planning", "registration"),
    ),
    # Former names, each of one room.
    "backbones": ("networks",),
    "translators": ("networks",),
    "host": ("deepreg",),
}
KNOW_DEEPREG = ("deepreg", "inference", "planning", "cli")
METRICS_PACKAGES = {"numpy", "scipy", "surface_distance"}

ADVICE = {
    "ops": "a tensor function that needs a loss or a layer is one itself: move it there",
    "losses": "move what both need into mmzoo/ops",
    "layers": "move what both need into mmzoo/ops",
    "networks": "move shared layers into mmzoo/layers, a training into mmzoo/deepreg/methods",
    "models": "move what needs DeepReg into mmzoo/deepreg or mmzoo/inference",
    "metrics": "metrics judge the tensor code: keep them NumPy and SciPy, join them in the caller",
    "spatial": "geometry knows no files: hand images over",
    "io": "reading knows nothing of what is done with an image",
    "evaluation": "move what needs a network into mmzoo/inference or mmzoo/cli",
    "baselines": "a tool knows images and fields alone: move what needs a network into mmzoo/cli",
    "registration": "a method takes a pair and gives a field: move a network into mmzoo/models",
    "deepreg": "move what a user calls into mmzoo/cli, finished trainings into mmzoo/inference",
}
OTHERWISE = "hand what is needed over as an argument, or move it to a room that both may import"


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
            assert rest[0] in (*MAY_IMPORT[room], "onednn"), (
                f"{path} imports {name}, but mmzoo/{room} may import only "
                f"{MAY_IMPORT[room] or 'nothing of mmzoo'}; {ADVICE.get(room, OTHERWISE)}."
            )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_rooms_that_plug_in_know_deepreg(path):
    if room_of(path) not in KNOW_DEEPREG:
        known = [name for name in imports_of(path) if name.split(".")[0] == "deepreg"]
        assert not known, (
            f"{path} imports {known[0]}, but losses, layers, metrics and data work without "
            "DeepReg; move what needs it into mmzoo/deepreg/methods or mmzoo/deepreg."
        )


def test_rooms_that_import_tensorflow_turn_onednn_on_first():
    """What is in `mmzoo.deepreg` is imported after DeepReg, whose import turns it on.

    The compilation cache asks a TensorFlow that is there.
    """
    rooms = {
        room_of(path)
        for path in FILES
        if any(name.startswith(("tensorflow", "mmzoo.framework")) for name in imports_of(path))
    }
    assert "losses" in rooms
    for room in rooms - {"deepreg", "onednn", "framework", "compilation_cache"}:
        start = PACKAGE / room / "__init__.py"
        assert "mmzoo.onednn" in imports_of(start), f"{start} must import mmzoo.onednn"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_keras_comes_from_the_framework_alone(path):
    """Whoever asks which Keras it is, or takes one of the two, works with that one alone."""
    if path.name == "framework.py":
        return
    packages = {name.split(".")[0] for name in imports_of(path)}
    attributes = {
        (node.value.id, node.attr)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    assert not packages & {"keras", "tf_keras"} and ("tf", "keras") not in attributes, (
        f"{path} takes a Keras of its own; write `from mmzoo.framework import keras`."
    )


def python_files(root: Path) -> list[Path]:
    return sorted(path for room in ("mmzoo", "benchmarks") for path in (root / room).rglob("*.py"))


def too_long(root: Path) -> list[str]:
    """Return the Python files of the package and of the benchmarks that are too long."""
    long = [path for path in python_files(root) if len(path.read_text().splitlines()) > LONGEST]
    return sorted(path.relative_to(root).as_posix() for path in long)


def test_a_file_is_read_in_one_go():
    assert not too_long(ROOT), f"cut these along what they hold, or delete: {too_long(ROOT)}"


def test_a_long_file_is_found(tmp_path):
    (tmp_path / "benchmarks").mkdir()
    for lines in (LONGEST, LONGEST + 1):
        (tmp_path / "benchmarks" / f"of_{lines}.py").write_text("x = 1\n" * lines)
    assert too_long(tmp_path) == ["benchmarks/of_301.py"]


def private_imports(path: Path) -> set[str]:
    """Return the private names that a file imports from other modules of the repository."""
    names = {name for name in imports_of(path) if name.startswith(("mmzoo.", "benchmarks."))}
    return {
        name
        for name in names
        if name.split(".")[-1].startswith("_")
        and not (ROOT / f"{name.replace('.', '/')}.py").exists()
    }


def test_no_file_imports_what_another_keeps_to_itself():
    found = {
        path.relative_to(ROOT).as_posix(): private_imports(path) for path in python_files(ROOT)
    }
    found = {path: names for path, names in found.items() if names}
    assert not found, f"name them without an underscore, or move what both need: {found}"


def test_a_private_import_is_found(tmp_path):
    (tmp_path / "x.py").write_text("from mmzoo.ops.warp import _corners, warp\n")
    assert private_imports(tmp_path / "x.py") == {"mmzoo.ops.warp._corners"}


def class_names(files: list[Path]) -> dict[str, list[Path]]:
    """Return the files of each public class by its name; of data sets, `SET`, there are many."""
    found: dict[str, list[Path]] = {}
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and node.name[0] != "_" and node.name != "SET":
                found.setdefault(node.name, []).append(path)
    return found


def test_a_name_is_of_one_class():
    twice = {name: paths for name, paths in class_names(FILES).items() if len(paths) > 1}
    assert not twice, f"give one of each two a name that says what it is: {twice}"


def test_a_name_of_two_classes_is_found(tmp_path):
    files = [tmp_path / "a.py", tmp_path / "b.py"]
    for path in files:
        path.write_text("class Pair:\n    pass\n")
    assert class_names(files) == {"Pair": files}


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


@pytest.mark.parametrize(
    ("former", "now"),
    [
        ("backbones", "networks.registration"),
        ("translators", "networks.translation"),
        ("host", "deepreg"),
    ],
)
def test_a_former_name_still_works_and_names_the_new_one(former, now):
    import importlib
    import sys

    import mmzoo

    sys.modules.pop(f"mmzoo.{former}", None)
    with pytest.warns(DeprecationWarning, match=f"mmzoo.{former} is now mmzoo.{now};"):
        module = importlib.import_module(f"mmzoo.{former}")
    public = [name for name in vars(importlib.import_module(f"mmzoo.{now}")) if name[0].isupper()]
    assert all(hasattr(module, name) for name in public)
    assert former not in dir(mmzoo)
