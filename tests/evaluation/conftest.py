import pytest
from helpers_prediction import write_prediction


@pytest.fixture
def prediction(tmp_path):
    """A labelled prediction of three pairs; returns its log folder."""
    return write_prediction(tmp_path)
