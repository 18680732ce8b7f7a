"""Hypercorn: what it serves is wrapped, unless a framework's class begins transactions."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from xray._log import warn_once
from xray.integrations import asgi, wsgi
from xray.integrations._base import wrap
from xray.integrations._versions import require_version


def begin_in_server() -> None:
    """Wrap what ``wrap_app`` hands to the servers."""
    from hypercorn.app_wrappers import ASGIWrapper, WSGIWrapper

    require_version("Hypercorn", version("hypercorn"), (0, 16), (0, 18))
    wrap(ASGIWrapper, "__init__", _init_asgi)
    wrap(WSGIWrapper, "__init__", _init_wsgi)


def _init_asgi(original: Callable[..., Any]) -> Callable[..., Any]:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        try:
            self.app = asgi.served(self.app)
        except Exception:
            warn_once("xray cannot wrap the application that Hypercorn serves", exc_info=True)

    return __init__


def _init_wsgi(original: Callable[..., Any]) -> Callable[..., Any]:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        try:
            self.app = wsgi.served(self, self.app)
        except Exception:
            warn_once("xray cannot wrap the application that Hypercorn serves", exc_info=True)

    return __init__
