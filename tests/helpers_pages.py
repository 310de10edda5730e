"""What a page of results shows: cells of its tables, pixels of its figures."""

import numpy as np
from PIL import Image


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def near(image, *colours):
    """Return where a picture has about one of some colours."""
    return np.any([np.abs(image - colour).max(axis=-1) < 40 for colour in colours], axis=0)


def rows_of(table):
    """Return a Markdown table as {first cell: {heading: cell}}."""
    header, _, *body = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()
    ]
    return {row[0]: dict(zip(header, row, strict=True)) for row in body}
