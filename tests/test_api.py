"""The names of `import mmzoo`."""

import pytest

import mmzoo


def test_the_api_is_what_dir_and_all_name():
    assert dir(mmzoo) == sorted([*mmzoo.__all__, "__version__"])
    assert {"load_model", "register", "Predictor", "losses", "models"} <= set(mmzoo.__all__)


@pytest.mark.parametrize("name", mmzoo.__all__)
def test_every_name_of_the_api_is_there(name):
    assert getattr(mmzoo, name) is not None
