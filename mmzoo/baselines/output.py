"""The folder of a run, as `deepreg_predict` would have written it: whole pairs and pairs.json.

OUT/test/
  pairs.json                        what the run is made from; files and seconds of each pair
  pair_<i>/{moving_image,fixed_image,ddf}.nii.gz
  pair_<i>/label_<k>/{moving_label,fixed_label}.nii.gz
"""

import json
import os
import shutil
from pathlib import Path

import numpy as np

from mmzoo.baselines.pairs import DataPair, PlacedArray
from mmzoo.io.atomic import write_text
from mmzoo.io.nifti import save_nifti

CHANGING = ("pairs", "expected", "failed")  # entries of pairs.json that are no settings


class Output:
    """The prediction folder of one run.

    Attributes:
        folder: OUT/test, whatever the mode, as `deepreg_predict` has it.
        description: contents of pairs.json.
    """

    def __init__(self, out: Path, description: dict, *, overwrite: bool):
        """Open the folder, or make it.

        Args:
            out: root.
            description: what the run is made from.
            overwrite: whether to remove what was made from something else.

        Raises:
            ValueError: the folder holds something else; nothing in it was touched.
        """
        self.folder = out / "test"
        self.description = json.loads(json.dumps({**description, "pairs": {}}))
        earlier = self._earlier()
        if earlier is not None and _made_from(earlier) == _made_from(self.description):
            self.description = {**self.description, "pairs": earlier.get("pairs", {})}
            return
        if earlier is not None and not overwrite:
            raise ValueError(
                f"{self.folder} was made with other settings ({self._differences(earlier)}); "
                "nothing in it was touched. Give another --out, or --overwrite to replace it."
            )
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self._write_description()

    def _earlier(self) -> dict | None:
        """Return pairs.json of an earlier run, None for an empty folder."""
        if not self.folder.exists() or not any(self.folder.iterdir()):
            return None
        try:
            earlier = json.loads((self.folder / "pairs.json").read_text())
        except (OSError, ValueError):
            earlier = {}
        if "baseline" not in earlier:
            raise ValueError(
                f"{self.folder} is not empty and was not made by `mmzoo baseline`; nothing in it "
                "was touched. Give another --out."
            )
        return earlier

    def _differences(self, earlier: dict) -> str:
        then, now = _flat(_made_from(earlier)), _flat(_made_from(self.description))
        return ", ".join(
            f"{key}: {then.get(key)!r} there, {now.get(key)!r} asked for"
            for key in {**then, **now}
            if then.get(key) != now.get(key)
        )

    def is_finished(self, pair: DataPair) -> bool:
        """Whether a pair is there and no older than what it was made from."""
        folder = self.folder / pair.name
        if not folder.is_dir() or pair.name not in self.description["pairs"]:
            return False
        made = folder.stat().st_mtime
        return all(path.stat().st_mtime <= made for path in (*pair.images, *pair.labels))

    def partial(self, pair: DataPair) -> Path:
        """Return the folder in which a pair is written until it is whole."""
        # Numbered: processes of a run that was killed may write their last pair meanwhile.
        return self.folder / f".{pair.name}-{os.getpid()}"

    def finish(self, pair: DataPair, seconds: float) -> None:
        """Let a pair that is written whole appear."""
        moving, fixed = (str(path.absolute()) for path in pair.images)
        entry = {"moving": moving, "fixed": fixed, "seconds": round(seconds, 4)}
        self.description["pairs"][pair.name] = entry
        self._write_description()
        shutil.rmtree(self.folder / pair.name, ignore_errors=True)
        os.replace(self.partial(pair), self.folder / pair.name)

    def note_failures(self, pairs: list[DataPair]) -> None:
        """Write down which pairs could not be registered; the others count as the whole."""
        self.description["failed"] = [pair.name for pair in pairs]
        self._write_description()

    def remove_partial(self) -> None:
        """Remove what an interruption left."""
        for folder in self.folder.glob(".pair_*"):
            shutil.rmtree(folder, ignore_errors=True)

    def mean_seconds(self) -> float:
        """Return the mean time of a registration, NaN without any."""
        seconds = [entry["seconds"] for entry in self.description["pairs"].values()]
        return float(np.mean(seconds)) if seconds else float("nan")

    def _write_description(self) -> None:
        write_text(self.folder / "pairs.json", json.dumps(self.description, indent=2) + "\n")


def _made_from(description: dict) -> dict:
    return {key: value for key, value in description.items() if key not in CHANGING}


def _flat(content: dict, prefix: str = "") -> dict:
    """Return a mapping of mappings as one, its keys joined by dots."""
    flat: dict = {}
    for key, value in content.items():
        name = f"{prefix}{key}"
        flat |= _flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return flat


def write_pair(
    folder: Path,
    images: tuple[PlacedArray, PlacedArray],
    labels: list[tuple[PlacedArray, PlacedArray]],
    ddf: np.ndarray,
) -> None:
    """Write the volumes of a pair, each with the affine of its own grid, the ddf the fixed's."""
    moving, fixed = images
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _save(folder / "moving_image.nii.gz", moving)
    _save(folder / "fixed_image.nii.gz", fixed)
    _save(folder / "ddf.nii.gz", PlacedArray(ddf, fixed.affine))
    for index, (moving_label, fixed_label) in enumerate(labels):
        label_folder = folder / f"label_{index}"
        label_folder.mkdir()
        _save(label_folder / "moving_label.nii.gz", moving_label)
        _save(label_folder / "fixed_label.nii.gz", fixed_label)


def _save(path: Path, volume: PlacedArray) -> None:
    save_nifti(path, volume.values.astype(np.float32), volume.affine)
