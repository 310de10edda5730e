"""Public data sets, one file each: where the cases of a download are, and how to read them.

A further data set is one more file: a class `SET` derived from `mmzoo.datasets.sets.base.DataSet`.
Its command is the file's name, `mm-whs` for `mm_whs.py`, its help the file's first line.
"""

import ast
import importlib
import pkgutil
from pathlib import Path

from mmzoo.checks import check_choice

NOT_SETS = ("base", "own")


def names() -> list[str]:
    """Return the names of all data sets."""
    files = pkgutil.iter_modules([str(Path(__file__).parent)])
    return [file.name.replace("_", "-") for file in files if file.name not in NOT_SETS]


def summary(name: str) -> str:
    """Return the first line of a data set's file, without importing it."""
    source = (Path(__file__).parent / f"{name.replace('-', '_')}.py").read_text()
    return (ast.get_docstring(ast.parse(source)) or "").splitlines()[0]


def data_set(name: str):
    """Return a data set.

    Raises:
        ValueError: for an unknown name.
    """
    check_choice("data set", name, names())
    return importlib.import_module(f"mmzoo.datasets.sets.{name.replace('-', '_')}").SET()
