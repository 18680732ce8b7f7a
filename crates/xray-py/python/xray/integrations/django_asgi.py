"""Django under ASGI: a request begins in ``ASGIHandler`` and ends when its response was sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xray._traceback import drop_own_frame
from xray._xray import Transaction, answering_request, begin_answer, current_request, recording
from xray.integrations import asgi, django
from xray.integrations import django_names as names
from xray.integrations._base import wrap
from xray.integrations._django_version import require_django


def begin_in_handler() -> None:
    """Begin transactions in ``ASGIHandler``; the view that Django found names them, as soon as it has answered."""
    from django.core.handlers.asgi import ASGIHandler
    from django.core.handlers.base import BaseHandler

    require_django()
    wrap(ASGIHandler, "__call__", _call)
    wrap(BaseHandler, "get_response_async", _get_response_async)
    asgi.register(ASGIHandler, _name_early, _name_early, begins=True)


def _call(original: Callable[..., Any]) -> Callable[..., Any]:
    async def __call__(self: Any, scope: Any, receive: Any, send: Any) -> Any:
        answer = begin_answer(self, scope, send, _name_early, _name_early)
        if answer is None:
            outer = answering_request(scope.get("asgi"))
            if outer is not None and not outer.named and recording():
                _name_early(self, outer, scope)
            try:
                return await original(self, scope, receive, send)
            except BaseException as error:
                drop_own_frame(error)
                raise
        try:
            return await original(self, scope, receive, answer.send)
        except BaseException as error:
            answer.end_with(error)
            drop_own_frame(error)
            raise
        finally:
            answer.end()

    return __call__


def _get_response_async(original: Callable[..., Any]) -> Callable[..., Any]:
    async def get_response_async(self: Any, request: Any) -> Any:
        try:
            response = await original(self, request)
        except BaseException as error:
            drop_own_frame(error)
            raise
        transaction = current_request()
        if transaction is not None:
            django.name_by_match(transaction, request)
        return response

    return get_response_async


def _name_early(handler: Any, transaction: Transaction, scope: Any) -> None:
    """Name a transaction by its path, as `ASGIRequest` takes it: before the application runs, or when no view has."""
    path, root = scope["path"], scope.get("root_path", "")
    path_info = path.removeprefix(root) or "/" if root else path
    try:
        names.set_early(transaction, names.early_name(path_info), scope.get("method"), path)
    except Exception:
        # As in the WSGI handler.
        pass
