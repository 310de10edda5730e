"""The checks of `mmzoo doctor`: each returns one finding and how to mend it."""

import importlib.metadata
import os
import re
import shutil
import sys
import tempfile
from typing import NamedTuple

from mmzoo import compilation_cache, onednn
from mmzoo.planning import processor

PYTHONS = ((3, 10), (3, 13))
DEEPREG = "0.1.2"
SLOW_SHARE = 0.6  # of a matrix product's rate; with oneDNN a convolution has about all of it
INSTALL_DEEPREG = f"python -m pip install --no-deps deepreg=={DEEPREG}"


class Finding(NamedTuple):
    """What was found: `status` is ok, warning or problem; `remedy` is empty where all is well."""

    status: str
    subject: str
    detail: str
    remedy: str = ""


def diagnose() -> list[Finding]:
    """Run every check, the cheap ones first; those that need DeepReg only where it can work."""
    findings = [
        check_python(sys.version_info[:2]),
        check_pair(_version("tensorflow"), _version("tf-keras")),
        check_deepreg(_version("deepreg")),
        check_dependencies(_requirements()),
        check_autoload("mmzoo.deepreg.autoload" in sys.modules, os.environ),
        *(try_writing(folder) for folder in (os.getcwd(), tempfile.gettempdir())),
    ]
    if not any(finding.status == "problem" for finding in findings[:4]):
        findings += [check_plugins(), check_keras(), check_acceleration(), check_gpu()]
        share = processor.convolution_share()
        findings.append(check_processor(processor.vector_instructions(), share, onednn.is_on()))
    findings.append(check_compilation_cache())
    return findings


def check_python(version: tuple[int, ...]) -> Finding:
    """Compare the Python version with those that TensorFlow 2.21 has wheels for."""
    detail = ".".join(map(str, version))
    low, high = PYTHONS
    if low <= tuple(version) <= high:
        return Finding("ok", "Python", detail)
    wanted = f"{low[0]}.{low[1]} to {high[0]}.{high[1]}"
    return Finding("problem", "Python", detail, f"make an environment with Python {wanted}")


def check_pair(tensorflow: str | None, tf_keras: str | None) -> Finding:
    """Compare the versions of TensorFlow and tf-keras, which belong together by minor version."""
    subject, detail = "TensorFlow", f"tensorflow {tensorflow}, tf-keras {tf_keras}"
    if tensorflow is None or tf_keras is None:
        remedy = 'python -m pip install "tensorflow>=2.21,<2.22" "tf-keras>=2.21,<2.22"'
        remedy += ', as the extra "mmzoo[deepreg]" has them; files are read and measured without'
        return Finding("problem", subject, detail, remedy)
    minors = [version.split(".")[:2] for version in (tensorflow, tf_keras)]
    if minors[0] != minors[1]:
        wanted = ".".join(minors[0])
        remedy = f'python -m pip install "tf-keras=={wanted}.*": it must match its TensorFlow'
        return Finding("problem", subject, detail, remedy)
    if minors[0] != ["2", "21"]:
        return Finding("warning", subject, detail, "mmzoo is tested with TensorFlow 2.21 only")
    return Finding("ok", subject, detail)


def check_deepreg(version: str | None) -> Finding:
    """Compare DeepReg's version with the one that the adaptations are written for."""
    if version == DEEPREG:
        return Finding("ok", "DeepReg", version)
    return Finding("problem", "DeepReg", version or "not installed", INSTALL_DEEPREG)


def check_dependencies(names: list[str]) -> Finding:
    """Look for packages that mmzoo needs and that are not installed."""
    missing = [name for name in names if _version(name) is None]
    if not missing:
        return Finding("ok", "dependencies", f"{len(names)} packages")
    return Finding(
        "problem",
        "dependencies",
        f"not installed: {', '.join(missing)}",
        f"python -m pip install {' '.join(missing)}",
    )


def check_autoload(is_loaded: bool, environment) -> Finding:
    """Say whether deepreg_train and deepreg_predict will know the zoo.

    Args:
        is_loaded: whether the interpreter imported `mmzoo.deepreg.autoload` as it started.
        environment: the environment variables.
    """
    if environment.get("MMZOO_AUTOLOAD", "1") == "0":
        remedy = "unset MMZOO_AUTOLOAD, or call mmzoo.deepreg.activate() before importing deepreg"
        return Finding("warning", "autoload", "off: MMZOO_AUTOLOAD=0", remedy)
    if not is_loaded:
        remedy = "install mmzoo again with pip (running from a folder on PYTHONPATH has no .pth)"
        return Finding("problem", "autoload", "mmzoo_autoload.pth did not run", remedy)
    return Finding("ok", "autoload", "deepreg_train and deepreg_predict know the zoo")


