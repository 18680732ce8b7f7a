"""The one way in which integrations make segments of a library's calls.

:func:`trace_calls` puts a wrapper in the place of a function. The wrapper is native: it looks, binds and pickles like
the function, has no frame, and calls straight through unless the running context is traced. Only then do the two
functions of the integration run, ``enter`` before the call and ``outcome`` after it. What they raise stays here: the
call goes on without its segment.
"""

from __future__ import annotations

from xray._import_hook import Unsupported
from xray._log import warn_once
from xray._traceback import drop_own_frame
from xray._xray import leave_segment, steps, wrap_function

TYPE_CHECKING = False  # as `typing` has it, which takes longer to import than all of this
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    #: Opens the segment with the arguments of the call; says whether it did.
    Enter = Callable[..., bool]
    #: What is known at the end, from the result and the arguments: rows (-1: not known), and how the call came out.
    Outcome = Callable[..., tuple[int, str | None]]

_COROUTINE_OR_GENERATOR = 0x20 | 0x80  # as `inspect` has them, which takes long to import
_NOTHING_MORE = (-1, None)


def nothing_more(result: Any, *args: Any, **kwargs: Any) -> tuple[int, str | None]:
    """The outcome of calls that have none."""
    return _NOTHING_MORE


def trace_calls(
    owner: Any, name: str, enter: Enter, outcome: Outcome = nothing_more, *, in_steps: bool = False
) -> None:
    """Make a segment of each call of the function ``name`` of a class or module.

    Of a coroutine function it is a segment from the first step of each coroutine to its end, of a generator function
    likewise; ``in_steps`` says it of a function that does not look like one.

    :raises Unsupported: there is no such function.
    """
    original = vars(owner).get(name)
    if original is None:
        # A class that has it from its base gets its own.
        original = getattr(owner, name, None)
    if not callable(original):
        raise Unsupported(f"{owner.__name__} has no function {name}: its integration is off")
    flags = getattr(getattr(original, "__code__", None), "co_flags", 0)
    make = _in_steps if in_steps or flags & _COROUTINE_OR_GENERATOR else _at_once
    setattr(owner, name, wrap_function(original, make(enter, outcome)))


def _at_once(enter: Enter, outcome: Outcome) -> Callable[..., Any]:
    def traced(original: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        entered = _entered(enter, args, kwargs)
        try:
            result = original(*args, **kwargs)
        except BaseException as error:
            if entered:
                leave_segment(-1, True)
            drop_own_frame(error)
            raise
        if entered:
            _leave(outcome, result, args, kwargs)
        return result

    return traced


def _in_steps(enter: Enter, outcome: Outcome) -> Callable[..., Any]:
    def traced(original: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        try:
            awaited = original(*args, **kwargs)
        except BaseException as error:
            drop_own_frame(error)
            raise
        return steps(
            awaited,
            lambda: _entered(enter, args, kwargs),
            lambda result: _leave(outcome, result, args, kwargs),
        )

    return traced


def _entered(enter: Enter, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    try:
        return enter(*args, **kwargs)
    except Exception:
        # Arguments that the library will refuse, or a class of the application in their place.
        warn_once(f"xray: a call has no segment: {enter.__module__} did not expect its arguments", exc_info=True)
        return False


def _leave(outcome: Outcome, result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    try:
        rows, how = outcome(result, *args, **kwargs)
    except Exception:
        warn_once(f"xray: {outcome.__module__} did not expect a result", exc_info=True)
        rows, how = _NOTHING_MORE
    leave_segment(rows, False, how)
