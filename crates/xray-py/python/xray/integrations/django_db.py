"""SQL segments for what goes through Django's cursors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xray._traceback import drop_own_frame
from xray._xray import SEGMENT_SQL, enter_segment, enter_sql
from xray.integrations._base import wrap
from xray.integrations._django_version import require_django
from xray.integrations._rows import rows_of
from xray.integrations._segments import trace_calls
from xray.integrations._sql_text import text_of


def trace_cursors() -> None:
    """Wrap ``CursorWrapper``; ``CursorDebugWrapper`` calls it."""
    from django.db.backends.utils import CursorWrapper

    require_django()
    trace_calls(CursorWrapper, "execute", _enter, _rows)
    trace_calls(CursorWrapper, "executemany", _enter, _rows)
    trace_calls(CursorWrapper, "callproc", _enter_procedure)


def trace_sqlite() -> None:
    """Follow the fetching of rows: with SQLite it is then that they are computed."""
    from django.db.backends.sqlite3.base import DatabaseWrapper, SQLiteCursorWrapper

    from xray.integrations.sqlite3 import trace_fetches

    require_django()
    wrap(DatabaseWrapper, "get_connection_params", _of_the_class_in_c)
    trace_fetches(SQLiteCursorWrapper)


def _of_the_class_in_c(original: Callable[..., Any]) -> Callable[..., Any]:
    """Let connections be of ``sqlite3``'s own class: their cursors are followed already, and a subclass would cost."""
    from sqlite3 import dbapi2

    def get_connection_params(self: Any) -> Any:
        try:
            params = original(self)
        except BaseException as error:
            drop_own_frame(error)
            raise
        if isinstance(params, dict):
            params.setdefault("factory", dbapi2.Connection)
        return params

    return get_connection_params


def _enter(cursor: Any, sql: Any, *args: Any, **options: Any) -> bool:
    statement, vendor = text_of(sql), cursor.db.vendor
    if vendor == "sqlite":
        cursor.cursor._xray_statement = statement
    return enter_sql(statement, vendor)


def _enter_procedure(cursor: Any, procname: Any, *args: Any, **options: Any) -> bool:
    return enter_segment(SEGMENT_SQL, f"{text_of(procname)} - CALL")


def _rows(result: Any, cursor: Any, *args: Any, **options: Any) -> tuple[int, str | None]:
    return rows_of(cursor.cursor), None
