"""Django: a transaction begins in ``WSGIHandler`` and ends when the response is closed.

With no session a request is named when it has been answered, by what Django then knows of it, and is over then unless
its response is streamed. While one records the name is needed before anything of the request runs, so the path is
resolved once more, first; where a middleware then chooses another URLconf, the name that Django finds is the final one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.handlers import exception
from django.http.response import HttpResponseBase
from django.urls import Resolver404

from xray import _application
from xray._log import warn_once
from xray._traceback import drop_own_frame, error_name
from xray._xray import (
    Transaction,
    begin_request,
    current_request,
    recording,
    wrap_requests,
    wrap_transactions,
)
from xray.integrations import django_names as names
from xray.integrations import wsgi
from xray.integrations._base import fail, wrap
from xray.integrations._django_version import require_django


def name_transactions() -> None:
    """Give names, errors and an end to transactions, wherever in Django they begin."""
    require_django()
    wrap(exception, "response_for_exception", _response_for_exception)
    wrap(exception, "handle_uncaught_exception", _handle_uncaught_exception)
    # Where a response keeps its transaction until it is closed; dropped with the response if it never is. The class
    # has it too, so that no attribute hook of a subclass is asked.
    HttpResponseBase._xray_transaction = None
    HttpResponseBase.close = wrap_transactions(HttpResponseBase.close, _close)
    _application.register(names.Django())


def begin_in_handler() -> None:
    """Begin transactions in ``WSGIHandler``."""
    from django.core.handlers.wsgi import WSGIHandler

    require_django()
    answer = WSGIHandler.__call__
    WSGIHandler.__call__ = wrap_requests(answer, before_answer, _name_of, after_answer)
    wsgi.register(WSGIHandler)


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
        try:
            response = self.get_response(request)
        except BaseException as error:
            fail(transaction, error)
            transaction.end()
            drop_own_frame(error)
            raise
        transaction.returned()
        if not name_by_match(transaction, request):
            _name_by_request(transaction, request)
        _end_with(_response_of(response), transaction)
        return response


def before_answer(handler: Any, environ: Any, *args: Any) -> Transaction | None:
    """Begin the transaction of a request; None where something outside Django has, or nothing may."""
    transaction = begin_request()
    unnamed = transaction or current_request()
    if unnamed is not None and not unnamed.named and recording():
        _name_by_environ(unnamed, environ)
    return transaction


def _name_of(response: Any) -> int:
    """The number of the name of a request that is over, or an error when there is more to do.

    With no session nearly every request comes here, and this is most of what xray costs it: attributes that the
    interpreter finds at the place where they were the last time.
    """
    if response.streaming:
        raise ValueError("not over")
    request = response._resource_closers[-1].__self__
    match = request.resolver_match
    return names.known[match.func][match.route][request.method]


def after_answer(
    transaction: Transaction | None,
    answer: Any,
    error: BaseException | None,
    handler: Any,
    environ: Any,
    *args: Any,
) -> None:
    """The answering call has returned, or raised: name the transaction, and let the response end it."""
    named = transaction or current_request()
    if named is None:
        return
    if error is not None:
        if not named.named:
            _name_by_environ(named, environ)
        if transaction is not None:
            fail(transaction, error)
            transaction.end()
        return
    response = _response_of(answer)
    if transaction is not None:
        transaction.returned()
    _name_by_answer(named, response, environ)
    if transaction is not None:
        _end_with(response, transaction)


def _response_for_exception(original: Callable[..., Any]) -> Callable[..., Any]:
    def response_for_exception(request: Any, exc: Any) -> Any:
        if isinstance(exc, Resolver404):
            transaction = current_request()
            if transaction is not None:
                names.set_not_found(transaction, request)
        try:
            return original(request, exc)
        except BaseException as error:
            drop_own_frame(error)
            raise

    return response_for_exception


def _handle_uncaught_exception(original: Callable[..., Any]) -> Callable[..., Any]:
    def handle_uncaught_exception(request: Any, resolver: Any, exc_info: Any) -> Any:
        transaction = current_request()
        if transaction is not None:
            transaction.set_error(error_name(exc_info[0]))
        try:
            return original(request, resolver, exc_info)
        except BaseException as error:
            drop_own_frame(error)
            raise

    return handle_uncaught_exception


def _close(original: Callable[..., Any], response: Any) -> Any:
    transaction = response._xray_transaction
    if transaction is not None:
        # A closed response can be pickled, as it could without xray.
        del response._xray_transaction
    try:
        return original(response)
    except BaseException as error:
        drop_own_frame(error)
        raise
    finally:
        if transaction is not None:
            transaction.end()


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


def _name_by_answer(transaction: Transaction, response: HttpResponseBase | None, environ: Any) -> None:
    """Name a transaction by the request of its response: the handler's last closer is the request's ``close``."""
    try:
        request = response._resource_closers[-1].__self__  # type: ignore[union-attr]
    except (AttributeError, IndexError):
        request = None
    if not name_by_match(transaction, request):
        _name_by_environ(transaction, environ)


def name_by_match(transaction: Transaction, request: Any) -> bool:
    """Name a transaction by the view that Django found; False when there is none and no other name."""
    try:
        match = request.resolver_match
        if match is not None:
            names.set_resolved(transaction, match, request)
            return True
    except AttributeError:
        # Not Django's request.
        pass
    except Exception:
        warn_once("xray cannot name a request by its route", exc_info=True)
    return transaction.named


def _end_with(response: HttpResponseBase | None, transaction: Transaction) -> None:
    """End the transaction when the response is closed."""
    if response is None:
        transaction.end()
        return
    try:
        transaction.set_status(response.status_code)
        response._xray_transaction = transaction
    except Exception:
        warn_once("xray cannot follow a response to its end", exc_info=True)
        transaction.end()


def _response_of(answer: Any) -> HttpResponseBase | None:
    """Django's response, or the one that a ``wsgi.file_wrapper`` closes.

    None for servers that send files in C and do not show it.
    """
    if isinstance(answer, HttpResponseBase):
        return answer
    try:
        for attribute in ("filelike", "file"):
            close = getattr(getattr(answer, attribute, None), "close", None)
            response = getattr(close, "__self__", None)
            if isinstance(response, HttpResponseBase):
                return response
    except Exception:
        # An attribute of a foreign class that fails.
        pass
    return None
