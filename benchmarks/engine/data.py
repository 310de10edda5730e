"""Which folder a benchmark's data sets lie in, when they are not phantoms."""

from __future__ import annotations

from pathlib import Path

from benchmarks.engine.paper import Paper
from mmzoo.datasets.layout import read_description

PHANTOM = "phantom"


def prepared_folders(paper: Paper, source: str) -> dict[str, str]:
    """Return the prepared folder of each data set of a paper; none for phantoms.

    Args:
        paper: whose data sets.
        source: "phantom"; or a folder in mmzoo's layout, which is the data set whose moving
            modality and structures it has; or one with such folders under the data sets' names.

    Raises:
        ValueError: the folder holds none of the data sets, or not those that they are trained on.
    """
    if source == PHANTOM:
        return {}
    folder = Path(source).expanduser().resolve()
    description = read_description(folder)
    if description is not None:
        for name, data in paper.data.items():
            fits = set(paper.labels(name)) <= set(description.get("labels", ()))
            if fits and description.get("moving") == data["phantom"]["moving"]:
                return _with_training(paper, source, {name: folder})
    found = {
        name: folder / name for name in paper.every_data if (folder / name / "mmzoo.json").is_file()
    }
    if not found:
        wanted = "; ".join(
            f"{name}: {data['phantom']['moving']}, {', '.join(paper.labels(name))}"
            for name, data in paper.data.items()
        )
        raise ValueError(
            f"DATA={source} is neither `phantom` nor a folder of mmzoo prepare that holds one of "
            f"the data sets (moving modality, structures) or folders with their names: {wanted}."
        )
    return _with_training(paper, source, found)


def _with_training(paper: Paper, source: str, found: dict[str, Path]) -> dict[str, str]:
    """Return the folders found; ValueError where one to train on is not among them."""
    for name in found:
        trained_on = paper.every_data[name].get("trained_on", name)
        if trained_on not in found:
            raise ValueError(
                f"DATA={source} holds {name}, whose networks are trained on {trained_on}; put both "
                "in one folder under these names."
            )
    return {name: str(path) for name, path in found.items()}
