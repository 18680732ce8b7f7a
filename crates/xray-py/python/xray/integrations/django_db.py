"""SQL segments for what goes through Django's cursors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xray._traceback import drop_own_frame
from xray._xray import SEGMENT_SQL, enter_segment, enter_sql, leave_segment, tracing
from xray.integrations._base import wrap
from xray.integrations._django_version import require_django
from xray.integrations._rows import rows_of


def trace_cursors() -> None:
    """Wrap ``CursorWrapper``; ``CursorDebugWrapper`` calls it."""
    from django.db.backends.utils import CursorWrapper

    require_django()
    wrap(CursorWrapper, "execute", _execute)
    wrap(CursorWrapper, "executemany", _executemany)
    wrap(CursorWrapper, "callproc", _callproc)


def _enter(cursor: Any, sql: Any) -> bool:
    try:
        if isinstance(sql, str):
            return enter_sql(sql, cursor.db.vendor)
        # An object of the driver that composes its text: making the text would run the driver's code.
        return enter_segment(SEGMENT_SQL, "SQL")
    except Exception:
        # A text that is no Unicode.
        return False


def _execute(original: Callable[..., Any]) -> Callable[..., Any]:
    def execute(self: Any, sql: Any, params: Any = None) -> Any:
        traced = tracing() and _enter(self, sql)
        try:
            result = original(self, sql, params)
        except BaseException as error:
            if traced:
                leave_segment(-1, True)
            drop_own_frame(error)
            raise
        if traced:
            leave_segment(rows_of(self.cursor), False)
        return result

    return execute


def _executemany(original: Callable[..., Any]) -> Callable[..., Any]:
    def executemany(self: Any, sql: Any, param_list: Any) -> Any:
        traced = tracing() and _enter(self, sql)
        try:
            result = original(self, sql, param_list)
        except BaseException as error:
            if traced:
                leave_segment(-1, True)
            drop_own_frame(error)
            raise
        if traced:
            leave_segment(rows_of(self.cursor), False)
        return result

    return executemany


def _callproc(original: Callable[..., Any]) -> Callable[..., Any]:
    def callproc(self: Any, procname: Any, params: Any = None, kparams: Any = None) -> Any:
        traced = tracing() and isinstance(procname, str) and enter_segment(SEGMENT_SQL, f"{procname} - CALL")
        try:
            result = original(self, procname, params, kparams)
        except BaseException as error:
            if traced:
                leave_segment(-1, True)
            drop_own_frame(error)
            raise
        if traced:
            leave_segment(-1, False)
        return result

    return callproc
