"""The server of the standard library, which Django's ``runserver`` uses as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xray.integrations._base import wrap
from xray.integrations.wsgi import served


def begin_in_server() -> None:
    """Wrap what ``WSGIServer.get_app()`` gives to a request."""
    from wsgiref.simple_server import WSGIServer

    wrap(WSGIServer, "get_app", _wrap_get_app)


def _wrap_get_app(original: Callable[..., Any]) -> Callable[..., Any]:
    def get_app(self: Any) -> Any:
        app = original(self)
        return app if app is None else served(self, app)

    return get_app
