"""Pairs that lie together: two scans of one body without motion, and an image with itself.

What a registration moves here, it moves for nothing. The truth is the identity; T1 and PD of one
person are brought together rigidly first, so that a part of a millimetre is theirs.
"""

import functools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from benchmarks.registration.bodies import ct_pair
from benchmarks.registration.brains import brain_pair, plain
from benchmarks.registration.pair import BenchmarkPair, displacement_from
from benchmarks.registration.templates import t1_pd_pair, template
from mmzoo.io.images import read_image

GROUP = "no motion"
PERSON = 4
CONTRASTS = ("t2", "pd", "flair", "ct")  # each with T1


def still_pairs(real: Path, seed: int) -> Iterator[tuple[str, Callable[[], BenchmarkPair]]]:
    """Yield (key, function that makes the pair) of the data that is there."""
    heads, scans = real / "brain-labels", real / "same-subject-t1-pd"
    templates, heart, body = (
        real / name for name in ("mni-templates", "acdc-sample", "chaos-ct-case")
    )
    if heads.is_dir():
        for contrast in CONTRASTS:
            yield (
                f"still-{contrast}",
                functools.partial(
                    brain_pair, heads, PERSON, PERSON, ("t1", contrast), seed, still=True
                ),
            )
    if scans.is_dir():
        yield "still-t1-pd", lambda: t1_pd_pair(scans, 0, seed, still=True)
    if body.is_dir():
        yield "still-ct", lambda: ct_pair(body, 0, seed, still=True)
    if heart.is_dir():
        heart_image = heart / "sax_ed.nii.gz"
        yield "still-heart", lambda: with_itself("heart", read_image(heart_image, "heart").image)
    if templates.is_dir():
        yield "still-itself", lambda: with_itself("T1", template(templates, "T1"))


def still(make: Callable[[], BenchmarkPair]) -> BenchmarkPair:
    """Make a pair as one of this kind."""
    return replace(make(), group=GROUP)


def with_itself(name: str, image: sitk.Image) -> BenchmarkPair:
    """Return an image as both of a pair; its foreground (Otsu) is the label and what counts."""
    inside = sitk.Cast(sitk.OtsuThreshold(image, 0, 1), sitk.sitkUInt8)
    nowhere = displacement_from(np.zeros((*image.GetSize(), 3)), image)
    mask = plain(sitk.GetArrayFromImage(inside).T, image)
    title = f"{name} to itself, the same image"
    return BenchmarkPair(GROUP, title, image, image, inside, inside, nowhere, mask)
