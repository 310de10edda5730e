"""The `baseline` section of a configuration."""

from dataclasses import asdict, dataclass, field
from typing import Any

from mmzoo.baselines.tools import TOOLS, Tool
from mmzoo.checks import are_percentiles, check_choice
from mmzoo.evaluation.scipy_warp import ORDERS

KEYS = ("tool", "settings", "clip_percentiles", "pairs", "interpolation", "name")
PAIRS = ("all", "matched")


@dataclass(frozen=True)
class Baseline:
    """A conventional method.

    Attributes:
        tool: a name in `TOOLS`.
        settings: handed to the tool.
        clip_percentiles: images are clipped to these and scaled to 0..255 for the tool; None
            leaves them as the network gets them, scaled to 0..1.
        pairs: "all", or "matched": the k-th moving case with the k-th fixed one, so that every
            case is used once.
        interpolation: how `mmzoo evaluate` warps the image, "linear" or "cubic-bspline".
    """

    tool: str
    settings: dict[str, Any] = field(default_factory=dict)
    clip_percentiles: tuple[float, float] | None = None
    pairs: str = "all"
    interpolation: str = "linear"

    @property
    def functions(self) -> Tool:
        """What the tool can do."""
        return TOOLS[self.tool]

    def as_dict(self) -> dict:
        """Return what the fields depend on, as JSON would hold it."""
        content = asdict(self)
        del content["interpolation"]
        if self.clip_percentiles is not None:
            content["clip_percentiles"] = list(self.clip_percentiles)
        return content


def read_section(config: dict) -> Baseline:
    """Return the checked `baseline` section.

    Raises:
        ValueError: it is missing, or has an unknown key, tool, setting or value.
    """
    section = config.get("baseline")
    if not isinstance(section, dict):
        raise ValueError(
            "The configuration must have a section `baseline`, as configs/mmregnet/sy_mi.yaml "
            f"has; got {', '.join(config) or 'nothing'}. Networks run with deepreg_predict."
        )
    for key in section:
        check_choice("baseline", key, KEYS)
    check_choice("baseline.tool", section.get("tool"), TOOLS)
    check_choice("baseline.pairs", section.get("pairs", "all"), PAIRS)
    check_choice("baseline.interpolation", section.get("interpolation", "linear"), ORDERS)
    settings = section.get("settings") or {}
    if not isinstance(settings, dict):
        raise ValueError(f"`baseline.settings` must name arguments of the tool, got {settings!r}.")
    baseline = Baseline(
        section["tool"],
        settings,
        _percentiles(section.get("clip_percentiles")),
        section.get("pairs", "all"),
        section.get("interpolation", "linear"),
    )
    baseline.functions.check_settings(settings)
    return baseline


def _percentiles(given) -> tuple[float, float] | None:
    if given is None:
        return None
    if not are_percentiles(given):
        raise ValueError(
            f"`baseline.clip_percentiles` must be two rising numbers from 0 to 100, got {given!r}; "
            "as [5, 95]."
        )
    low, high = given
    return float(low), float(high)
