"""A training step with everything written plainly: what stands in the place of each fast piece.

What is exchanged is losses, warps and regularisers; networks stay, with their resizing, B-splines
and optimizers. Each exchange leaves the value as it is.
"""

import contextlib
import functools
import importlib
import inspect
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any
from unittest import mock

from benchmarks.speed import plain
from mmzoo.deepreg.adaptations import acceleration
from mmzoo.deepreg.plugins import PLUGINS
from mmzoo.losses.base import FunctionLoss

OWN = None  # DeepReg's own, which the fast one wraps

PLAIN = {  # name of a piece -> where it is, what takes its place
    "warp": ("mmzoo.ops.warp:warp", plain.warp),
    "segi": ("mmzoo.losses.segi:segi", plain.segi),
    "local-gradient": ("mmzoo.losses.local_gradient:local_gradient", plain.local_gradient),
    "local-correlation": (
        "mmzoo.losses.local_correlation:local_correlation",
        plain.local_correlation,
    ),
    "nmi": ("mmzoo.losses.nmi:nmi", plain.nmi),
    "mi": ("mmzoo.losses.mi:mi", plain.mi),
    "ncc": ("mmzoo.losses.ncc:ncc", plain.ncc),
    "bending-energy": ("mmzoo.losses.bending:bending_energy", plain.bending),
    "diffusion": ("mmzoo.losses.diffusion:diffusion_energy", plain.diffusion),
    "rigidity": ("mmzoo.losses.rigidity:rigidity", plain.rigidity),
    "resample": ("deepreg.model.layer_util:resample", OWN),
    "lncc": ("deepreg.loss.image:LocalNormalizedCrossCorrelation.call", OWN),
    "gmi": ("deepreg.loss.image:GlobalMutualInformation.call", OWN),
    "gradient": ("deepreg.loss.deform:GradientNorm.call", OWN),
    "bending": ("deepreg.loss.deform:BendingEnergy.call", OWN),
}


@contextlib.contextmanager
def plainly() -> Iterator[Counter]:
    """Make models that are built and run within this context use the plain forms.

    Yields how often each piece of `PLAIN` was called; building and tracing call it, not each step.
    """
    for plugin in PLUGINS:  # so that all who use a piece are there to be given the plain one
        importlib.import_module(plugin.target.split(":")[0])
    calls: Counter = Counter()
    with contextlib.ExitStack() as stack:
        for name, (place, form) in PLAIN.items():
            module, path = place.split(":")
            *classes, attribute = path.split(".")
            owner = functools.reduce(getattr, classes, importlib.import_module(module))
            fast = getattr(owner, attribute)
            counted = _counted(name, form or _own(fast), calls)
            for holder in [owner, *_users(attribute, fast, owner)]:
                stack.enter_context(mock.patch.object(holder, attribute, counted))
            for kind in FunctionLoss.__subclasses__():
                if getattr(kind, "function", None) is fast:
                    patch = mock.patch.object(kind, "function", staticmethod(counted))
                    stack.enter_context(patch)
        yield calls


def _users(attribute: str, function, owner) -> list:
    """Return the zoo's modules, but for the owner, that imported a function by its name."""
    zoo = [module for name, module in sys.modules.items() if name.split(".")[0] == "mmzoo"]
    return [m for m in zoo if vars(m).get(attribute) is function and m is not owner]


def _own(function):
    """Return the function of DeepReg's that a fast one wraps; itself where it is not wrapped."""
    while function.__globals__["__name__"].startswith(acceleration.__name__):
        function = function.__wrapped__
    return function


def _counted(name: str, function, calls: Counter):
    def count_and_call(*args, **kwargs):
        calls[name] += 1
        return function(*args, **kwargs)

    call: Any = functools.wraps(function)(count_and_call)
    call.__signature__ = inspect.signature(function)  # which Keras reads of a layer's call
    return call
