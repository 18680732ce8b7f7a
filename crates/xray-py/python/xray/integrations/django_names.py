"""Names of Django's requests: route, view and url name, before and after the view runs; and the routes there are."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

import django
from django.conf import settings
from django.urls import Resolver404, get_resolver
from django.utils import translation

from xray.integrations._views import view_name

if TYPE_CHECKING:
    from xray._application import Route
    from xray._xray import Transaction

#: More routes than any list that people read.
_MAX_ROUTES = 10_000
#: Views that are remembered, and routes of each; an application that makes them as it runs starts over.
_MAX_VIEWS = 5_000
_MAX_ROUTES_OF_VIEW = 100
#: Methods of a route that are remembered: clients can make up any number.
_MAX_METHODS = 16


class EarlyName(NamedTuple):
    """What is known before Django resolves the request itself."""

    route: str | None
    handler: str | None
    url_name: str | None


def early_name(path_info: str, urlconf: Any = None) -> EarlyName:
    """Resolve a path as Django will, unless a middleware decides otherwise. An unknown path has no route."""
    match = _resolve(path_info, urlconf)
    if match is not None:
        # The `view_name` of a url without a name is the view's.
        return EarlyName(match.route, view_name(match.func), match.view_name if match.url_name else None)
    return EarlyName(_static_route(path_info), None, None)


def set_early(transaction: Transaction, name: EarlyName, method: str | None, path: str) -> None:
    """Name a transaction before its view is known for certain."""
    transaction.set_route(method, name.route, name.handler, name.url_name, path)


def set_resolved(transaction: Transaction, match: Any, request: Any) -> None:
    """Name a transaction by the match that Django found."""
    methods = _known_methods(match)
    if transaction.set_known(methods.get(request.method)):
        return
    url_name = match.view_name if match.url_name else None
    number = transaction.set_route(request.method, match.route, view_name(match.func), url_name, request.path)
    if number is not None and not transaction.mounted and len(methods) < _MAX_METHODS:
        methods[request.method] = number


def _known_methods(match: Any) -> dict[str | None, int]:
    try:
        routes = known.setdefault(match.func, {})
    except TypeError:
        # A view that has no hash.
        return {}
    if len(routes) >= _MAX_ROUTES_OF_VIEW and match.route not in routes:
        routes.clear()
    if len(known) > _MAX_VIEWS:
        known.clear()
    return routes.setdefault(match.route, {})


#: Numbers of the names that requests had, by view, route and method. Not by all three in one: a tuple must be made,
#: hashed and compared, which costs a request more than looking up three times.
known: dict[Any, dict[str, dict[str | None, int]]] = {}


def set_not_found(transaction: Transaction, request: Any) -> None:
    """All requests that no route matches share one name: a path never makes one."""
    transaction.set_route(request.method, None, None, None, request.path)


class Django:
    """Django's router, for the agent."""

    def version(self) -> str:
        return f"Django {django.get_version()}"

    def routes(self) -> list[Route]:
        found: dict[Route, None] = {}
        for language in _languages():
            with _in_language(language):
                for route in _walk(get_resolver(), "", ()):
                    found[route] = None
                    if len(found) >= _MAX_ROUTES:
                        return list(found)
        return list(found)

    def resolve_path(self, path: str) -> str | None:
        match = _resolve(path, None)
        return None if match is None else match.route


def _resolve(path: str, urlconf: Any) -> Any:
    # A language that the session or a header chooses is not known here; of a path it is the only one that can match.
    with _in_language(_language_of(path, urlconf)):
        try:
            return get_resolver(urlconf).resolve(path)
        except Resolver404:
            return None


def _static_route(path: str) -> str | None:
    """The route of static files, which a middleware or the development server serves without one."""
    prefix = getattr(settings, "STATIC_URL", None)
    if isinstance(prefix, str) and prefix.startswith("/") and prefix != "/" and path.startswith(prefix):
        return f"{prefix}<path>"
    return None


def _language_of(path: str, urlconf: Any) -> str | None:
    if not _has_language_prefixes(urlconf or settings.ROOT_URLCONF):
        return None
    language: str = translation.get_language_from_path(path) or settings.LANGUAGE_CODE
    return language


def _languages() -> list[str | None]:
    return [code for code, _ in settings.LANGUAGES] if _has_language_prefixes(settings.ROOT_URLCONF) else [None]


def _has_language_prefixes(urlconf: Any) -> bool:
    """Whether a URLconf uses ``i18n_patterns``; the module that defines it is not imported only to ask."""
    i18n = sys.modules.get("django.conf.urls.i18n")
    return i18n is not None and bool(i18n.is_language_prefix_patterns_used(urlconf)[0])


def _in_language(language: str | None) -> AbstractContextManager[Any]:
    return nullcontext() if language is None else translation.override(language)


def _walk(resolver: Any, before: str, namespaces: tuple[str, ...]) -> Iterator[Route]:
    for pattern in resolver.url_patterns:
        # As `URLResolver._join_route` does.
        own = str(pattern.pattern)
        template = before + own.removeprefix("^") if before else own
        if hasattr(pattern, "url_patterns"):
            inner = (*namespaces, pattern.namespace) if pattern.namespace else namespaces
            yield from _walk(pattern, template, inner)
        else:
            url_name = ":".join((*namespaces, pattern.name)) if pattern.name else None
            yield _methods(pattern.callback), template, view_name(pattern.callback), url_name


def _methods(view: Any) -> tuple[str, ...] | None:
    """Methods of a class-based view; a function does not say."""
    view_class = getattr(view, "view_class", None)
    if not isinstance(view_class, type):
        return None
    names = [name for name in getattr(view_class, "http_method_names", ()) if hasattr(view_class, name)]
    if "get" in names and "head" not in names:
        names.append("head")
    return tuple(sorted(name.upper() for name in names)) or None
