"""Build backend: setuptools, and one `.pth` file that makes DeepReg know the zoo.

DeepReg 0.1.2 has a registry but no plugin discovery. A `.pth` file in `site-packages` is read at
every interpreter start; its one line imports `mmzoo.deepreg.autoload`, which installs an import
hook for the name `deepreg` and nothing else. setuptools can put such a file neither into a
normal nor into an editable wheel by configuration, so both are completed here after they are built.

`import` lines in `.pth` files are deprecated from Python 3.15 on, in favour of `.start` files that
name an entry point. When 3.15 is the oldest supported version, write `mmzoo_autoload.start` with
the line `mmzoo.deepreg.autoload:install` instead; until then both would be needed.

The configurations of the repository's `configs/` are put beside the package as `mmzoo/configs`, so
that `mmzoo list` finds them where there is no checkout.
"""

import base64
import hashlib
import zipfile
from pathlib import Path

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403  (the hooks that need no change)

ROOT = Path(__file__).resolve().parent.parent

# One line, silent where the module is missing: a `.pth` line that raises prints a traceback at the
# start of every Python program.
AUTOLOAD = (
    "mmzoo_autoload.pth",
    'import sys; exec("try:\\n import mmzoo.deepreg.autoload\\n'
    'except ModuleNotFoundError:\\n pass")\n',
)


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """Build the wheel, then add the autoload file and the configurations."""
    name = build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)
    _add_files(Path(wheel_directory, name), dict([AUTOLOAD, *_configurations()]))
    return name


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    """Build the editable wheel, then add the autoload file."""
    name = build_meta.build_editable(wheel_directory, config_settings, metadata_directory)
    _add_files(Path(wheel_directory, name), dict([AUTOLOAD]))
    return name


def _configurations():
    """Yield (name in the wheel, text) of every file of `configs/`."""
    for path in sorted((ROOT / "configs").rglob("*.yaml")):
        yield f"mmzoo/configs/{path.relative_to(ROOT / 'configs').as_posix()}", path.read_text()


def _add_files(wheel: Path, files: dict) -> None:
    """Add text files to a wheel and a line for each to its RECORD."""
    with zipfile.ZipFile(wheel) as old:
        members = [(item, old.read(item)) for item in old.infolist()]
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as new:
        for item, content in members:
            if item.filename.endswith(".dist-info/RECORD"):
                content += "".join(_record_line(*file) for file in files.items()).encode()
            new.writestr(item, content)
        for name, text in files.items():
            new.writestr(name, text)


def _record_line(name: str, text: str) -> str:
    """Return the RECORD line of a file: path, sha256 in URL-safe base64 without padding, size."""
    content = text.encode()
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(content)}\n"
