"""FastAPI: what it adds to Starlette. An included router keeps its routes; the path before them comes by the scope."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import fastapi
from starlette.routing import Route

from xray import _application
from xray.integrations import starlette_names
from xray.integrations._base import wrap
from xray.integrations._starlette_version import require_starlette
from xray.integrations._versions import require_version
from xray.integrations._views import view_name
from xray.integrations.starlette import call, named_by

if TYPE_CHECKING:
    from xray._xray import Transaction

#: FastAPI's own entry of a scope, and what it has in it.
_SCOPE = "fastapi"
_CONTEXT = "effective_route_context"
_FRONTEND_PATH = "frontend_path"


def require_fastapi() -> None:
    """Step aside for versions that it was not tested with.

    :raises Unsupported: the version is not one of them.
    """
    require_starlette()
    require_version("FastAPI", fastapi.__version__, (0, 115), (0, 165))


def begin_in_application() -> None:
    """Begin transactions in ``FastAPI.__call__``, which does something before Starlette's."""
    from fastapi.applications import FastAPI

    require_fastapi()
    wrap(FastAPI, "__call__", call)
    _application.register(_FastAPI())


def name_transactions() -> None:
    """Give names to the routes of included routers. Before 0.140 these were copied, so that Starlette's names did."""
    from fastapi import routing

    require_fastapi()
    included = getattr(routing, "_IncludedRouter", None)
    if included is None:
        return
    wrap(routing.APIRoute, "handle", named_by(_set_included))
    wrap(routing._FrontendRoute, "handle", named_by(_set_frontend))
    starlette_names.register_group(included, _select, _expand)


class _FastAPI:
    """FastAPI, for the agent. The routes are Starlette's."""

    def version(self) -> str:
        return f"FastAPI {fastapi.__version__}"

    def routes(self) -> list[_application.Route]:
        return []

    def resolve_path(self, path: str) -> str | None:
        return None


def _set_included(transaction: Transaction, route: Any, scope: Any) -> None:
    """Without a context the route names itself: Starlette's ``handle`` comes next."""
    context = scope.get(_SCOPE, {}).get(_CONTEXT)
    if context is not None and context.original_route is route:
        starlette_names.set_route(transaction, context, scope)


def _set_frontend(transaction: Transaction, route: Any, scope: Any) -> None:
    """All files of a directory share a name: the path in front of them, which has no parameters."""
    path, file = scope["path"], scope[_SCOPE][_FRONTEND_PATH]
    front = path.removesuffix(file).rstrip("/")
    transaction.set_route(scope["method"], f"{front}/<path>", view_name(route.app), None, path)


def _select(group: Any, scope: Any) -> Any:
    """The route of an included router that a scope means."""
    match, child_scope, route, context = group._match(scope)
    while context is None and type(route) is type(group):
        match, child_scope, route, context = route._match(scope)
    if context is None:
        return match, child_scope, route
    return match, child_scope, context.starlette_route or _Named(context)


def _expand(group: Any) -> Iterable[Any]:
    return [context.starlette_route or _Named(context) for context in group.effective_route_contexts()]


class _Named(Route):  # type: ignore[misc]
    """A route of an included router with the path that it has there."""

    def __init__(self, context: Any) -> None:
        self.path = context.path
        self.endpoint = context.endpoint
        self.name = context.name
        self.methods = context.methods
