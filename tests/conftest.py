"""Settings of the whole suite; they must be made before TensorFlow is first imported."""

import locale
import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ["MMZOO_COMPILATION_CACHE"] = "0"  # no test depends on the ones before

import pytest  # noqa: E402

import mmzoo.deepreg  # noqa: E402

pytest_plugins = ["helpers_training"]

# Where mmzoo is on the path but not installed there is no .pth to do this.
mmzoo.deepreg.activate()


LOCALE = locale.setlocale(locale.LC_ALL)


@pytest.fixture(autouse=True)
def same_locale():
    """Undo what ITK does to the locale when a test, or what it is given, writes DICOM."""
    locale.setlocale(locale.LC_ALL, LOCALE)
    yield
    locale.setlocale(locale.LC_ALL, LOCALE)


def pytest_collection_modifyitems(items):
    """Put the files that take longest first: two workers then end together."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
