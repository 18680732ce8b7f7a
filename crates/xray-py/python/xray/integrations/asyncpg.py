"""SQL segments for asyncpg: statements, prepared statements, cursors and copies."""

from __future__ import annotations

from typing import Any

from xray._xray import SEGMENT_SQL, enter_segment, enter_sql
from xray.integrations._segments import trace_calls
from xray.integrations._versions import require_version

VENDOR = "postgresql"


def trace_connections() -> None:
    """Wrap the coroutines that talk to the server, before a pool makes its proxies of them."""
    from asyncpg.connection import Connection
    from asyncpg.cursor import BaseCursor
    from asyncpg.prepared_stmt import PreparedStatement

    require_version("asyncpg", _version(), (0, 30), (0, 32))
    for owner, enter in (Connection, _enter), (PreparedStatement, _enter_prepared):
        # Those of a statement are coroutine functions behind a check of the connection.
        trace_calls(owner, "fetch", enter, _rows, in_steps=True)
        trace_calls(owner, "fetchval", enter, _row, in_steps=True)
        trace_calls(owner, "fetchrow", enter, _row, in_steps=True)
        trace_calls(owner, "fetchmany", enter, _rows, in_steps=True)
        trace_calls(owner, "executemany", enter, in_steps=True)
    trace_calls(Connection, "execute", _enter, _status)
    trace_calls(Connection, "copy_from_query", _enter, _status)
    trace_calls(Connection, "copy_from_table", _enter_copy, _status)
    trace_calls(Connection, "copy_to_table", _enter_copy, _status)
    trace_calls(Connection, "copy_records_to_table", _enter_copy, _status)
    # The first portion of a cursor's rows is the statement; with the next ones it goes on.
    trace_calls(BaseCursor, "_bind_exec", _enter_prepared, _rows)
    trace_calls(BaseCursor, "_bind", _enter_prepared)
    trace_calls(BaseCursor, "_exec", _go_on, _rows)


def _version() -> str | None:
    """The package is being imported and does not say it yet."""
    try:
        from asyncpg._version import __version__
    except ImportError:
        return None
    return __version__  # type: ignore[no-any-return]


def _enter(connection: Any, query: str, *args: Any, **options: Any) -> bool:
    return enter_sql(query, VENDOR)


def _enter_prepared(statement: Any, *args: Any, **options: Any) -> bool:
    return enter_sql(statement._query, VENDOR)


def _go_on(cursor: Any, *args: Any, **options: Any) -> bool:
    return enter_sql(cursor._query, VENDOR, True)


def _enter_copy(connection: Any, table_name: str, **options: Any) -> bool:
    return enter_segment(SEGMENT_SQL, f"{table_name} - COPY")


def _rows(rows: Any, *args: Any, **options: Any) -> tuple[int, str | None]:
    return len(rows), None


def _row(row: Any, *args: Any, **options: Any) -> tuple[int, str | None]:
    return int(row is not None), None


def _status(status: Any, *args: Any, **options: Any) -> tuple[int, str | None]:
    """``UPDATE 5``, ``INSERT 0 5``"""
    count = status.rpartition(" ")[2]
    return int(count) if count.isdecimal() else -1, None
