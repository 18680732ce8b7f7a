"""Names of Starlette's requests: route, endpoint and route name, before and after routing; and the routes there are."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import starlette
from starlette.routing import Host, Match, Mount, Route, Router, WebSocketRoute

from xray.integrations._inside import Known, application_in, gives_names, resolve_inside, routes_inside
from xray.integrations._views import view_name

if TYPE_CHECKING:
    from xray import _application
    from xray._xray import Transaction

#: More routes than any list that people read.
_MAX_ROUTES = 10_000
#: Methods of a route whose names are remembered: clients can make up any number.
_MAX_METHODS = 16
#: Routers inside one another.
_MAX_DEPTH = 32
#: What a mount adds to its path for the rest, as `Mount` does.
_REST = "/{path:path}"


class Name(NamedTuple):
    """What the router knows of a request."""

    route: str | None
    handler: str | None
    url_name: str | None


#: All requests that no route matches share it.
NOT_FOUND = Name(None, None, None)

#: Classes of applications that have ``routes``.
routing_applications: list[type] = [Router]

#: For classes of routes that hold others: the route inside that a scope means, and all of them.
_selectors: dict[type, Callable[[Any, Any], Any]] = {}
_expanders: dict[type, Callable[[Any], Iterable[Any]]] = {}


def register_group(kind: type, select: Callable[[Any, Any], Any], expand: Callable[[Any], Iterable[Any]]) -> None:
    """Make known a class of routes that stands for others.

    ``select`` gives the one (match, child scope, route) among them that a scope means, ``expand`` all.
    """
    _selectors[kind] = select
    _expanders[kind] = expand


def set_early(app: Any, transaction: Transaction, scope: Any) -> None:
    """Name a transaction before the application runs; not at all where that is for something inside to do."""
    try:
        name = resolve(app, scope)
    except Exception:
        # A converter of the application failed, or a route of its own class. Starlette meets the same.
        return
    if name is not None:
        _set(transaction, name, scope)


def set_last(app: Any, transaction: Transaction, scope: Any) -> None:
    """Name a transaction that no route has named: a path never makes a name."""
    _set(transaction, NOT_FOUND, scope)


def set_route(transaction: Transaction, route: Any, scope: Any) -> None:
    """Name a transaction by the route that handles it."""
    method = scope.get("method")  # a websocket has none
    known = getattr(route, "_xray_names", None)
    if known is not None and transaction.set_known(known.get(method)):
        return
    number = transaction.set_route(method, route.path, view_name(route.endpoint), route.name, scope["path"])
    if not transaction.mounted:
        if known is None:
            known = route._xray_names = {}
        if len(known) < _MAX_METHODS:
            known[method] = number


def enter_mount(transaction: Transaction, mount: Any, scope: Any) -> None:
    """The names that follow are below a mount. What gives none is named by the mount itself."""
    path = getattr(mount, "path", "")
    if gives_names(mount.app):
        transaction.mount(path, mount.name)
    else:
        _set(transaction, Name(path + _REST, _application_name(mount), mount.name), scope)


class Starlettes(Known):
    """The applications that answer requests in this process, for the agent."""

    def version(self) -> str:
        return f"Starlette {starlette.__version__}"

    def routes(self) -> list[_application.Route]:
        found = (route for app in self.alive() for route in routes(app))
        return list(dict.fromkeys(itertools.islice(found, _MAX_ROUTES)))

    def resolve_path(self, path: str) -> str | None:
        found = (resolve_path(app, path) for app in self.alive())
        return next((route for route in found if route is not None), None)


known_applications = Starlettes()


def routes(app: Any) -> Iterator[_application.Route]:
    """All routes of an application, with those of what is mounted in it."""
    return _walk(app.routes, "", "", 0)


def resolve_path(app: Any, path: str) -> str | None:
    """The route of a path in an application, or in what is mounted in it."""
    for kind in ("http", "websocket"):
        scope: dict[str, Any] = {"type": kind, "method": "GET", "path": path, "root_path": "", "headers": []}
        name = resolve(app, scope)
        if name is not None and name.route is not None:
            return name.route
    # What is mounted has a router of its own.
    for mount in app.routes:
        if isinstance(mount, Mount) and path.startswith(f"{mount.path}/"):
            below = resolve_inside(mount.app, path.removeprefix(mount.path))
            if below is not None:
                return f"{mount.path}{below}"
    return None


def resolve(app: Any, scope: Any) -> Name | None:
    """What the router of an application will find; None when an application inside it gives the name."""
    inside = dict(scope)
    # As `FastAPI.__call__` does.
    if root_path := getattr(app, "root_path", None):
        inside["root_path"] = root_path
    return _resolve(app.routes, inside, "", "", 0)


def _resolve(routes: Iterable[Any], scope: dict[str, Any], path: str, namespace: str, depth: int) -> Name | None:
    found = _select(routes, scope)
    if found is None:
        return NOT_FOUND
    route, child_scope = found
    scope.update(child_scope)
    if isinstance(route, Mount | Host) and depth < _MAX_DEPTH:
        path, namespace = path + getattr(route, "path", ""), _below(namespace, route.name)
        inside = _routing_application(route.app)
        if inside is not None:
            return _resolve(inside.routes, scope, path, namespace, depth + 1)
        return None if gives_names(route.app) else Name(path + _REST, _application_name(route), namespace or None)
    if isinstance(route, Route | WebSocketRoute):
        return Name(path + route.path, view_name(route.endpoint), _below(namespace, route.name) or None)
    return None


def _routing_application(app: Any) -> Any | None:
    found = (application_in(app, kind) for kind in routing_applications)
    return next((inside for inside in found if inside is not None), None)


def _select(routes: Iterable[Any], scope: dict[str, Any]) -> tuple[Any, Any] | None:
    """The route that `Router.app` chooses: the first that matches, else the first that does but for the method."""
    partial = None
    for candidate in routes:
        select = _selectors.get(type(candidate))
        match, child_scope, route = (
            select(candidate, scope) if select is not None else (*_matches(candidate, scope), candidate)
        )
        if match is Match.FULL:
            return route, child_scope
        if match is Match.PARTIAL and partial is None:
            partial = route, child_scope
    return partial


def _matches(route: Any, scope: dict[str, Any]) -> Any:
    """What the framework's own class of a route finds: `matches` of the application's runs once, for the request."""
    for kind in type(route).__mro__:
        if "matches" in vars(kind) and kind.__module__.partition(".")[0] in ("starlette", "fastapi"):
            return vars(kind)["matches"](route, scope)
    return Match.NONE, {}


def _walk(routes: Iterable[Any], path: str, namespace: str, depth: int) -> Iterator[_application.Route]:
    for route in routes:
        expand = _expanders.get(type(route))
        if expand is not None:
            if depth < _MAX_DEPTH:
                yield from _walk(expand(route), path, namespace, depth + 1)
        elif isinstance(route, Mount | Host):
            below, inside = path + getattr(route, "path", ""), _below(namespace, route.name)
            if gives_names(route.app):
                if depth < _MAX_DEPTH:
                    for methods, template, handler, name in routes_inside(route.app):
                        yield methods, below + template, handler, _below(inside, name) or None
            else:
                yield None, below + _REST, _application_name(route), inside or None
        elif isinstance(route, Route | WebSocketRoute):
            methods = getattr(route, "methods", None)
            yield (
                tuple(sorted(methods)) if methods else None,
                path + route.path,
                view_name(route.endpoint),
                _below(namespace, route.name) or None,
            )


def _set(transaction: Transaction, name: Name, scope: Any) -> None:
    method = scope["method"] if scope["type"] == "http" else None
    transaction.set_route(method, name.route, name.handler, name.url_name, scope["path"])


def _application_name(mount: Any) -> str:
    return view_name(getattr(mount, "_base_app", mount.app))


def _below(namespace: str, name: str | None) -> str:
    return f"{namespace}:{name}" if namespace and name else name or namespace
