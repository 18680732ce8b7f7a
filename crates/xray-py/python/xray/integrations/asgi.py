"""Any ASGI application: ``application = xray.asgi(application)``.

A request's transaction ends when the last part of its response was sent (while nothing records: was given to the
server): what an application does afterwards, its client does not wait for. A websocket's ends when the application is
done with it. Either ends with the application's call at the latest, however that ends.
"""

from __future__ import annotations

from xray._traceback import drop_own_frame
from xray._xray import begin_answer
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
        answer = begin_answer(self._xray_inside, scope, send, self._xray_name_early, self._xray_name_last)
        if answer is None:
            try:
                return await self.__wrapped__(scope, receive, send)
            except BaseException as error:
                drop_own_frame(error)
                raise
        if not self._xray_named_inside:
            answer.transaction.set_name(self._xray_name)
        try:
            return await self.__wrapped__(scope, receive, answer.send)
        except BaseException as error:
            answer.end_with(error)
            drop_own_frame(error)
            raise
        finally:
            answer.end()

    def _xray_find(self, app: Any) -> tuple[Any, Name, Name]:
        for application, name_early, name_last in _frameworks:
            inside = application_in(app, application)
            if inside is not None:
                return inside, name_early, name_last
        return self, _no_name, _name_of_application


def _no_name(app: Any, transaction: Transaction, scope: Scope) -> None:
    """What names a request inside is not known."""


def _name_of_application(app: ASGIApplication, transaction: Transaction, scope: Scope) -> None:
    transaction.set_name(app._xray_name)
    # Nothing inside names it: from now on the name is there before the application runs.
    app._xray_named_inside = False
