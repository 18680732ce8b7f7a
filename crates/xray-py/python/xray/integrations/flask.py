"""Flask: requests begin in ``Flask.__call__``; the rule that matches names them, before the view runs.

While a session records, the rule is looked up once more, before anything of the request runs.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Token
from importlib.metadata import version
from typing import Any

from xray import _application
from xray._log import warn_once
from xray._traceback import drop_own_frame, error_name
from xray._xray import begin_request, current_request, recording
from xray.integrations import flask_names as names
from xray.integrations import wsgi
from xray.integrations._base import fail, wrap
from xray.integrations._inside import register_naming
from xray.integrations._versions import require_version


def require_flask() -> None:
    """Step aside for versions that it was not tested with.

    :raises Unsupported: the version is not one of them.
    """
    require_version("Flask", version("flask"), (2, 3), (3, 1))


def begin_in_application() -> None:
    """Begin transactions in ``Flask.__call__``, and give them names and errors."""
    from flask.app import Flask
    from flask.ctx import RequestContext

    require_flask()
    wrap(Flask, "__call__", _call)
    wrap(RequestContext, "match_request", _match_request)
    wrap(Flask, "handle_exception", _handle_exception)
    wsgi.register(Flask)
    register_naming(Flask, names.routes, names.resolve_path)
    _application.register(names.known_applications)


def know_mounts() -> None:
    """Note which applications a dispatcher mounts where."""
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    wrap(DispatcherMiddleware, "__call__", _call_dispatcher)


def _call(original: Callable[..., Any]) -> Callable[..., Any]:
    def __call__(self: Any, environ: Any, start_response: Any) -> Any:
        transaction = begin_request()
        if transaction is None:
            return _call_inside(original, self, environ, start_response)
        names.known_applications.add(self)
        names.enter_mount(transaction, environ)
        if recording():
            names.set_early(self, transaction, environ)
        try:
            body = original(self, environ, wsgi.StartResponse(transaction, start_response))
        except BaseException as error:
            fail(transaction, error)
            if not transaction.named:
                names.set_not_found(transaction, environ)
            transaction.end()
            drop_own_frame(error)
            raise
        transaction.returned()
        if not transaction.named:
            names.set_not_found(transaction, environ)
        return wsgi.watched(body, environ, transaction)

    return __call__


def _call_inside(original: Callable[..., Any], app: Any, environ: Any, start_response: Any) -> Any:
    """The call where something outside Flask has begun the transaction, or nothing may."""
    outer = current_request()
    if outer is not None and not outer.named:
        if not outer.mounted:
            names.known_applications.add(app)
        names.enter_mount(outer, environ)
        if recording():
            names.set_early(app, outer, environ)
    try:
        body = original(app, environ, start_response)
    except BaseException as error:
        drop_own_frame(error)
        raise
    if outer is not None and not outer.named:
        names.set_not_found(outer, environ)
    return body


def _match_request(original: Callable[..., Any]) -> Callable[..., Any]:
    def match_request(self: Any) -> None:
        try:
            original(self)
        except BaseException as error:
            drop_own_frame(error)
            raise
        transaction = current_request()
        if transaction is not None:
            try:
                # A request that a view sends to its own application, by the test client, is part of that view's.
                if self._cv_tokens[-1][0].old_value is Token.MISSING:
                    names.set_matched(transaction, self)
            except Exception:
                warn_once("xray cannot name a request by its rule", exc_info=True)

    return match_request


def _handle_exception(original: Callable[..., Any]) -> Callable[..., Any]:
    def handle_exception(self: Any, e: Any) -> Any:
        transaction = current_request()
        if transaction is not None:
            transaction.set_error(error_name(type(e)))
        try:
            return original(self, e)
        except BaseException as error:
            drop_own_frame(error)
            raise

    return handle_exception


def _call_dispatcher(original: Callable[..., Any]) -> Callable[..., Any]:
    def __call__(self: Any, environ: Any, start_response: Any) -> Any:
        names.known_dispatchers.add(self)
        try:
            return original(self, environ, start_response)
        except BaseException as error:
            drop_own_frame(error)
            raise

    return __call__
