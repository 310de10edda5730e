import pytest
from helpers_layout import dataset_section, write_layout


@pytest.fixture
def data(tmp_path):
    """The dataset section of two moving by two fixed cases, (20, 16, 14) voxels."""
    return dataset_section(write_layout(tmp_path / "data"))
