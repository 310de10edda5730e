"""A checksum tells an input from another one, whatever it is called."""

import pytest

from mmzoo.io.digests import digest


@pytest.mark.parametrize("name", ["scan", "scan[1]"])
def test_the_other_file_of_an_image_in_two_counts(name, tmp_path):
    header, values = tmp_path / f"{name}.hdr", tmp_path / f"{name}.img"
    header.write_bytes(b"header")
    values.write_bytes(b"first")
    first = digest(header)
    assert digest(header) == first
    values.write_bytes(b"other")
    assert digest(header) != first
