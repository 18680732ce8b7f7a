"""gunicorn: the application that it serves is wrapped, unless Django's handler begins the transactions."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from xray._log import warn_once
from xray.integrations._base import require, wrap
from xray.integrations.wsgi import served

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
    def wsgi(self: Any) -> Any:
        app = original(self)
        try:
            return served(self, app, _name(self)) if _is_served_by_wsgi(self) else app
        except Exception:
            warn_once("xray cannot wrap the application that gunicorn serves", exc_info=True)
            return app

    return wsgi


def _is_served_by_wsgi(application: Any) -> bool:
    return any(base.__module__ in _WSGI_WORKERS for base in application.cfg.worker_class.__mro__)


def _name(application: Any) -> str | None:
    """``module:application`` as gunicorn was told."""
    uri = getattr(application, "app_uri", None)
    if not isinstance(uri, str) or not uri:
        return None
    return uri if ":" in uri else f"{uri}:application"
