"""Pairs of a BIDS data set, found by pybids."""

from collections.abc import Mapping
from pathlib import Path

from mmzoo.checks import reason_of
from mmzoo.registration.pair_files import PairFiles, checked

ENTITIES = ("subject", "session", "run")  # by which the images of a pair belong together
ENDINGS = (".nii", ".nii.gz")
Suffix = str  # as T1w; with entities before it as in names of files: acq-highres_T1w


def bids_pairs(root: Path, fixed: Suffix, moving: Suffix) -> list[PairFiles]:
    """Match images of one subject, session and run by their suffixes.

    An image that has no run, or no session, belongs to all of its subject's.

    Args:
        root: folder of the data set; without derivatives.
        fixed: suffix of the fixed images, as T1w; entities may stand before it, as acq-a_T1w.
        moving: likewise.

    Raises:
        ValueError: pybids is not installed or cannot read the folder; no image is found; or a pair
            is ambiguous.
    """
    try:
        from bids import BIDSLayout
        from bids.exceptions import BIDSValidationError
    except ImportError as error:
        raise ValueError(
            'reading a BIDS folder needs pybids: pip install "mmzoo[bids]" (or pip install pybids).'
        ) from error
    try:
        layout = BIDSLayout(str(root), validate=True, derivatives=False)
    except (BIDSValidationError, ValueError, OSError) as error:
        raise ValueError(f"{root} is no BIDS data set: {reason_of(error, 0)}") from error
    found = [_images(layout, suffix, root) for suffix in (fixed, moving)]
    pairs = []
    for path, entities in found[0]:
        partners = [p for p, others in found[1] if p != path and _belong(entities, others)]
        if len(partners) > 1:
            raise ValueError(
                f"{path}: {len(partners)} {moving} images belong to it, such as {partners[0]} and "
                f"{partners[1]}; say more with --moving-suffix, as acq-a_{moving}, or name the "
                "pairs in a CSV file (--pairs)."
            )
        if partners:
            name = "_".join(path.name.partition(".")[0].split("_")[:-1]) or path.name
            pairs.append(PairFiles(path, partners[0], name=name, place=str(path)))
    if not pairs:
        raise ValueError(
            f"{root} has {len(found[0])} {fixed} and {len(found[1])} {moving} images, but no two "
            "of one subject, session and run."
        )
    return checked(pairs)


def _images(layout, suffix: Suffix, root: Path) -> list[tuple[Path, Mapping]]:
    """Return images of a suffix, with their entities.

    Raises:
        ValueError: there is none.
    """
    *wanted, last = suffix.split("_")
    images = layout.get(suffix=last, extension=list(ENDINGS), return_type="object")
    found = [(Path(image.path), image.get_entities()) for image in images]
    kept = [each for each in found if set(wanted) <= set(each[0].name.split("_"))]
    if not kept:
        known = sorted(layout.get_suffixes(extension=list(ENDINGS)))
        raise ValueError(
            f"{root} has no image of the suffix {suffix!r}; it has {', '.join(known) or 'none'}."
        )
    return sorted(kept, key=lambda each: str(each[0]))


def _belong(one: Mapping, other: Mapping) -> bool:
    return one.get("subject") == other.get("subject") and all(
        name not in one or name not in other or one[name] == other[name] for name in ENTITIES
    )
