"""Django: a transaction begins in ``WSGIHandler`` and ends when the response is closed.

With no session a request is named when Django resolves it. While one records the name is needed before anything of
the request runs, so the path is resolved once more, first; where a middleware then chooses another URLconf, the name
that Django finds is the final one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.handlers import base, exception
from django.http.response import HttpResponseBase
from django.urls import Resolver404

from xray import _application
from xray._log import warn_once
from xray._traceback import drop_own_frame, error_name
from xray._xray import Transaction, recording
from xray.integrations import django_names as names
from xray.integrations._base import begin_request, fail, request_transaction, wrap
from xray.integrations._django_version import require_django

#: Where a response keeps its transaction until it is closed; dropped with the response if it never is.
_ATTRIBUTE = "_xray_transaction"

#: ``WSGIHandler`` once it begins transactions.
_handlers: list[type] = []


def is_beginning_handler(app: object) -> bool:
    """Whether ``app`` begins transactions by itself."""
    return isinstance(app, tuple(_handlers))


def name_transactions() -> None:
    """Give names, errors and an end to transactions, wherever in Django they begin."""
    require_django()
    wrap(base.BaseHandler, "resolve_request", _resolve_request)
    wrap(exception, "handle_uncaught_exception", _handle_uncaught_exception)
    wrap(HttpResponseBase, "close", _close)
    _application.register(names.Django())


def begin_in_handler() -> None:
    """Begin transactions in ``WSGIHandler``."""
    from django.core.handlers.wsgi import WSGIHandler

    require_django()
    wrap(WSGIHandler, "__call__", _call)
    _handlers.append(WSGIHandler)


class Middleware:
    """Begins transactions where it stands in ``MIDDLEWARE``, in a process where nothing else does.

    For applications that do not run under ``xray run`` and do not call :func:`xray.install`. Where the handler has
    begun the transaction already, this does nothing.
    """

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        from xray._install import prepare

        self.get_response = get_response
        try:
            prepare()
        except Exception:
            warn_once("xray could not be installed; the application runs without it", exc_info=True)

    def __call__(self, request: Any) -> Any:
        transaction = begin_request()
        if transaction is None:
            return self.get_response(request)
        if recording():
            _name_by_request(transaction, request)
        outside = request_transaction.set(transaction)
        try:
            response = self.get_response(request)
        except BaseException as error:
            fail(transaction, error)
            transaction.end()
            drop_own_frame(error)
            raise
        finally:
            request_transaction.reset(outside)
        if not transaction.named:
            _name_by_request(transaction, request)
        _end_with(response, transaction)
        return response


def _call(original: Callable[..., Any]) -> Callable[..., Any]:
    def __call__(self: Any, environ: Any, start_response: Any) -> Any:
        transaction = begin_request()
        if transaction is None:
            outer = request_transaction.get()
            if outer is not None and not outer.named and recording():
                _name_by_environ(outer, environ)
            try:
                return original(self, environ, start_response)
            except BaseException as error:
                drop_own_frame(error)
                raise
        if recording():
            _name_by_environ(transaction, environ)
        outside = request_transaction.set(transaction)
        try:
            response = original(self, environ, start_response)
        except BaseException as error:
            fail(transaction, error)
            transaction.end()
            drop_own_frame(error)
            raise
        finally:
            request_transaction.reset(outside)
        if not transaction.named:
            # A middleware answered.
            _name_by_environ(transaction, environ)
        _end_with(response, transaction)
        return response

    return __call__


def _resolve_request(original: Callable[..., Any]) -> Callable[..., Any]:
    def resolve_request(self: Any, request: Any) -> Any:
        try:
            match = original(self, request)
        except BaseException as error:
            transaction = request_transaction.get()
            if transaction is not None and isinstance(error, Resolver404):
                names.set_not_found(transaction, request)
            drop_own_frame(error)
            raise
        transaction = request_transaction.get()
        if transaction is not None:
            try:
                names.set_resolved(transaction, match, request)
            except Exception:
                warn_once("xray cannot name a request by its route", exc_info=True)
        return match

    return resolve_request


def _handle_uncaught_exception(original: Callable[..., Any]) -> Callable[..., Any]:
    def handle_uncaught_exception(request: Any, resolver: Any, exc_info: Any) -> Any:
        transaction = request_transaction.get()
        if transaction is not None:
            transaction.set_error(error_name(exc_info[0]))
        try:
            return original(request, resolver, exc_info)
        except BaseException as error:
            drop_own_frame(error)
            raise

    return handle_uncaught_exception


def _close(original: Callable[..., Any]) -> Callable[..., Any]:
    def close(self: Any) -> Any:
        transaction = self.__dict__.pop(_ATTRIBUTE, None)
        try:
            return original(self)
        except BaseException as error:
            drop_own_frame(error)
            raise
        finally:
            if transaction is not None:
                transaction.end()

    return close


def _name_by_environ(transaction: Transaction, environ: Any) -> None:
    # As `get_path_info` does, but for bytes that are no UTF-8.
    path = environ.get("PATH_INFO", "").encode("latin-1", "replace").decode("utf-8", "replace") or "/"
    script = environ.get("SCRIPT_NAME", "").encode("latin-1", "replace").decode("utf-8", "replace")
    _name_early(transaction, path, environ.get("REQUEST_METHOD"), script.rstrip("/") + path, None)


def _name_by_request(transaction: Transaction, request: Any) -> None:
    _name_early(transaction, request.path_info, request.method, request.path, getattr(request, "urlconf", None))


def _name_early(transaction: Transaction, path_info: str, method: str | None, path: str, urlconf: Any) -> None:
    try:
        names.set_early(transaction, names.early_name(path_info, urlconf), method, path)
    except Exception:
        # The URLconf or a converter of the application failed. Django meets the same and answers for it.
        pass


def _end_with(response: Any, transaction: Transaction) -> None:
    """End the transaction when the response is closed."""
    try:
        if not isinstance(response, HttpResponseBase):
            response = _response_behind(response)
        if response is not None:
            transaction.set_status(response.status_code)
            response.__dict__[_ATTRIBUTE] = transaction
            return
    except Exception:
        warn_once("xray cannot follow a response to its end", exc_info=True)
    transaction.end()


def _response_behind(file: Any) -> HttpResponseBase | None:
    """The response that a ``wsgi.file_wrapper`` closes. None for servers that send files in C and do not show it."""
    for attribute in ("filelike", "file"):
        close = getattr(getattr(file, attribute, None), "close", None)
        response = getattr(close, "__self__", None)
        if isinstance(response, HttpResponseBase):
            return response
    return None
