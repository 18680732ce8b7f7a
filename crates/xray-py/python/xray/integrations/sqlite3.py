"""SQL segments for programs that use ``sqlite3`` directly.

``sqlite3.Connection`` and ``sqlite3.Cursor`` are types in C that cannot be changed. So ``sqlite3.connect`` makes
connections of a subclass, whose cursors are of a subclass, unless the caller names a factory of its own. What a
program can see: ``type(connection) is sqlite3.Connection`` is false (``isinstance`` is true, ``repr`` is the same).
Classes that a program derives itself, and connections made before xray was installed, are as ever and have no segments.
Django's connections are of the class in C, too: its cursors are its own, and of :mod:`xray.integrations.django_db`.

SQLite computes rows when they are fetched: the statement goes on then, and that is when its rows are known.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from sqlite3 import dbapi2
from typing import Any

from xray._traceback import drop_own_frame
from xray._xray import SEGMENT_SQL, enter_segment, enter_sql
from xray.integrations._base import wrap
from xray.integrations._segments import trace_calls

VENDOR = "sqlite"

#: Where ``factory`` stands among the positional parameters of ``sqlite3.connect``.
_FACTORY_POSITION = 5

_cursor = dbapi2.Connection.cursor


def trace_fetches(cursor: type) -> None:
    """Make the fetching of rows part of the statement that a cursor of this class keeps in ``_xray_statement``."""
    trace_calls(cursor, "fetchone", _go_on, _one)
    trace_calls(cursor, "fetchmany", _go_on, _many)
    trace_calls(cursor, "fetchall", _go_on, _many)
    trace_calls(cursor, "__next__", _go_on, _one)


def _enter(cursor: Any, sql: Any, *args: Any) -> bool:
    # What is no text sqlite3 refuses.
    if not isinstance(sql, str):
        return False
    cursor._xray_statement = sql
    return enter_sql(sql, VENDOR)


def _enter_script(cursor: Any, *args: Any) -> bool:
    return enter_segment(SEGMENT_SQL, "SQL script")


def _go_on(cursor: Any, *args: Any, **options: Any) -> bool:
    statement = getattr(cursor, "_xray_statement", None)
    return statement is not None and enter_sql(statement, VENDOR, True)


def _rows(result: Any, cursor: Any, *args: Any) -> tuple[int, str | None]:
    return cursor.rowcount, None


def _one(row: Any, *args: Any) -> tuple[int, str | None]:
    return int(row is not None), None


def _many(rows: Any, *args: Any, **options: Any) -> tuple[int, str | None]:
    return len(rows), None


class Cursor(dbapi2.Cursor):
    """A cursor whose statements are segments."""

    __slots__ = ("_xray_statement",)


trace_calls(Cursor, "execute", _enter, _rows)
trace_calls(Cursor, "executemany", _enter, _rows)
trace_calls(Cursor, "executescript", _enter_script)
trace_fetches(Cursor)


class Connection(dbapi2.Connection):
    """A connection whose cursors are :class:`Cursor` unless the caller wants another class."""

    __slots__ = ()

    def cursor(self, factory: Any = Cursor) -> Any:
        try:
            return _cursor(self, factory)
        except BaseException as error:
            drop_own_frame(error)
            raise

    # The shortcuts in C make cursors of the class in C.

    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        try:
            return _cursor(self, Cursor).execute(sql, parameters)
        except BaseException as error:
            drop_own_frame(error)
            raise

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Any:
        try:
            return _cursor(self, Cursor).executemany(sql, parameters)
        except BaseException as error:
            drop_own_frame(error)
            raise

    def executescript(self, sql_script: str, /) -> Any:
        try:
            return _cursor(self, Cursor).executescript(sql_script)
        except BaseException as error:
            drop_own_frame(error)
            raise


for _class, _of in (Cursor, dbapi2.Cursor), (Connection, dbapi2.Connection):
    # `repr` and messages of errors name the class.
    _class.__module__, _class.__qualname__ = _of.__module__, _of.__qualname__


def trace_cursors() -> None:
    """Replace ``connect`` in ``sqlite3`` and in ``sqlite3.dbapi2``."""
    original = dbapi2.connect
    wrap(dbapi2, "connect", _connect)
    # While `sqlite3` is being imported it takes the name from `dbapi2` later.
    package = sys.modules["sqlite3"]
    if vars(package).get("connect") is original:
        package.connect = dbapi2.connect  # type: ignore[attr-defined]


def _connect(original: Callable[..., Any]) -> Callable[..., Any]:
    def connect(*args: Any, **kwargs: Any) -> Any:
        if len(args) <= _FACTORY_POSITION and "factory" not in kwargs:
            kwargs["factory"] = Connection
        try:
            return original(*args, **kwargs)
        except BaseException as error:
            drop_own_frame(error)
            raise

    return connect
