"""SQL segments for programs that use ``sqlite3`` directly.

``sqlite3.Connection`` and ``sqlite3.Cursor`` are types in C that cannot be changed. So ``sqlite3.connect`` makes
connections of a subclass, whose cursors are of a subclass, unless the caller names a factory of its own. What a
program can see: ``type(connection) is sqlite3.Connection`` is false (``isinstance`` is true, ``repr`` is the same), and
a warning that a statement causes names the line in this file. Classes that a program derives itself, and connections
made before xray was installed, are as ever and have no segments. Django's connections are of the subclass; its cursors
are its own class and have the segments of :mod:`xray.integrations.django_db` only.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from sqlite3 import dbapi2
from typing import Any

from xray._traceback import drop_own_frame
from xray._xray import SEGMENT_SQL, enter_segment, enter_sql, leave_segment, tracing
from xray.integrations._base import wrap

#: Where ``factory`` stands among the positional parameters of ``sqlite3.connect``.
_FACTORY_POSITION = 5

_execute = dbapi2.Cursor.execute
_executemany = dbapi2.Cursor.executemany
_executescript = dbapi2.Cursor.executescript
_cursor = dbapi2.Connection.cursor


def _enter(sql: object) -> bool:
    try:
        return isinstance(sql, str) and enter_sql(sql, "sqlite")
    except Exception:
        # A text that is no Unicode: sqlite3 refuses it as well.
        return False


class Cursor(dbapi2.Cursor):
    """A cursor whose statements are segments."""

    __slots__ = ()

    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        traced = tracing() and _enter(sql)
        try:
            result = _execute(self, sql, parameters)
        except BaseException as error:
            if traced:
                leave_segment(-1, True)
            drop_own_frame(error)
            raise
        if traced:
            leave_segment(self.rowcount, False)
        return result

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Any:
        traced = tracing() and _enter(sql)
        try:
            result = _executemany(self, sql, parameters)
        except BaseException as error:
            if traced:
                leave_segment(-1, True)
            drop_own_frame(error)
            raise
        if traced:
            leave_segment(self.rowcount, False)
        return result

    def executescript(self, sql_script: str, /) -> Any:
        traced = tracing() and enter_segment(SEGMENT_SQL, "SQL script")
        try:
            result = _executescript(self, sql_script)
        except BaseException as error:
            if traced:
                leave_segment(-1, True)
            drop_own_frame(error)
            raise
        if traced:
            leave_segment(-1, False)
        return result


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
