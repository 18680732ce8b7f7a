"""Names of Flask's requests: rule, view and endpoint, before and after matching; and the rules there are."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException, MethodNotAllowed

from xray.integrations._inside import Known, application_in
from xray.integrations._views import view_name

if TYPE_CHECKING:
    from xray import _application
    from xray._xray import Transaction

#: More rules than any list that people read.
_MAX_ROUTES = 10_000


def routes(app: Any) -> Iterator[_application.Route]:
    """The rules of an application."""
    for rule in app.url_map.iter_rules():
        methods = tuple(sorted(rule.methods)) if rule.methods else None
        yield methods, rule.rule, _handler(app, rule), rule.endpoint


def resolve_path(app: Any, path: str) -> str | None:
    """The rule of a path in an application."""
    rule = _match(app.url_map.bind("localhost", path_info=path))
    return None if rule is None else str(rule.rule)


def set_early(app: Any, transaction: Transaction, environ: Any) -> None:
    """Name a transaction before the application runs."""
    try:
        rule = _match(_adapter(app, environ))
    except Exception:
        # A converter of the application failed. Flask meets the same and answers for it.
        return
    _set(transaction, app, rule, environ)


def set_matched(transaction: Transaction, context: Any) -> None:
    """Name a transaction by what Flask found for a request context."""
    app, request = context.app, context.request
    rule = request.url_rule
    if rule is None:
        if transaction.named:
            # By the same rules, before anything ran.
            return
        if isinstance(request.routing_exception, MethodNotAllowed):
            rule = _rule_of_other_method(context.url_adapter, request.routing_exception)
    _set(transaction, app, rule, request.environ)


def set_not_found(transaction: Transaction, environ: Any) -> None:
    """All requests that no rule matches share one name: a path never makes one."""
    transaction.set_route(environ.get("REQUEST_METHOD"), None, None, None, _path(environ))


def enter_mount(transaction: Transaction, environ: Any) -> None:
    """The names that follow are below where dispatchers have mounted the application.

    Only what is mounted counts: a prefix that is made of the request, for one customer each, must not make names.
    """
    mounted = [mount for dispatcher in known_dispatchers.alive() for mount in dispatcher.mounts if mount]
    if not mounted:
        return
    script, prefix = environ.get("SCRIPT_NAME", ""), ""
    while mount := next((mount for mount in mounted if script.endswith(mount)), ""):
        script, prefix = script.removesuffix(mount), mount + prefix
    if prefix:
        transaction.mount(prefix, None)


class Flasks(Known):
    """The applications that answer requests in this process, for the agent."""

    def version(self) -> str:
        return f"Flask {version('flask')}"

    def routes(self) -> list[_application.Route]:
        found: list[_application.Route] = []
        for app in self.alive():
            for prefix in _prefixes(app):
                found.extend((methods, prefix + rule, view, name) for methods, rule, view, name in routes(app))
        return found[:_MAX_ROUTES]

    def resolve_path(self, path: str) -> str | None:
        for app in self.alive():
            for prefix in _prefixes(app):
                rule = resolve_path(app, path.removeprefix(prefix)) if path.startswith(prefix) else None
                if rule is not None:
                    return prefix + rule
        return None


known_applications = Flasks()
known_dispatchers = Known()


def _prefixes(app: Any) -> list[str]:
    """Where an application is mounted: at the top unless a dispatcher has it."""
    return [
        mount
        for dispatcher in known_dispatchers.alive()
        for mount, mounted in dispatcher.mounts.items()
        if application_in(mounted, type(app)) is app
    ] or [""]


def _adapter(app: Any, environ: Any) -> Any:
    # As `Flask.create_url_adapter` does.
    server_name = None if app.url_map.host_matching else app.config["SERVER_NAME"]
    subdomain = None
    if not app.url_map.host_matching and not app.subdomain_matching:
        subdomain = app.url_map.default_subdomain or ""
    return app.url_map.bind_to_environ(environ, server_name=server_name, subdomain=subdomain)


def _match(adapter: Any) -> Any:
    """The rule for a request; that of another method where the request's is not allowed; None without one."""
    try:
        return adapter.match(return_rule=True)[0]
    except MethodNotAllowed as error:
        return _rule_of_other_method(adapter, error)
    except HTTPException:
        # Not found, or only with another slash.
        return None


def _rule_of_other_method(adapter: Any, error: MethodNotAllowed) -> Any:
    method = next(iter(error.valid_methods or ()), None)
    try:
        return adapter.match(method=method, return_rule=True)[0] if method else None
    except HTTPException:
        return None


def _set(transaction: Transaction, app: Any, rule: Any, environ: Any) -> None:
    if rule is None:
        set_not_found(transaction, environ)
        return
    transaction.set_route(environ.get("REQUEST_METHOD"), rule.rule, _handler(app, rule), rule.endpoint, _path(environ))


def _handler(app: Any, rule: Any) -> str | None:
    view = app.view_functions.get(rule.endpoint)
    return None if view is None else view_name(view)


def _path(environ: Any) -> str:
    return f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
