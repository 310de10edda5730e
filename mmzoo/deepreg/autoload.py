"""The import hook that adapts DeepReg as it is imported and registers the zoo's plugins.

Imported by `mmzoo_autoload.pth` at the start of every Python program, so it must stay tiny: the
hook handles `deepreg` and `deepreg.*` only, and imports the rest when DeepReg is imported.
`MMZOO_AUTOLOAD=0` turns it off; `mmzoo.deepreg.activate()` turns it on from within a program.

`.pth` files with `import` lines are deprecated from Python 3.15 on in favour of `.start` files; see
`packaging/mmzoo_backend.py`.
"""

import importlib
import os
import sys

LEGACY_KERAS = "TF_USE_LEGACY_KERAS"
LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"  # 3: errors raise Python exceptions as well
DONE = "__mmzoo_adaptations__"


class DeepRegFinder:
    """Meta-path finder that has DeepReg's modules adapted after their execution."""

    def find_spec(self, name, path=None, target=None):
        """Return the spec of a DeepReg module, whose loader applies the adaptations; else None."""
        if name != "deepreg" and not name.startswith("deepreg."):
            return None
        spec = _first_spec(name, path, target)
        if spec is not None and hasattr(spec.loader, "exec_module"):
            _complete(spec.loader, spec.loader.exec_module)
        return spec


def install():
    """Put the finder before Python's own, once."""
    if not any(isinstance(finder, DeepRegFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, DeepRegFinder())


def adapt_imported():
    """Adapt the modules of a DeepReg that was imported before the finder was installed.

    Names that one DeepReg module imported from another stay unadapted; better call `install()`
    before the import.
    """
    if "deepreg" not in sys.modules:
        return
    prepare_tensorflow()
    for name in [name for name in sys.modules if name.split(".")[0] == "deepreg"]:
        _adapt(sys.modules[name])
    _register_plugins()


def prepare_tensorflow():
    """Start TensorFlow with oneDNN, without its own messages, and with the Keras 2 of DeepReg.

    Raises:
        ImportError: TensorFlow is imported already and uses Keras 3.
    """
    importlib.import_module("mmzoo.onednn")
    os.environ[LEGACY_KERAS] = "1"
    tensorflow = sys.modules.get("tensorflow")
    # A TensorFlow that has not loaded Keras yet still reads the variable, and passes here.
    if tensorflow is not None and not tensorflow.keras.Model.__module__.startswith("tf_keras"):
        raise ImportError(
            "DeepReg needs Keras 2 (tf-keras), but TensorFlow was imported before it and uses "
            f"Keras {tensorflow.keras.__version__}. Import deepreg before tensorflow, or set "
            f"{LEGACY_KERAS}=1 in the environment before the program starts."
        )
    if tensorflow is None and os.environ.setdefault(LOG_LEVEL, "3") == "3":
        cache = importlib.import_module("mmzoo.compilation_cache")
        cache.use()
        with importlib.import_module("mmzoo.terminal").quiet():
            importlib.import_module("tensorflow")
        cache.hand_over()


def _first_spec(name, path, target):
    """Ask the other finders, in their order."""
    for finder in sys.meta_path:
        if not isinstance(finder, DeepRegFinder) and hasattr(finder, "find_spec"):
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                return spec
    return None


def _complete(loader, exec_module):
    """Let the loader adapt the module it has executed.

    The loader is changed, not wrapped, so that `inspect` and `runpy` get source and code from it.
    """

    def exec_and_adapt(module):
        if module.__name__ == "deepreg":
            prepare_tensorflow()
        module.__dict__.pop(DONE, None)  # a reload executes the plain module again
        exec_module(module)
        _adapt(module)
        if module.__name__ == "deepreg":
            _register_plugins()

    loader.exec_module = exec_and_adapt


def _adapt(module):
    """Apply the adaptations of one module, each once."""
    table = importlib.import_module("mmzoo.deepreg.adaptations").ADAPTATIONS
    done = module.__dict__.setdefault(DONE, set())
    for adaptation in table.get(module.__name__, ()):
        if adaptation not in done:
            adaptation(module)
            done.add(adaptation)


def _register_plugins():
    """Give DeepReg's registry the zoo's names."""
    importlib.import_module("mmzoo.deepreg.plugins").register_plugins()


if os.environ.get("MMZOO_AUTOLOAD", "1") != "0":
    install()
