"""Functions whose arguments are recorded."""

from __future__ import annotations

from xray._log import warn_once
from xray._xray import want_arguments

TYPE_CHECKING = False  # as `typing` has it, which takes longer to import than all of this
if not TYPE_CHECKING:

    def overload(function):
        """For type checkers only."""

else:
    from collections.abc import Callable, Iterable
    from typing import Any, TypeVar, overload

    F = TypeVar("F")


@overload
def trace(function: F, /) -> F: ...
@overload
def trace(*, redact: Iterable[str] = ()) -> Callable[[F], F]: ...
def trace(function: Any = None, /, *, redact: Iterable[str] = ()) -> Any:
    """Record what a function is called with, in the traces of sessions; for calls that have a timeline entry.

        @xray.trace
        def tagged(tag, limit=10): ...

        @xray.trace(redact=["account"])
        async def transfer(account, amount): ...

    Gives back the very function that it was given: functions, methods, static and class methods, properties,
    coroutine functions and generators stay what they are, and outside of a trace nothing is added to a call.
    Of a decorated function (anything with ``__wrapped__``) the innermost one is meant; functions made from the same
    ``def``, as a factory makes them, are one.

    Numbers, strings, lists, tuples and dicts are shown, cut to a few; of other objects only the class, for nothing of
    the application runs to show them. Values whose names tell that they are secret (``password``, ``api_key``,
    ``session``, ...) are left out, as parameters and as keys of dicts.

    :param redact: names of further parameters whose values are left out.
    :raises TypeError: it is not a function written in Python, or ``redact`` is not a list of names.
    """
    names = [] if isinstance(redact, str) else list(redact)
    if isinstance(redact, str) or not all(isinstance(name, str) for name in names):
        raise TypeError(f'xray.trace takes a list of names: redact=["account"], not {redact!r}')
    if function is None:
        return lambda function: _trace(function, names)
    return _trace(function, names)


#: Wrappers around one another that are looked through.
_MOST_WRAPPERS = 100


def _trace(function: Any, redact: list[str]) -> Any:
    code = _code_of(function)
    try:
        want_arguments(code, redact)
    except Exception:
        warn_once("arguments of a function cannot be recorded", exc_info=True)
    return function


def _code_of(function: Any) -> Any:
    from types import FunctionType

    inner = function
    for _ in range(_MOST_WRAPPERS):
        if isinstance(inner, type) or (found := getattr(inner, _inside(inner), None)) is None:
            break
        inner = found
    if isinstance(inner, FunctionType):
        return inner.__code__
    raise TypeError(f"xray.trace marks functions written in Python, not {function!r}")


def _inside(wrapper: Any) -> str:
    """Where a wrapper keeps what it wraps."""
    from functools import cached_property, partial, partialmethod
    from types import MethodType

    if isinstance(wrapper, staticmethod | classmethod | MethodType):
        return "__func__"
    if isinstance(wrapper, property):
        return "fget"
    if isinstance(wrapper, partial | partialmethod | cached_property):
        return "func"
    return "__wrapped__"
