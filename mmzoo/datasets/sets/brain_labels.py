"""Whole-head label maps, from which T1, T2, PD and CT are made: real anatomies, no registration.

A folder of label maps with FreeSurfer's ids, one file a person, such as
`data/training_label_maps` of https://github.com/BBillot/SynthSeg (Apache-2.0). Each tissue gets a
random intensity for the person, with texture. Partial volume comes from the finer grid of the map;
coil gain and noise are added on the grid that is written. Heads are turned upright (see
mmzoo/datasets/upright.py) and cropped to 10 mm round the brain, as is usual before networks that
register people with each other. Every person has every contrast and is paired with all others.
"""

import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import SimpleITK as sitk

from mmzoo.datasets import steps
from mmzoo.datasets.sets.base import NIFTI, DataSet, Recipe, Scan, Volume, walk
from mmzoo.datasets.upright import upright
from mmzoo.io import images
from mmzoo.phantoms.imaging.head_scan import TABLES, TISSUES
from mmzoo.phantoms.imaging.render import draw_intensities, draw_texture
from mmzoo.phantoms.imaging.scan import scan as acquire_scan
from mmzoo.spatial.frames import ras_affine
from mmzoo.spatial.grid import Grid

SEGMENTED = frozenset(value for values in TISSUES.values() for value in values)
MANY = 10  # fewest tissues of a whole head
CT_STORED_HU = (-1024.0, 3071.0)


class SET(DataSet):
    """Label maps of heads; modalities t1, t2, pd and ct are made from them."""

    title = "brain label maps"
    page = "https://github.com/BBillot/SynthSeg, data/training_label_maps, Apache-2.0"
    layout = "*.nii.gz, one label map of FreeSurfer's ids a person"
    structures = {
        "cerebral white matter": (2, 41),
        "cortex": (3, 42),
        "lateral ventricles": (4, 43),
        "thalamus": (10, 49),
        "caudate": (11, 50),
        "putamen": (12, 51),
        "hippocampus": (17, 53),
        "cerebellum": (7, 8, 46, 47),
        "brain stem": (16,),
        "pallidum": (13, 52),
        "amygdala": (18, 54),
    }
    wanted = tuple(structures)[:9]
    ignored = SEGMENTED
    modalities = tuple(TABLES)
    moving, fixed = "t1", "t2"
    recipe = Recipe(windows={"ct": (0, 80)})
    remarks = (
        "Anatomies are of people, intensities are made: see mmzoo/phantoms/imaging/head_scan.py.",
    )

    def find(self, root: Path) -> list[Scan]:
        """Return every label map once for each contrast."""
        files = [(hit.group(1), path) for hit, path in walk(root, rf"([^/]+?){NIFTI}")]
        return [
            Scan(f"{modality}_{name.replace('__', '_')}", name, modality, (path,), (path,))
            for modality in self.modalities
            for name, path in files
        ]

    def recognise(self, root: Path) -> bool:
        """Whether the first file is a label map of nothing but tissues, several of them."""
        files = walk(root, rf"([^/]+?){NIFTI}")
        try:
            values = _values(images.read_labels(files[0][1]).image) if files else set()
        except ValueError:
            return False
        return values <= SEGMENTED and len(values) > MANY

    def pairing(self, moving: str, fixed: str) -> str:
        """Return "others": a person and themselves would need no registration."""
        return "others"

    def read(self, scan: Scan, seed: int = 0) -> Volume:
        """Paint a label map, without noise and at its own resolution.

        Raises:
            ValueError: for values that are no tissue.
        """
        labels = images.read_labels(scan.labels[0]).image
        labels = steps.crop(labels, steps.label_box(labels, _values(labels) - {0}))
        unknown = sorted(_values(labels) - SEGMENTED)
        if unknown:
            raise ValueError(
                f"{scan.labels[0]} has label value(s) {unknown}, which are no tissue of "
                "mmzoo/phantoms/imaging/head_scan.py; are these FreeSurfer's ids?"
            )
        labels, degrees = upright(labels)
        labels = steps.crop(labels, steps.label_box(labels, _values(labels) - {0}))
        tissues, _ = _generators(scan, seed)
        image = sitk.GetImageFromArray(paint(labels, scan.modality, tissues))
        image.CopyInformation(labels)
        return Volume(image, labels, [f"turned upright by {degrees:.0f} degrees"])

    def acquire(self, scan: Scan, image: np.ndarray, grid: sitk.Image, seed: int) -> np.ndarray:
        """Add the coil's gain and the noise."""
        own = Grid(image.shape, grid.GetSpacing(), tuple(ras_affine(grid)[:3, 3]))
        middle = SimpleNamespace(centre_mm=own.points().reshape(-1, 3).mean(axis=0))
        _, noise = _generators(scan, seed)
        return acquire_scan(scan.modality, image, own, middle, noise, noise, window=CT_STORED_HU)


def paint(labels: sitk.Image, modality: str, rng) -> np.ndarray:
    """Return the noise-free image of a label map, (z, y, x) as SimpleITK has it, float32."""
    drawn = draw_intensities(rng, TABLES[modality])
    values = sitk.GetArrayViewFromImage(labels)
    means = np.zeros(max(SEGMENTED) + 1, np.float32)
    grain = np.zeros_like(means)
    for tissue, ids in TISSUES.items():
        means[list(ids)], grain[list(ids)] = drawn[tissue].mean, drawn[tissue].texture
    texture = draw_texture(rng, values.shape, labels.GetSpacing()[::-1])
    return means[values] + grain[values] * texture


def _values(labels: sitk.Image) -> set[int]:
    return set(np.unique(sitk.GetArrayViewFromImage(labels)).tolist())


def _generators(scan: Scan, seed: int):
    """Return random generators for tissue intensities and for the scan."""
    key = [seed, zlib.crc32(scan.case.encode())]
    return tuple(np.random.default_rng(child) for child in np.random.SeedSequence(key).spawn(2))
