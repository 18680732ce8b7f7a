"""Transactions that the application marks itself."""

from __future__ import annotations

from contextvars import ContextVar

from xray import _xray
from xray._install import install
from xray._traceback import drop_own_frame, error_name
from xray._xray import begin, current

TYPE_CHECKING = False  # as `typing` has it, which takes longer to import than all of this
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])

_KINDS = {"web": _xray.WEB, "background": _xray.BACKGROUND, "other": _xray.OTHER}


def set_transaction_name(name: str) -> None:
    """Name the transaction that runs now; does nothing outside of one."""
    transaction = current()
    if transaction is not None:
        transaction.set_name(name, True)


class _Open:
    """One entered marker of the current context, and those around it."""

    __slots__ = ("marker", "outer", "transaction")

    def __init__(self, marker: tuple[str, int], transaction: _xray.Transaction | None, outer: _Open | None) -> None:
        self.marker = marker
        self.transaction = transaction
        self.outer = outer


_open: ContextVar[_Open | None] = ContextVar("xray_open_transactions", default=None)


class transaction:
    """Mark a block or a function as one transaction.

    As a context manager, or as a decorator of functions and coroutine functions, whose name and signature stay:

        with xray.transaction("nightly import", kind="background"):
            ...

        @xray.transaction("send mail", kind="background")
        def send_mail(address): ...

    One object may be used any number of times, by several threads and inside itself: a marker within a running
    transaction of its own name (recursion) begins nothing.

    :param name: what ``--transaction`` takes.
    :param kind: ``web``, ``background`` or ``other``.
    :raises ValueError: the kind is none of these.
    :raises TypeError: the name is not a string.
    """

    __slots__ = ("_kind", "_name")

    def __init__(self, name: str, kind: str = "other") -> None:
        if not isinstance(name, str):
            raise TypeError('xray.transaction needs a name: @xray.transaction("name")')
        if kind not in _KINDS:
            raise ValueError(f"kind is {kind!r}; use one of {', '.join(map(repr, _KINDS))}")
        self._name = name
        self._kind = _KINDS[kind]
        install()

    def __enter__(self) -> transaction:
        marker = (self._name, self._kind)
        outer = _open.get()
        begun = None if _is_running(marker, outer) else begin(self._kind)
        if begun is not None:
            begun.set_name(self._name)
        _open.set(_Open(marker, begun, outer))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        entered = _open.get()
        if entered is None or entered.marker != (self._name, self._kind):
            # Left in another context than entered; the transaction ends when it is dropped.
            return
        _open.set(entered.outer)
        if entered.transaction is not None:
            if kind is not None and _is_failure(error):
                entered.transaction.set_error(error_name(kind))
            entered.transaction.end()

    def __call__(self, function: F) -> F:
        if isinstance(function, staticmethod | classmethod):
            return type(function)(self(function.__func__))
        import functools
        import inspect

        if isinstance(function, type) or not callable(function):
            raise TypeError(f"xray.transaction marks functions, not {function!r}")
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"xray.transaction cannot mark {function!r}: a generator runs in pieces between its "
                "consumer's code; mark the code that consumes it"
            )
        marked = self._coroutine(function) if inspect.iscoroutinefunction(function) else self._function(function)
        return functools.update_wrapper(marked, function)  # type: ignore[return-value]

    def _function(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def marked(*args: Any, **kwargs: Any) -> Any:
            try:
                with self:
                    return function(*args, **kwargs)
            except BaseException as error:
                drop_own_frame(error)
                raise

        return marked

    def _coroutine(self, function: Callable[..., Any]) -> Callable[..., Any]:
        async def marked(*args: Any, **kwargs: Any) -> Any:
            try:
                with self:
                    return await function(*args, **kwargs)
            except BaseException as error:
                drop_own_frame(error)
                raise

        return marked


def _is_running(marker: tuple[str, int], entered: _Open | None) -> bool:
    while entered is not None:
        if entered.marker == marker and entered.transaction is not None and not entered.transaction.ended:
            return True
        entered = entered.outer
    return False


def _is_failure(error: BaseException | None) -> bool:
    """A program that ends as planned did not fail."""
    if isinstance(error, SystemExit):
        return error.code not in (None, 0)
    return not isinstance(error, GeneratorExit)
