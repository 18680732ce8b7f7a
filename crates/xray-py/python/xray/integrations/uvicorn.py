"""uvicorn: what it serves is wrapped, inside its own middlewares, unless a framework's class begins transactions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xray._log import warn_once
from xray._traceback import drop_own_frame
from xray.integrations import asgi, wsgi
from xray.integrations._base import wrap
from xray.integrations._versions import require_version

_MIDDLEWARE = "uvicorn.middleware."
#: Its middlewares for applications that are not those of ASGI 3.
_WSGI = "uvicorn.middleware.wsgi"
_ASGI2 = "uvicorn.middleware.asgi2"


def begin_in_server() -> None:
    """Wrap what ``Config.load()`` has loaded."""
    import uvicorn
    from uvicorn.config import Config

    require_version("uvicorn", uvicorn.__version__, (0, 30), (0, 54))
    wrap(Config, "load", _load)


def _load(original: Callable[..., Any]) -> Callable[..., Any]:
    def load(self: Any) -> Any:
        try:
            result = original(self)
        except BaseException as error:
            drop_own_frame(error)
            raise
        try:
            _wrap_loaded(self)
        except Exception:
            warn_once("xray cannot wrap the application that uvicorn serves", exc_info=True)
        return result

    return load


def _wrap_loaded(config: Any) -> None:
    name = config.app if isinstance(config.app, str) and ":" in config.app else None
    owner, attribute, app = config, "loaded_app", config.loaded_app
    while type(app).__module__.startswith(_MIDDLEWARE) and type(app).__module__ != _ASGI2:
        owner, attribute, app = app, "app", app.app
    if type(owner).__module__ == _WSGI:
        # It calls the application in threads that do not have the request's context.
        setattr(owner, attribute, wsgi.served(owner, app, name))
    else:
        setattr(owner, attribute, asgi.served(app, name))
