"""Starlette, and what is made of it: requests begin in ``Starlette.__call__``, their routes name them.

While a session records, a request is named before anything of it runs, by what the router will find; else when the
router has found it, before the endpoint runs. Of a mounted application the names are below those of the mount.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xray import _application
from xray._log import warn_once
from xray._traceback import drop_own_frame
from xray._xray import answering_request, begin_answer, recording, wrap_announced
from xray.integrations import asgi
from xray.integrations import starlette_names as names
from xray.integrations._base import wrap
from xray.integrations._inside import register_naming
from xray.integrations._starlette_version import require_starlette


def begin_in_application() -> None:
    """Begin transactions in ``Starlette.__call__``."""
    from starlette.applications import Starlette

    require_starlette()
    wrap(Starlette, "__call__", call)
    names.routing_applications.append(Starlette)
    asgi.register(Starlette, names.set_early, names.set_last, begins=True)
    register_naming(Starlette, names.routes, names.resolve_path)


def name_transactions() -> None:
    """Give names to transactions where routes are found."""
    from starlette import routing

    require_starlette()
    for route in (routing.Route, routing.WebSocketRoute):
        wrap(route, "handle", named_by(names.set_route))
    for mount in (routing.Mount, routing.Host):
        wrap(mount, "handle", named_by(names.enter_mount))
    asgi.register(routing.Router, names.set_early, names.set_last, begins=False)
    register_naming(routing.Router, names.routes, names.resolve_path)
    _application.register(names.known_applications)


def call(original: Callable[..., Any]) -> Callable[..., Any]:
    """``__call__`` of an application class that begins transactions."""

    known = names.known_applications.by_id

    async def __call__(self: Any, scope: Any, receive: Any, send: Any) -> Any:
        answer = begin_answer(self, scope, send, names.set_early, names.set_last)
        if answer is None:
            if scope["type"] == "lifespan":
                names.known_applications.add(self)
            elif recording():
                _name_early_inside(self, scope)
            try:
                return await original(self, scope, receive, send)
            except BaseException as error:
                drop_own_frame(error)
                raise
        if id(self) not in known:
            names.known_applications.add(self)
        try:
            return await original(self, scope, receive, answer.send)
        except BaseException as error:
            answer.end_with(error)
            drop_own_frame(error)
            raise
        finally:
            answer.end()

    return __call__


def _name_early_inside(app: Any, scope: Any) -> None:
    transaction = answering_request(scope.get("asgi"))
    if transaction is not None and not transaction.named:
        names.set_early(app, transaction, scope)


def named_by(how: Callable[[Any, Any, Any], None]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``handle`` of a class of routes, which first gives the request that is being answered a name."""

    def handle(self: Any, scope: Any, receive: Any, send: Any) -> None:
        transaction = answering_request(scope.get("asgi"))
        if transaction is not None:
            try:
                how(transaction, self, scope)
            except Exception:
                # A route of a class of the application.
                warn_once("xray cannot name a request by its route", exc_info=True)

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        return wrap_announced(original, handle)

    return make
