"""How an adaptation wraps a function of DeepReg."""

import functools
import inspect
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


def arguments_of(function: Callable, args: tuple, kwargs: dict) -> dict:
    """Return the arguments of a call by their names."""
    return inspect.signature(function).bind(*args, **kwargs).arguments


def last_results(owner, name: str) -> list:
    """Return a list that always holds what a function returned last; it returns several values.

    Args:
        owner: the module or class.
        name: of the function.
    """
    last: list = []

    @wrapping(owner, name)
    def keep(original, *args, **kwargs):
        result = original(*args, **kwargs)
        last[:] = result
        return result

    return last
