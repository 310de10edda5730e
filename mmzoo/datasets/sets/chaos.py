"""CHAOS 2019: abdominal CT and MR (T1, T2) of different people, DICOM and PNG.

Position tags place the slices in space; file names give the order in which image and label slices
match ("the orientation of the slices is determined by order of image names NOT by position tags",
CHAOSmetrics.py of the organisers): both lists are sorted by name and, where positions run
downwards, both are reversed.
"""

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mmzoo.datasets.sets.base import DataSet, Recipe, Scan, Volume, relabel, walk
from mmzoo.io import slices

CT_IDS = (1, 2, 5, 6, 8, 10, 14, 16, 18, 19, *range(21, 31))
MR_IDS = (1, 2, 3, 5, 8, 10, 13, 15, 19, 20, 21, 22, 31, 32, 33, 34, 36, 37, 38, 39)
# Grey values of the MR labels, as the organisers' evaluation has them; the rest is background.
MR_RANGES = {1: (55, 70), 2: (110, 135), 3: (175, 200), 4: (240, 255)}
# Mean HU of a liver on portal-venous CT; a flipped mask of the organisers' sample gives 36.
LIVER_HU = (60.0, 200.0)
FOLDERS = {
    # The folder CT/ may be missing, as for a single case.
    "ct": r"(?!T2SPIR/)([^/]+)/DICOM_anon/([^/]+\.dcm)",
    "t1": r"(\d+)/T1DUAL/DICOM_anon/InPhase/([^/]+\.dcm)",
    "t1-out": r"(\d+)/T1DUAL/DICOM_anon/OutPhase/([^/]+\.dcm)",
    "t2": r"(\d+)/T2SPIR/DICOM_anon/([^/]+\.dcm)",
}


class SET(DataSet):
    """CHAOS; modalities ct, t1 (in phase), t1-out (of phase), t2 (SPIR)."""

    title = "CHAOS 2019"
    page = "https://chaos.grand-challenge.org, Zenodo 3362844, CC BY-NC-SA 4.0"
    layout = "Train_Sets/CT/1/DICOM_anon/*.dcm with Ground/*.png, MR/1/T1DUAL/..., MR/1/T2SPIR/..."
    structures = {"liver": (1,), "right kidney": (2,), "left kidney": (3,), "spleen": (4,)}
    wanted = ("liver",)
    modalities = ("ct", "t1", "t1-out", "t2")
    moving, fixed = "t1", "ct"
    people = {
        name: tuple(str(number) for number in (CT_IDS if name == "ct" else MR_IDS))
        for name in modalities
    }
    # Ding 2021: a box of 10 mm round the liver, 96^3; limits of CT as for soft tissue.
    recipe = Recipe(
        size=(96, 96, 96), crop="labels", around=("liver",), windows={"ct": (-200, 300)}
    )
    remarks = (
        "The same number in CT and in MR is not the same patient.",
        "CT shows the liver's label alone.",
    )

    def find(self, root: Path) -> list[Scan]:
        """Return the patients that have labels, in the order of their names, as text."""
        scans = []
        for modality in self.modalities:
            found: dict[tuple[str, Path], list[Path]] = {}
            for hit, path in walk(root, FOLDERS[modality]):
                found.setdefault((hit.group(1), path.parent), []).append(path)
            scans += [_scan(modality, *key, files) for key, files in sorted(found.items())]
        return scans

    def pairing(self, moving: str, fixed: str) -> str:
        """T1 and T2 are of the same people, CT of others."""
        if moving == fixed:
            return "others"
        return "all" if "ct" in (moving, fixed) else "same"

    def table(self, scan: Scan) -> dict[str, tuple[int, ...]]:
        """CT has the liver alone."""
        return {"liver": (1,)} if scan.modality == "ct" else self.structures

    def read(self, scan: Scan, seed: int = 0) -> Volume:
        """Stack slices and labels in the order of their names."""
        image, turned, notes = slices.read_slices(list(scan.images))
        # Both phases of T1 share one set of labels, named like one of them: matched by order.
        labels = slices.read_pictures(list(scan.labels), image, turned)
        if scan.modality == "ct":
            # One bit a pixel: libraries read 1 or 255.
            labels = sitk.Cast(labels > 0, sitk.sitkInt32)
        else:
            labels = relabel(labels, MR_RANGES)
        return Volume(sitk.DICOMOrient(image, "RAS"), sitk.DICOMOrient(labels, "RAS"), notes)

    def check(self, scan: Scan, volume: Volume) -> dict[str, float]:
        """The mean of CT within the liver's label must be a liver's.

        Raises:
            ValueError: if it is not: image and labels are most likely in opposite slice order.
        """
        if scan.modality != "ct" or volume.labels is None:
            return {}
        inside = sitk.GetArrayViewFromImage(volume.label_map()) > 0
        values = sitk.GetArrayViewFromImage(volume.image)[inside]
        mean = float(values.mean()) if values.size else np.nan
        if values.size and not LIVER_HU[0] <= mean <= LIVER_HU[1]:
            raise ValueError(
                f"{scan.images[0].parent}: the CT reads {mean:.0f} HU on average within the "
                f"liver's label in {scan.labels[0].parent}, a liver {LIVER_HU[0]:.0f} to "
                f"{LIVER_HU[1]:.0f}. Slices and labels are in different order, or turned over; "
                "unpack both anew and do not rename them."
            )
        return {"liver_hu": round(mean, 1)}


def _scan(modality: str, number: str, folder: Path, files: list[Path]) -> Scan:
    ground = folder.parents[1 if modality.startswith("t1") else 0] / "Ground"
    pictures = tuple(slices.by_name(ground.glob("*.png")))
    whose = "ct" if modality == "ct" else "mr"
    names = f"{modality}_{number}", f"{whose}-{number}"
    return Scan(*names, modality, tuple(slices.by_name(files)), pictures)
