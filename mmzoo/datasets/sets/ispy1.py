"""ISPY1-Tumor-SEG-Radiomics: breast MR before and after contrast agent, tumours labelled."""

from pathlib import Path

from mmzoo.datasets.sets.base import NIFTI, DataSet, Scan, Volume, read_volume, there, walk
from mmzoo.datasets.sets.mama_mia import BREAST, SPLIT

PHASES = {"0000": "pre", "0001": "post", "0002": "post2"}


class SET(DataSet):
    """ISPY1; modalities pre, post and post2."""

    title = "ISPY1-Tumor-SEG-Radiomics"
    page = "https://www.cancerimagingarchive.net, analysis result ISPY1-Tumor-SEG-Radiomics"
    layout = (
        "images_bias-corrected_*nifti/ISPY1_1002/ISPY1_1002_DCE_0000_N3.nii with "
        "masks_stv_manual/ISPY1_1002.nii.gz"
    )
    structures = {"lesion": (1,)}
    modalities = tuple(PHASES.values())
    moving, fixed = "post", "pre"
    same_people = True
    recipe = BREAST
    split = SPLIT
    remarks = (
        "Images come twice, on the scanner's grid and resampled to 1 mm: taken is the one that the "
        "label lies on.",
    )

    def find(self, root: Path) -> list[Scan]:
        """Return every phase; a scan lists all of its images, on any grid."""
        masks = {
            hit.group(1): path for hit, path in walk(root, rf"masks_stv_manual/(ISPY1_\d+){NIFTI}")
        }
        found: dict[tuple[str, str], list[Path]] = {}
        pattern = rf"(images_[^/]+)/(?:[^/]+/)?(ISPY1_\d+)_DCE_(\d{{4}})[^/]*{NIFTI}"
        for hit, path in walk(root, pattern):
            found.setdefault((hit.group(2), hit.group(3)), []).append(path)
        return [
            Scan(f"{phase}_{person}", person, phase, tuple(paths), there(masks.get(person)))
            for (person, number), paths in sorted(found.items())
            if (phase := PHASES.get(number))
        ]

    def read(self, scan: Scan, seed: int = 0) -> Volume:
        """Read the image that the label lies on.

        Raises:
            ValueError: if it lies on none.
        """
        misfits = []
        for path in scan.images:
            try:
                volume = read_volume(path, scan.labels[0])
            except ValueError as error:
                misfits.append(str(error))
                continue
            volume.notes.append(f"read from {path.parts[-3]}")
            return volume
        raise ValueError("; ".join(misfits))
