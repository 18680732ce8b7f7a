"""What is inside an application that a server calls: middlewares around the application of a framework."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # as `typing` has it, which takes longer to import than all of this
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from xray._application import Route

#: Middlewares around one application.
_MAX_WRAPPERS = 64
#: Applications of one process.
_MAX_KNOWN = 64
#: Where wrappers keep what they wrap.
_ATTRIBUTES = ("app", "_app", "application", "wrapped", "asgi_app", "wsgi_app", "__wrapped__")
#: Modules of frameworks that name their requests themselves.
_NAMING = ("django.core.handlers.base", "flask.app", "starlette.applications", "starlette.routing")


def application_in(app: Any, kind: type) -> Any | None:
    """The application of class ``kind`` that shows behind middlewares; None when none does."""
    for _ in range(_MAX_WRAPPERS):
        if isinstance(app, kind):
            return app
        inner = _wrapped_by(app)
        if inner is None:
            return None
        app = inner
    return None


def is_named_inside() -> bool:
    """Whether something inside an application may name its requests, so that a name for them must wait."""
    return any(module in sys.modules for module in _NAMING)


#: Classes of applications that name the requests that they get, and what their routers know.
_naming: list[tuple[type, Callable[[Any], Iterable[Route]], Callable[[Any, str], str | None]]] = []


def register_naming(
    application: type,
    routes: Callable[[Any], Iterable[Route]],
    resolve_path: Callable[[Any, str], str | None],
) -> None:
    """Make known a class of applications that name the requests that they get.

    ``routes`` lists those of an application, ``resolve_path`` gives the route of a path.
    """
    _naming.append((application, routes, resolve_path))


def gives_names(app: Any) -> bool:
    """Whether an application shows, behind middlewares, that names the requests that it gets."""
    return any(application_in(app, kind) is not None for kind, _, _ in _naming)


def routes_inside(app: Any) -> Iterable[Route]:
    """The routes of the framework's application that shows behind middlewares."""
    for kind, routes, _ in _naming:
        inside = application_in(app, kind)
        if inside is not None:
            return routes(inside)
    return ()


def resolve_inside(app: Any, path: str) -> str | None:
    """The route of a path in the framework's application that shows behind middlewares."""
    for kind, _, resolve_path in _naming:
        inside = application_in(app, kind)
        if inside is not None:
            return resolve_path(inside, path)
    return None


class Known:
    """Objects of a framework that were met in this process, as long as they live."""

    def __init__(self) -> None:
        #: By identity; each request looks here first.
        self.by_id: dict[int, Any] = {}

    def add(self, met: Any) -> None:
        """Note one."""
        if id(met) in self.by_id or len(self.by_id) >= _MAX_KNOWN:
            return
        import weakref

        key, by_id = id(met), self.by_id
        by_id[key] = weakref.ref(met, lambda _: by_id.pop(key, None) and None)

    def alive(self) -> list[Any]:
        """All that there are."""
        found = [reference() for reference in list(self.by_id.values())]
        return [met for met in found if met is not None]


def name_of(app: Any) -> str:
    """``module:name`` of an application; an object is named by its class."""
    named = app if hasattr(app, "__qualname__") else type(app)
    return f"{named.__module__}:{named.__qualname__}"


def _wrapped_by(app: Any) -> Any | None:
    import functools
    import types

    if isinstance(app, types.MethodType):
        return app.__self__
    if isinstance(app, functools.partial):
        return app.func
    # Not by `getattr`: properties and attribute hooks are code of the application.
    own = getattr(app, "__dict__", None)
    for attribute in _ATTRIBUTES:
        inner = own.get(attribute) if isinstance(own, dict) else None
        if callable(inner):
            return inner
    return None