def check_plugins() -> Finding:
    """Look every plugin up in DeepReg's registry."""
    from mmzoo.deepreg.plugins import PLUGINS

    try:
        from deepreg.registry import REGISTRY
    except ImportError as error:
        return Finding("problem", "plugins", f"deepreg fails: {error}", INSTALL_DEEPREG)
    absent = [row.name for row in PLUGINS if not REGISTRY.contains(row.category, row.name)]
    if absent:
        remedy = "see autoload above; mmzoo.deepreg.activate() registers them in a program"
        return Finding("warning", "plugins", f"not registered: {', '.join(absent)}", remedy)
    return Finding("ok", "plugins", ", ".join(row.name for row in PLUGINS))


def check_keras() -> Finding:
    """Say which Keras TensorFlow uses now that DeepReg is imported."""
    from mmzoo import framework

    if framework.VERSION == 2:
        return Finding("ok", "Keras", "tf-keras (Keras 2)")
    remedy = "set TF_USE_LEGACY_KERAS=1 in the environment, or turn autoload on"
    return Finding("problem", "Keras", "TensorFlow uses Keras 3", remedy)


def check_acceleration() -> Finding:
    """Say whether DeepReg's own pieces run on the fast ones."""
    from mmzoo.deepreg.adaptations import acceleration

    pieces = f"DeepReg's {', '.join(acceleration.PIECES)}"
    if acceleration.is_on():
        return Finding("ok", "acceleration", f"{pieces} run on fast pieces")
    return Finding("ok", "acceleration", f"off: MMZOO_ACCELERATE=0, {pieces} are its own")


def check_compilation_cache() -> Finding:
    """Say where compiled code is kept, and how much it is."""
    subject, store = "compilation cache", compilation_cache.folder()
    if store is None:
        return Finding("ok", subject, f"off: {compilation_cache.VARIABLE}=0, or no home folder")
    used, limit = compilation_cache.size_bytes(store), compilation_cache.LIMIT_BYTES
    detail = f"{store}, {used / 2**20:.0f} of at most {limit / 2**20:.0f} MB"
    there = next(path for path in (store, *store.parents) if path.exists())
    if not os.access(there, os.W_OK):
        remedy = f"set {compilation_cache.VARIABLE} to a folder of yours, or to 0"
        return Finding("warning", subject, f"{detail}: cannot be written", remedy)
    return Finding("ok", subject, detail)


def check_processor(names: list[str] | None, share: float, with_onednn: bool) -> Finding:
    """Say what the processor can do, and whether convolutions are as quick as they can be.

    Args:
        names: of its vector instructions, None where they are not known.
        share: of the rate of a matrix product that a convolution reaches.
        with_onednn: whether TensorFlow uses oneDNN.
    """
    instructions = "not known" if names is None else ", ".join(names) or "none"
    detail = f"vector instructions: {instructions}; a convolution is "
    if share >= SLOW_SHARE:
        return Finding("ok", "processor", f"{detail}as quick as it should be")
    detail += f"{1 / share:.1f} times slower than it could be"
    remedy = "give this program the processor alone, and look again"
    return Finding("warning", "processor", detail, remedy if with_onednn else onednn.REMEDY)


def check_gpu() -> Finding:
    """Say whether TensorFlow sees a GPU."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return Finding("ok", "GPU", f"{len(gpus)} seen by TensorFlow")
    if shutil.which("nvidia-smi"):
        remedy = 'python -m pip install "tensorflow[and-cuda]>=2.21,<2.22", or update the driver'
        return Finding("warning", "GPU", "there is one, but TensorFlow does not see it", remedy)
    return Finding("ok", "GPU", 'none: give deepreg_train and deepreg_predict -g ""')


def try_writing(folder: str) -> Finding:
    """Try to write a file in a folder."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return Finding("ok", "writable", folder)
    except OSError as error:
        remedy = "change to a folder of yours; logs and predictions are written there"
        return Finding("problem", "writable", f"{folder}: {error.strerror}", remedy)


def _version(name: str) -> str | None:
    """Return the installed version of a package, None where it is absent."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _requirements() -> list[str]:
    """Return the names of the packages that mmzoo needs, extras left out."""
    try:
        lines = importlib.metadata.requires("mmzoo") or []
    except importlib.metadata.PackageNotFoundError:  # run from a folder, not installed
        return []
    plain = [line for line in lines if "extra ==" not in line]
    return [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in plain]
