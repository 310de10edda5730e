"""Settings of the whole suite; they must be made before TensorFlow is first imported."""

import gc
import locale
import os
import random
import sys

# DeepReg's Keras 2, unless the environment asks for Keras 3, in which there is no DeepReg.
HAS_DEEPREG = os.environ.setdefault("TF_USE_LEGACY_KERAS", "1") == "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
# `make test` keeps what XLA compiles, between its parts alone.
os.environ.setdefault("MMZOO_COMPILATION_CACHE", "0")

import numpy as np  # noqa: E402
import pytest  # noqa: E402

import mmzoo.deepreg  # noqa: E402
from mmzoo import compilation_cache, terminal  # noqa: E402

if compilation_cache.folder():
    compilation_cache.use()
    with terminal.quiet():
        import mmzoo.framework  # noqa: F401  (no program that a test starts finds that folder)

gc.set_threshold(50_000, 20, 50)  # tracing makes objects by the million, and few of them in circles

pytest_plugins = ["helpers_training"]

if HAS_DEEPREG:
    # Where mmzoo is on the path but not installed there is no .pth to do this.
    mmzoo.deepreg.activate()


LOCALE = locale.setlocale(locale.LC_ALL)


@pytest.fixture(autouse=True)
def same_locale():
    """Undo what ITK does to the locale when a test, or what it is given, writes DICOM."""
    locale.setlocale(locale.LC_ALL, LOCALE)
    yield
    locale.setlocale(locale.LC_ALL, LOCALE)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Start every test from the same random numbers, whichever tests ran before it."""
    random.seed(0)
    np.random.seed(0)
    if tensorflow := sys.modules.get("tensorflow"):
        tensorflow.random.set_seed(0)


def pytest_collection_modifyitems(items):
    """Put the files that take longest first: two workers then end together."""
    if not HAS_DEEPREG:
        items[:] = [item for item in items if item.get_closest_marker("deepreg") is None]
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
