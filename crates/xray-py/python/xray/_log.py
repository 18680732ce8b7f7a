"""xray's own log: each problem once, as a warning, never as an exception of the application."""

from __future__ import annotations

_said: set[str] = set()


def warn_once(message: str, *, exc_info: bool = False) -> None:
    """Log ``message`` by the logger ``xray`` unless it was logged before in this process."""
    if message in _said:
        return
    _said.add(message)
    try:
        import logging

        logging.getLogger("xray").warning(message, exc_info=exc_info)
    except Exception:
        # A handler of the application failed. There is nobody left to tell.
        pass
