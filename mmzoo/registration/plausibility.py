"""Plausibility checks of a registration."""

from collections.abc import Mapping

DOUBTFUL = "doubtful"  # begins the notes that ask the user to check the result
LEAST_OVERLAP = 0.5  # of the smaller image


def implausible(overlap: float, nmi: Mapping, known: Mapping) -> list[str]:
    """Return reasons why a result may be wrong, in sentences.

    Args:
        overlap: share of the smaller image that lies in the other after the linear stage.
        nmi: "before" and "after": normalised mutual information where both images are known, None
            where nothing is.
        known: "before" and "after": share of the fixed image for which the moving one is known.
            NMI is multiplied by this share, so that a smaller overlap is no gain.
    """
    found = []
    if overlap < LEAST_OVERLAP:
        found.append(
            f"doubtful: only {100 * overlap:.0f} % of the smaller image lies in the other; look at "
            "picture.png, and give masks or better headers if it is wrong"
        )
    before, after = ((nmi[stage] or 0.0) * known[stage] for stage in ("before", "after"))
    if after < before:
        found.append(
            f"doubtful: the images are less alike than by their headers (NMI times overlap "
            f"{before:.3f} before, {after:.3f} after); `--initial none` keeps what these say"
        )
    return found
