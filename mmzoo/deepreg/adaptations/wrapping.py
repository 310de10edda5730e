"""How an adaptation wraps a function of DeepReg."""

import functools
from collections.abc import Callable


def wrapping(owner, name: str) -> Callable:
    """Put the decorated function in the place of a function of a module or class.

    It is called with the replaced function first, then with the arguments of the call.

    Args:
        owner: the module or class.
        name: of the function.
    """
    original = getattr(owner, name)

    def replace(function: Callable) -> Callable:
        @functools.wraps(original)
        def call(*args, **kwargs):
            return function(original, *args, **kwargs)

        setattr(owner, name, call)
        return call

    return replace
