"""SQL segments for what goes through SQLAlchemy, whatever driver is below.

Where SQLAlchemy adapts a driver for event loops, the call below here returns to the loop in the middle: there the
segments are those of the driver, which has its own integration.
"""

from __future__ import annotations

from typing import Any

from xray._xray import enter_sql
from xray.integrations._rows import rows_of
from xray.integrations._segments import trace_calls
from xray.integrations._versions import require_version


def trace_statements() -> None:
    """Wrap the dialects' calls of the cursor."""
    import sqlalchemy
    from sqlalchemy.engine.default import DefaultDialect

    require_version("SQLAlchemy", sqlalchemy.__version__, (1, 4), (2, 1))
    for name in "do_execute", "do_execute_no_params", "do_executemany":
        trace_calls(DefaultDialect, name, _enter, _rows)


def trace_dialect(module: str, dialect: str) -> None:
    """Wrap what a dialect has instead of the default."""
    import sys

    trace_calls(getattr(sys.modules[module], dialect), "do_executemany", _enter, _rows)


def trace_psycopg2() -> None:
    """The dialect for psycopg2."""
    trace_dialect("sqlalchemy.dialects.postgresql.psycopg2", "PGDialect_psycopg2")


def trace_mysqldb() -> None:
    """The dialect for mysqlclient, which that for PyMySQL is derived from."""
    trace_dialect("sqlalchemy.dialects.mysql.mysqldb", "MySQLDialect_mysqldb")


def _enter(dialect: Any, cursor: Any, statement: Any, *args: Any, **options: Any) -> bool:
    if dialect.is_async:
        return False
    return enter_sql(statement, dialect.name)


def _rows(result: Any, dialect: Any, cursor: Any, *args: Any, **options: Any) -> tuple[int, str | None]:
    return rows_of(cursor), None
