"""SQL segments for psycopg2.

Its connections and cursors are types in C that cannot be changed. So a connection that is made with no class of cursors
gets ours, derived from psycopg2's own: ``connection.cursor_factory`` is then not None, and ``type(cursor)`` is a
subclass (``isinstance`` is true, ``repr`` the same). The cursors of ``psycopg2.extras`` are classes in Python, whose
methods are wrapped. Cursors of classes that a program derives itself from the type in C have no segments of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from psycopg2 import extensions

from xray._traceback import drop_own_frame
from xray._xray import enter_sql
from xray.integrations._base import wrap
from xray.integrations._rows import rows_of
from xray.integrations._segments import trace_calls
from xray.integrations._sql_text import text_of
from xray.integrations._versions import require_version

VENDOR = "postgresql"


class Cursor(extensions.cursor):  # type: ignore[misc]
    """A cursor whose statements are segments."""

    __slots__ = ("_xray_statement",)


for _name in "__module__", "__name__", "__qualname__":
    # `repr` and messages of errors name the class.
    setattr(Cursor, _name, getattr(extensions.cursor, _name))


def trace_connections() -> None:
    """Give connections our cursors."""
    import psycopg2

    require_version("psycopg2", psycopg2.__version__, (2, 9), (2, 9))
    _trace_class(Cursor)
    wrap(psycopg2, "connect", _connect)


def trace_extras() -> None:
    """Wrap the cursors of ``psycopg2.extras``; the plain one below them is not ours."""
    from psycopg2 import extras

    for cursor in extras.DictCursor, extras.RealDictCursor, extras.NamedTupleCursor:
        _trace_class(cursor)


def _trace_class(cursor: type) -> None:
    trace_calls(cursor, "execute", _enter, _rows)
    trace_calls(cursor, "executemany", _enter, _rows)
    trace_calls(cursor, "fetchone", _go_on, _one)
    trace_calls(cursor, "fetchmany", _go_on, _many)
    trace_calls(cursor, "fetchall", _go_on, _many)


def _connect(original: Callable[..., Any]) -> Callable[..., Any]:
    def connect(*args: Any, **kwargs: Any) -> Any:
        try:
            connection = original(*args, **kwargs)
        except BaseException as error:
            drop_own_frame(error)
            raise
        if isinstance(connection, extensions.connection) and connection.cursor_factory is None:
            connection.cursor_factory = Cursor
        return connection

    return connect


def _enter(cursor: Any, query: Any, *args: Any, **options: Any) -> bool:
    statement = text_of(query)
    if cursor.name is not None:
        cursor._xray_statement = statement
    return enter_sql(statement, VENDOR)


def _go_on(cursor: Any, *args: Any, **options: Any) -> bool:
    """Rows of a cursor on the server; others are there when the statement has ended."""
    return cursor.name is not None and enter_sql(cursor._xray_statement, VENDOR, True)


def _rows(result: Any, cursor: Any, *args: Any, **options: Any) -> tuple[int, str | None]:
    return rows_of(cursor), None


def _one(row: Any, *args: Any, **options: Any) -> tuple[int, str | None]:
    return int(row is not None), None


def _many(rows: Any, *args: Any, **options: Any) -> tuple[int, str | None]:
    return len(rows), None
