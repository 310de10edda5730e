"""How often the linear stage finds the place of a head in any position, beside ANTs' affine.

    MMZOO_REAL_DATA=... python -m benchmarks.registration.positions [--pairs 200] [--methods mmzoo]

Heads made from label maps of real people in contrasts that are drawn: tables of MR, a CT, or a mean
a label at random. Half of the pairs lie about 15 degrees and 20 mm apart, a quarter at any angle, a
quarter with headers as far apart as a metre. Sides are cut off one image or both, voxels are cubes
or slices of 4 mm. The truth is the affine map between the middles of the structures; found is what
lies within 10 mm of it, on average over the brain. Of what was not found there is a cause: "search"
where the truth is the more alike (NMI times overlap, both in brackets: of the truth, of what was
returned), else "similarity". Below the table: how often a doubt is right, and each pair of mmzoo
that was lost, or doubted although found.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from benchmarks.registration.brains import (
    CONTRASTS,
    SKULL,
    TISSUES,
    apply_turn,
    at_points,
    head_only,
    middle,
    move_header,
    plain,
    points_of,
)
from benchmarks.registration.positions_page import summary, write_page
from mmzoo.io.images import read_labels
from mmzoo.metrics import normalised_mutual_information
from mmzoo.registration.frame import ImagePair, field_of_view

PEOPLE = 12
FOUND_MM = 10.0
KINDS = ("near", "near", "turned", "far")
SPACINGS = (2.0, 2.0, 2.0), (1.5, 1.5, 4.0)
MOST_CUT = 0.3  # of an edge, on each side
LIKE_CT = {"white": 0.42, "grey": 0.45, "deep": 0.44, "pallidum": 0.45, "fluid": 0.35}


@dataclass
class Drawn:
    """A pair in a drawn position.

    Attributes:
        name: what was drawn.
        fixed: image; `moving` too.
        truth: takes points of the fixed image to the moving one.
        brain: (n, 3), points of the fixed image's brain, mm.
    """

    name: str
    fixed: sitk.Image
    moving: sitk.Image
    truth: sitk.AffineTransform
    brain: np.ndarray

    def error_mm(self, found: sitk.Transform) -> float:
        """Return how far a map is from the truth, on average over the brain."""
        gap = [
            np.subtract(found.TransformPoint(p), self.truth.TransformPoint(p))
            for p in self.brain.tolist()
        ]
        return float(np.linalg.norm(gap, axis=1).mean())

    def alike(self, transform: sitk.Transform) -> float:
        """Return NMI of the two images times the share of the fixed one that is known."""
        known = sitk.GetArrayFromImage(field_of_view(self.moving, None, self.fixed, transform)) > 0
        if not known.any():
            return 0.0
        warped = sitk.GetArrayFromImage(sitk.Resample(self.moving, self.fixed, transform))
        fixed = sitk.GetArrayViewFromImage(self.fixed)
        return normalised_mutual_information(fixed[known], warped[known]) * float(known.mean())


def draw(folder: Path, index: int) -> Drawn:
    """Return a pair; the same for the same index."""
    rng = np.random.default_rng([20, index])
    people = rng.integers(1, PEOPLE + 1, 2)
    if rng.uniform() < 0.75 and people[0] == people[1]:
        people[1] = people[0] % PEOPLE + 1
    maps = [head_only(read_labels(folder / f"training_seg_{p:02d}.nii.gz").image) for p in people]
    contrasts = rng.choice(["t1", "t2", "pd", "ct", "drawn"], 2).tolist()
    cut = rng.integers(0, 4)  # none, the fixed image, the moving one, both
    images = []
    for k, (source, contrast) in enumerate(zip(maps, contrasts, strict=True)):
        spacing = SPACINGS[int(rng.uniform() < 0.3)]
        images.append(_image(source, contrast, spacing, int(cut) & (k + 1), rng))
    truth, brain = _truth(maps)
    kind = KINDS[rng.integers(0, len(KINDS))]
    turn = _turn(kind, middle(maps[1]), rng)
    move_header(images[1], turn)
    matrix = np.array(turn.GetMatrix()).reshape(3, 3) @ truth[0]
    shift = apply_turn(turn, truth[1])
    whole = sitk.AffineTransform(3)
    whole.SetMatrix(matrix.ravel().tolist())
    whole.SetTranslation(shift.tolist())
    name = (
        f"{index}: {contrasts[1]} of {people[1]} to {contrasts[0]} of {people[0]}, {kind}, "
        f"cut {('none', 'fixed', 'moving', 'both')[cut]}"
    )
    return Drawn(name, images[0], images[1], whole, brain)


def _image(labels: sitk.Image, contrast: str, spacing, cut: int, rng) -> sitk.Image:
    from mmzoo.spatial.geometry import make_grid

    size = np.array(labels.GetSize())
    ends = rng.uniform(0, MOST_CUT if cut else 0.0, (2, 3)) * size
    shape = np.ceil((size - ends.sum(0)) * labels.GetSpacing() / spacing).astype(int)
    grid = make_grid(labels, ends[0] - 0.5, size - 0.5 - ends[1], shape)
    smooth = sitk.SmoothingRecursiveGaussian(
        _painted(labels, contrast, rng), [0.4 * s for s in spacing]
    )
    values = at_points(smooth, points_of(grid), sitk.sitkLinear)
    noise = rng.normal(0, 0.03, (2, *values.shape))
    values = np.hypot(values + noise[0], noise[1])
    if contrast == "ct":
        values = 2000 * values - 1000
    return plain(values.astype(np.float32), grid)


def _painted(labels: sitk.Image, contrast: str, rng) -> sitk.Image:
    values = sitk.GetArrayFromImage(labels)
    table = rng.uniform(0.1, 1.0, int(values.max()) + 1).astype(np.float32)
    means = LIKE_CT if contrast == "ct" else CONTRASTS.get(contrast, {})
    if contrast == "ct":
        table[:] = 0.46
        table[SKULL] = 0.9
    for tissue, ids in TISSUES.items():
        if means:
            table[[each for each in ids if each < len(table)]] = means[tissue]
    table[0] = 0.0
    image = sitk.GetImageFromArray(table[values])
    image.CopyInformation(labels)
    return image


def _truth(maps: list[sitk.Image]):
    """Return the affine map between the middles of the structures, and points of the brain."""
    ids = [each for tissue in TISSUES.values() for each in tissue]
    found, brain = [], None
    for labels in maps:
        statistics = sitk.LabelShapeStatisticsImageFilter()
        statistics.Execute(sitk.Cast(labels, sitk.sitkUInt16))
        found.append({k: statistics.GetCentroid(k) for k in ids if statistics.HasLabel(k)})
    both = sorted(set(found[0]) & set(found[1]))
    first, second = (np.array([each[k] for k in both]) for each in found)
    matrix = np.linalg.lstsq(np.c_[first, np.ones(len(first))], second, rcond=None)[0]
    index = np.argwhere(np.isin(sitk.GetArrayViewFromImage(maps[0]), ids))[::5000, ::-1]
    brain = [maps[0].TransformIndexToPhysicalPoint(each) for each in index.tolist()]
    return (matrix[:3].T, matrix[3]), np.array(brain)


def _turn(kind: str, centre: np.ndarray, rng) -> sitk.Euler3DTransform:
    turn = sitk.Euler3DTransform()
    turn.SetCenter(centre.tolist())
    axis, angle = rng.normal(size=3), np.deg2rad(rng.uniform(0, 15))
    shift = rng.uniform(-20, 20, 3)
    if kind == "turned":
        angle = np.deg2rad(rng.uniform(30, 180))
    if kind == "far":
        shift = rng.normal(size=3)
        shift *= rng.uniform(300, 1000) / np.linalg.norm(shift)
    rotation = sitk.VersorRigid3DTransform()
    rotation.SetRotation((axis / np.linalg.norm(axis)).tolist(), float(angle))
    turn.SetMatrix(rotation.GetMatrix())
    turn.SetTranslation(shift.tolist())
    return turn


def by_mmzoo(pair: Drawn) -> tuple[sitk.Transform, list[str]]:
    from mmzoo.registration.linear import register_linear

    return register_linear(ImagePair(pair.fixed, pair.moving), "affine")


def by_ants(pair: Drawn) -> tuple[sitk.Transform, list[str]]:
    import ants

    os.environ["ANTS_RANDOM_SEED"] = "1"
    from benchmarks.registration.methods import to_ants

    images = [to_ants(ants, image) for image in (pair.fixed, pair.moving)]
    found = ants.registration(*images, type_of_transform="Affine")
    return sitk.ReadTransform(found["fwdtransforms"][0]), []


METHODS = {"mmzoo": by_mmzoo, "ANTs affine": by_ants}


def measure(method: str, pair: Drawn) -> dict:
    """Return what a method made of a pair."""
    wall, processor = time.perf_counter(), time.process_time()
    found, notes = METHODS[method](pair)
    error = round(pair.error_mm(found), 2)
    row: dict[str, Any] = {"pair": pair.name, "method": method, "error_mm": error}
    row |= {
        "seconds": round(time.perf_counter() - wall, 2),
        "processor_seconds": round(time.process_time() - processor, 2),
        "found": error < FOUND_MM,
        "doubted": any(note.startswith("doubtful") for note in notes),
        "notes": notes,
    }
    if not row["found"]:
        there, here = pair.alike(pair.truth), pair.alike(found)
        row["cause"] = f"{'search' if there > here else 'similarity'} ({there:.3f}, {here:.3f})"
    return row


def main() -> None:
    """Run the methods on the pairs and print the tables; each row as it is known."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="the first pair's number")
    parser.add_argument("--methods", nargs="*", default=list(METHODS))
    parser.add_argument("--out", type=Path, help="file of rows, JSON, one a line: goes on with it")
    parser.add_argument("--page", type=Path, help="Markdown file to write the tables to")
    options = parser.parse_args()
    folder = Path(os.environ["MMZOO_REAL_DATA"]) / "brain-labels"
    out = options.out
    rows = [json.loads(line) for line in out.open()] if out and out.exists() else []
    done = {(row["pair"].split(":")[0], row["method"]) for row in rows}
    for index in range(options.first, options.first + options.pairs):
        todo = [method for method in options.methods if (str(index), method) not in done]
        if not todo:
            continue
        pair = draw(folder, index)
        for method in todo:
            rows.append(measure(method, pair))
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
            if out:
                with out.open("a") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
    print(summary(rows))
    if options.page:
        about = (__doc__ or "").split("\n\n")[-1]
        write_page(options.page, " ".join(about.split()), rows)


if __name__ == "__main__":
    main()
