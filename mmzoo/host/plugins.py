"""The zoo on one screen: the names a DeepReg configuration may use, and what they stand for."""

import functools
import pkgutil
from typing import NamedTuple


class Plugin(NamedTuple):
    """One row of the table: DeepReg's category, the name in YAML, the class, where it is from."""

    category: str
    name: str
    target: str
    source: str


DING = "Ding 2021"

PLUGINS = (
    Plugin("loss_class", "segi", "mmzoo.losses.segi:SEGI", f"{DING} Eq. 4-8"),
    Plugin("loss_class", "cycle", "mmzoo.losses.cycle:CycleConsistency", f"{DING} Eq. 9"),
    Plugin("backbone_class", "mmregnet", "mmzoo.backbones.mmregnet:MMRegNet", f"{DING} Eq. 1"),
    Plugin(
        "model_class",
        "bidirectional-ddf",
        "mmzoo.models.bidirectional_ddf:BidirectionalDDFModel",
        f"{DING} Eq. 1-3, 9, 10",
    ),
)


def register() -> None:
    """Enter every plugin into DeepReg's registry; a second call changes nothing.

    Raises:
        ValueError: DeepReg, or another extension, has another class under one of the names.
    """
    from deepreg.registry import LOSS_CLASS, REGISTRY

    for plugin in PLUGINS:
        cls = pkgutil.resolve_name(plugin.target)
        if REGISTRY.contains(plugin.category, plugin.name):
            known = REGISTRY.get(plugin.category, plugin.name)
            if getattr(known, "func", known) is cls:
                continue
        # DeepReg divides what a loss returns by the batch size, so the loss has to be a sum.
        build = functools.partial(cls, reduction="sum") if plugin.category == LOSS_CLASS else cls
        REGISTRY.register(category=plugin.category, name=plugin.name, cls=build)
