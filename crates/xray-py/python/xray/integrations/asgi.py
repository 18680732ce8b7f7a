"""Any ASGI application: ``application = xray.asgi(application)``.

A request's transaction ends when the last part of its response was sent: what an application does afterwards, its
client does not wait for. A websocket's ends when the application is done with it. Either ends with the application's
call at the latest, however that ends.
"""

from __future__ import annotations

import sys
from functools import partial

from xray._traceback import drop_own_frame, error_name
from xray._xray import begin_request, method_name, recording
from xray.integrations._base import fail
from xray.integrations._inside import application_in, is_named_inside, name_of

TYPE_CHECKING = False  # as `typing` has it, which takes longer to import than all of this
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping
    from typing import Any

    from xray._xray import Transaction

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Any]]
    Send = Callable[[Any], Awaitable[Any]]
    #: Gives a name to a request of an application: (application, transaction, scope).
    Name = Callable[[Any, Transaction, Scope], None]

#: The names of frameworks: class of an application, name before it runs, name of a request that it left unnamed.
_frameworks: list[tuple[type, Name, Name]] = []
#: Classes whose calls begin transactions.
_beginning: list[type] = []


def asgi(app: Callable[..., Any], name: str | None = None) -> Callable[..., Any]:
    """Make each request and each websocket of an ASGI application a transaction.

    The result behaves like ``app`` and has its attributes. Inside another application that has begun the transaction
    of the same request it does nothing.

    :param app: the application.
    :param name: name of its transactions, by default the application's ``module:name``; a framework inside it, and
        :func:`xray.set_transaction_name`, give better ones.
    """
    from xray._install import install

    install()
    return ASGIApplication(app, name or name_of(app))


def served(app: Any, name: str | None = None) -> Any:
    """The application as a server shall call it: as it is where the class of a framework begins transactions."""
    return app if isinstance(app, (ASGIApplication, *_beginning)) else asgi(app, name)


def register(application: type, name_early: Name, name_last: Name, *, begins: bool) -> None:
    """Make the names of a framework known, and whether the calls of its ``application`` begin transactions."""
    _frameworks.append((application, name_early, name_last))
    if begins:
        _beginning.append(application)


class ASGIApplication:
    """An application whose requests are transactions."""

    def __init__(self, app: Callable[..., Any], name: str) -> None:
        self.__wrapped__ = app
        self._xray_name = name
        # As in the wrapper of WSGI applications.
        self._xray_named_inside = is_named_inside()
        self._xray_inside, self._xray_name_early, self._xray_name_last = self._xray_find(app)

    def __getattr__(self, name: str) -> Any:
        if name == "__wrapped__":
            raise AttributeError(name)
        return getattr(self.__wrapped__, name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        transaction = begin_answer(scope)
        if transaction is None:
            try:
                return await self.__wrapped__(scope, receive, send)
            except BaseException as error:
                drop_own_frame(error)
                raise
        if not self._xray_named_inside:
            transaction.set_name(self._xray_name)
        elif recording():
            self._xray_name_early(self._xray_inside, transaction, scope)
        try:
            return await self.__wrapped__(
                scope, receive, watched(send, transaction, scope, self._xray_name_last, self._xray_inside)
            )
        except BaseException as error:
            end_with(error, transaction, scope, self._xray_name_last, self._xray_inside)
            drop_own_frame(error)
            raise
        finally:
            if not transaction.ended:
                end(transaction, scope, self._xray_name_last, self._xray_inside)

    def _xray_find(self, app: Any) -> tuple[Any, Name, Name]:
        for application, name_early, name_last in _frameworks:
            inside = application_in(app, application)
            if inside is not None:
                return inside, name_early, name_last
        return self, _no_name, _name_of_application


def begin_answer(scope: Scope) -> Transaction | None:
    """Begin the transaction of a request or websocket; None inside one, and for what is neither."""
    kind = scope["type"]
    if kind != "http" and kind != "websocket":
        return None
    # What tells one request from another: servers make this entry of a scope anew for each request, and whoever copies
    # the scope on its way copies the reference.
    transaction = begin_request(scope.get("asgi"))
    if transaction is not None and recording():
        if kind == "http":
            transaction.set_attribute("method", method_name(scope["method"]))
        transaction.set_attribute("path", scope["path"])
    return transaction


def watched(send: Send, transaction: Transaction, scope: Scope, name_last: Name, app: Any) -> Send:
    """The server's ``send``; notes the status, and ends the transaction of a request with the response."""
    if scope["type"] == "websocket":
        return _watched_websocket(send, transaction)

    return partial(_send_watched, send, transaction, scope, name_last, app)


def _send_watched(
    send: Send, transaction: Transaction, scope: Scope, name_last: Name, app: Any, message: Any
) -> Awaitable[Any]:
    try:
        kind = message["type"]
        if kind == "http.response.body":
            if not message.get("more_body"):
                return _send_last(message, send, transaction, scope, name_last, app)
        elif kind == "http.response.start":
            status = message["status"]
            transaction.set_status(status)
            if status >= 500:
                _note_handled(transaction)
    except Exception:
        # Not what ASGI says: the server will tell the application.
        pass
    return send(message)


async def _send_last(
    message: Any, send: Send, transaction: Transaction, scope: Scope, name_last: Name, app: Any
) -> Any:
    try:
        return await send(message)
    except BaseException as error:
        end_with(error, transaction, scope, name_last, app)
        drop_own_frame(error)
        raise
    finally:
        end(transaction, scope, name_last, app)


def end_with(error: BaseException, transaction: Transaction, scope: Scope, name_last: Name, app: Any) -> None:
    """End a transaction by the exception that ended the application's call."""
    if transaction.ended:
        return
    if isinstance(error, GeneratorExit):
        # Nobody awaits the application any more, since nobody knows when.
        transaction.abandon()
        return
    fail(transaction, error)
    end(transaction, scope, name_last, app)


def end(transaction: Transaction, scope: Scope, name_last: Name, app: Any) -> None:
    """End a transaction, named for certain."""
    if transaction.ended:
        return
    if not transaction.named:
        name_last(app, transaction, scope)
    transaction.end()


def _watched_websocket(send: Send, transaction: Transaction) -> Send:
    accepted = False

    def send_watched(message: Any) -> Awaitable[Any]:
        nonlocal accepted
        try:
            kind = message["type"]
            if kind == "websocket.accept":
                accepted = True
                transaction.set_status(101)
            elif kind == "websocket.close" and not accepted:
                transaction.set_status(403)
            elif kind == "websocket.http.response.start":
                transaction.set_status(message["status"])
                if message["status"] >= 500:
                    _note_handled(transaction)
        except Exception:
            # As above.
            pass
        return send(message)

    return send_watched


def _note_handled(transaction: Transaction) -> None:
    """Note what a framework answers for where it handles it; it may raise it again, but the answer is the end."""
    handled = sys.exc_info()[0]
    if handled is not None:
        transaction.set_error(error_name(handled))


def _no_name(app: Any, transaction: Transaction, scope: Scope) -> None:
    """What names a request inside is not known."""


def _name_of_application(app: ASGIApplication, transaction: Transaction, scope: Scope) -> None:
    transaction.set_name(app._xray_name)
    # Nothing inside names it: from now on the name is there before the application runs.
    app._xray_named_inside = False
