"""Any WSGI application: ``application = xray.wsgi(application)``."""

from __future__ import annotations

from xray._traceback import drop_own_frame, error_name
from xray._xray import begin_request, method_name
from xray.integrations._base import fail
from xray.integrations._inside import is_named_inside, name_of

TYPE_CHECKING = False  # as `typing` has it, which takes longer to import than all of this
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from xray._xray import Transaction

#: Set on classes whose code is not Python's own static C code.
_HEAP_TYPE = 1 << 9
_Generator = type(_ for _ in ())
#: Classes whose calls begin transactions.
_beginning: list[type] = []


def wsgi(app: Callable[..., Any], name: str | None = None) -> Callable[..., Any]:
    """Make each request to a WSGI application a transaction.

    The result behaves like ``app`` and has its attributes. Inside another application that has begun a transaction
    it does nothing. Bodies that are lists and ``wsgi.file_wrapper`` objects are passed on as they are.

    :param app: the application.
    :param name: name of its transactions, by default the application's ``module:name``; Django inside it, and
        :func:`xray.set_transaction_name`, give better ones.
    """
    from xray._install import install

    install()
    return WSGIApplication(app, name or name_of(app))


def served(server: Any, app: Any, name: str | None = None) -> Any:
    """The application as ``server`` shall call it: wrapped once, or as it is where its class begins transactions."""
    if isinstance(app, tuple(_beginning)):
        return app
    known = vars(server).get("_xray_app")
    if known is None or known.__wrapped__ is not app:
        known = vars(server)["_xray_app"] = wsgi(app, name)
    return known


def register(application: type) -> None:
    """Make known a class of applications whose calls begin transactions."""
    _beginning.append(application)


class WSGIApplication:
    """An application whose requests are transactions."""

    def __init__(self, app: Callable[..., Any], name: str) -> None:
        self.__wrapped__ = app
        self._xray_name = name
        # A name decides whether a request is traced, so it is given before the application runs, except where the
        # application does that itself. Known after the first request; until then a framework is taken to be inside.
        self._xray_named_inside = is_named_inside()

    def __getattr__(self, name: str) -> Any:
        if name == "__wrapped__":
            raise AttributeError(name)
        return getattr(self.__wrapped__, name)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        transaction = begin_request()
        if transaction is None:
            try:
                return self.__wrapped__(environ, start_response)
            except BaseException as error:
                drop_own_frame(error)
                raise
        transaction.set_attribute("method", method_name(environ.get("REQUEST_METHOD")))
        transaction.set_attribute("path", f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}")
        if not self._xray_named_inside:
            transaction.set_name(self._xray_name)
        try:
            body = self.__wrapped__(environ, StartResponse(transaction, start_response))
        except BaseException as error:
            fail(transaction, error)
            if not transaction.named:
                transaction.set_name(self._xray_name)
            transaction.end()
            drop_own_frame(error)
            raise
        transaction.returned()
        if self._xray_named_inside and not transaction.named:
            transaction.set_name(self._xray_name)
            self._xray_named_inside = False
        return watched(body, environ, transaction)


class StartResponse:
    """The server's ``start_response``; notes the status."""

    __slots__ = ("_start_response", "_transaction")

    def __init__(self, transaction: Transaction, start_response: Callable[..., Any]) -> None:
        self._transaction = transaction
        self._start_response = start_response

    def __call__(self, status: str, headers: Any, *exc_info: Any, **named: Any) -> Any:
        try:
            if isinstance(status, str) and status[:3].isdecimal():
                self._transaction.set_status(int(status[:3]))
            raised = exc_info[0] if exc_info else named.get("exc_info")
            if raised and raised[0] is not None:
                self._transaction.set_error(error_name(raised[0]))
        except Exception:
            # Not what PEP 3333 says: the server will tell the application.
            pass
        try:
            return self._start_response(status, headers, *exc_info, **named)
        except BaseException as error:
            drop_own_frame(error)
            raise


def watched(body: Any, environ: dict[str, Any], transaction: Transaction) -> Any:
    """The body such that the transaction ends with it; as it is where the server must see its type."""
    if isinstance(body, list | tuple | bytes | str):
        transaction.end()
        return body
    file_wrapper = environ.get("wsgi.file_wrapper")
    if isinstance(file_wrapper, type):
        is_file = isinstance(body, file_wrapper)
    else:
        # A function of the server that makes objects of the server, in C.
        is_file = file_wrapper is not None and not (type(body).__flags__ & _HEAP_TYPE or isinstance(body, _Generator))
    if not is_file:
        return _Body(body, transaction)
    if not _end_with_close(body, transaction):
        transaction.end()
    return body


def _end_with_close(file: Any, transaction: Transaction) -> bool:
    close = getattr(file, "close", None)
    if close is None:
        return False

    def close_and_end() -> None:
        try:
            close()
        finally:
            transaction.end()

    try:
        file.close = close_and_end
    except (AttributeError, TypeError):
        return False
    return True


class _Body:
    """A body that is made while it is sent: the transaction ends when it is closed, or dropped."""

    __slots__ = ("_body", "_exhausted", "_next", "_transaction")

    def __init__(self, body: Any, transaction: Transaction) -> None:
        self._body = body
        self._transaction = transaction
        self._next: Callable[[], Any] | None = None
        self._exhausted = False

    def __del__(self) -> None:
        # Some servers send a body to its end and do not close it.
        if self._exhausted:
            self._transaction.end()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            if self._next is None:
                self._next = iter(self._body).__next__
            return self._next()
        except StopIteration as end:
            self._exhausted = True
            if getattr(self._body, "close", None) is None:
                self._transaction.end()
            drop_own_frame(end)
            raise
        except BaseException as error:
            fail(self._transaction, error)
            drop_own_frame(error)
            raise

    def close(self) -> None:
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        except BaseException as error:
            fail(self._transaction, error)
            drop_own_frame(error)
            raise
        finally:
            self._transaction.end()
