"""Keep xray's frames out of the tracebacks of the application."""

from __future__ import annotations

_with_traceback = BaseException.with_traceback


def drop_own_frame(error: BaseException) -> None:
    """Remove the newest entry of the error's traceback: the wrapper that caught it and raises it again.

    The bare ``raise`` that follows adds no entry. ``BaseException.with_traceback`` rather than an assignment, because
    a class of the application may refuse to have attributes set.
    """
    traceback = error.__traceback__
    if traceback is not None:
        _with_traceback(error, traceback.tb_next)


def error_name(error: type[BaseException]) -> str:
    """``builtins.ValueError``: the type only, a message may hold what nobody should see."""
    return f"{error.__module__}.{error.__qualname__}"
