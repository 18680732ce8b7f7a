"""gunicorn: the application that it serves is wrapped, unless Django's handler begins the transactions."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

from xray.integrations._base import require, wrap
from xray.integrations.wsgi import wsgi

#: Workers that call the application by WSGI. Others take ASGI applications, or do what cannot be known.
_WSGI_WORKERS = frozenset(
    ("gunicorn.workers.sync", "gunicorn.workers.gthread", "gunicorn.workers.ggevent", "gunicorn.workers.geventlet")
)


def begin_in_server() -> None:
    """Wrap what ``BaseApplication.wsgi()`` gives to a worker."""
    import gunicorn
    from gunicorn.app.base import BaseApplication

    require("gunicorn", tuple(int(part) for part in re.findall(r"\d+", gunicorn.__version__)[:2]), (20,), (27,))
    wrap(BaseApplication, "wsgi", _wrap_wsgi)


def _wrap_wsgi(original: Callable[..., Any]) -> Callable[..., Any]:
    wrapped: dict[int, tuple[Any, Any]] = {}

    def wsgi_of_application(self: Any) -> Any:
        app = original(self)
        try:
            if begins_itself(app) or not _is_served_by_wsgi(self):
                return app
            if id(app) not in wrapped:
                # With the application, so that the id stays its own.
                wrapped[id(app)] = app, wsgi(app, _name(self))
            return wrapped[id(app)][1]
        except Exception:
            return app

    return wsgi_of_application


def begins_itself(app: Any) -> bool:
    """Whether Django's handler, which begins transactions itself, is the application."""
    integration = sys.modules.get("xray.integrations.django")
    if integration is None or not integration.handler_begins():
        return False
    return isinstance(app, sys.modules["django.core.handlers.wsgi"].WSGIHandler)


def _is_served_by_wsgi(application: Any) -> bool:
    return any(base.__module__ in _WSGI_WORKERS for base in application.cfg.worker_class.__mro__)


def _name(application: Any) -> str | None:
    """``module:application`` as gunicorn was told."""
    uri = getattr(application, "app_uri", None)
    if not isinstance(uri, str) or not uri:
        return None
    return uri if ":" in uri else f"{uri}:application"
