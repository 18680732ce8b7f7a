"""The server of the standard library, which Django's ``runserver`` uses as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xray.integrations._base import wrap
from xray.integrations.gunicorn import begins_itself
from xray.integrations.wsgi import wsgi


def begin_in_server() -> None:
    """Wrap what ``WSGIServer.get_app()`` gives to a request."""
    from wsgiref.simple_server import WSGIServer

    wrap(WSGIServer, "get_app", _wrap_get_app)


def _wrap_get_app(original: Callable[..., Any]) -> Callable[..., Any]:
    def get_app(self: Any) -> Any:
        app = original(self)
        if app is None or begins_itself(app):
            return app
        known = self.__dict__.get("_xray_app")
        if known is None or known.__wrapped__ is not app:
            known = self.__dict__["_xray_app"] = wsgi(app)
        return known

    return get_app
