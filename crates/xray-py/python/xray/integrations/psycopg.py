"""SQL segments for psycopg 3, on threads and on event loops.

A cursor on the client's side has all rows when ``execute`` returns. One on the server's side asks for them as they are
fetched: the statement goes on then.
"""

from __future__ import annotations

from typing import Any

from xray._xray import enter_sql
from xray.integrations._rows import rows_of
from xray.integrations._segments import trace_calls
from xray.integrations._sql_text import text_of
from xray.integrations._versions import require_version

VENDOR = "postgresql"


def trace_cursors() -> None:
    """Wrap the cursors' methods that talk to the server."""
    import psycopg

    require_version("psycopg", psycopg.__version__, (3, 1), (3, 3))
    for cursor in psycopg.Cursor, psycopg.AsyncCursor:
        trace_calls(cursor, "execute", _enter, _rows)
        trace_calls(cursor, "executemany", _enter, _rows)
        trace_calls(cursor, "stream", _enter)
    for cursor in psycopg.ServerCursor, psycopg.AsyncServerCursor:
        trace_calls(cursor, "execute", _enter)
        trace_calls(cursor, "fetchone", _go_on, _one)
        trace_calls(cursor, "fetchmany", _go_on, _many)
        trace_calls(cursor, "fetchall", _go_on, _many)


def _enter(cursor: Any, query: Any, *args: Any, **options: Any) -> bool:
    return enter_sql(text_of(query), VENDOR)


def _go_on(cursor: Any, *args: Any, **options: Any) -> bool:
    # ``DECLARE "name" CURSOR FOR SELECT ...``
    declared = text_of(cursor._query.query)
    return enter_sql(declared.partition(" FOR ")[2] or declared, VENDOR, True)


def _rows(result: Any, cursor: Any, *args: Any, **options: Any) -> tuple[int, str | None]:
    return rows_of(cursor), None


def _one(row: Any, *args: Any, **options: Any) -> tuple[int, str | None]:
    return int(row is not None), None


def _many(rows: Any, *args: Any, **options: Any) -> tuple[int, str | None]:
    return len(rows), None
