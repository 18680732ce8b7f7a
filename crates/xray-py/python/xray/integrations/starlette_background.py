"""Starlette's and FastAPI's background tasks: each is a background transaction of its own, named by its function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xray._traceback import drop_own_frame
from xray._xray import BACKGROUND, begin
from xray.integrations._base import fail, wrap
from xray.integrations._starlette_version import require_starlette
from xray.integrations._views import view_name


def begin_in_tasks() -> None:
    """Begin transactions in ``BackgroundTask.__call__``, which every task of a list goes through."""
    from starlette.background import BackgroundTask

    require_starlette()
    wrap(BackgroundTask, "__call__", _call)


def _call(original: Callable[..., Any]) -> Callable[..., Any]:
    async def __call__(self: Any) -> Any:
        transaction = begin(BACKGROUND, True)
        if transaction is None:
            try:
                return await original(self)
            except BaseException as error:
                drop_own_frame(error)
                raise
        try:
            transaction.set_name(view_name(self.func))
            return await original(self)
        except BaseException as error:
            fail(transaction, error)
            drop_own_frame(error)
            raise
        finally:
            transaction.end()

    return __call__
