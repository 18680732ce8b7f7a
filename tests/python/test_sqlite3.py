"""``sqlite3`` used directly: segments, and what a program can see of them."""

import datetime
import inspect
import sys
import warnings

import pytest
from tracebacks import own_frames


@pytest.fixture
def sqlite3():
    import sqlite3

    import xray

    xray.install()
    return sqlite3


def test_statements_are_segments(sqlite3, trace):
    def work():
        connection = sqlite3.connect(":memory:")
        connection.executescript("CREATE TABLE t (a)")
        connection.executemany("INSERT INTO t VALUES (?)", [(1,), (2,)])
        rows = connection.execute("SELECT a FROM t").fetchall()
        changed = connection.cursor().execute("UPDATE t SET a = ?", (3,)).rowcount
        cursor = connection.cursor()
        cursor.execute("SELECT 'a secret', a FROM t")
        rows += [cursor.fetchone(), *cursor.fetchmany(5), *cursor]
        connection.close()
        return rows, changed

    traced = trace(work)
    assert traced.result == ([(1,), (2,), ("a secret", 3), ("a secret", 3)], 2)
    assert [(node.name, node.calls, node.resumes, node.rows) for node in traced.nodes("sql")] == [
        ("SQL script", 1, 0, 0),
        ("t - INSERT", 1, 0, 2),
        # Fetching rows is going on with the statement.
        ("t - SELECT", 1, 1, 2),
        ("t - UPDATE", 1, 0, 2),
        # One row, the others, and the end.
        ("t - SELECT", 1, 3, 2),
    ]


@pytest.mark.parametrize("traced", [False, True])
def test_an_error_passes_with_its_own_traceback(sqlite3, trace, traced):
    connection = sqlite3.connect(":memory:")
    calls = [
        lambda: connection.execute("SELECT nothing"),
        lambda: connection.cursor().execute("SELECT ?", ()),
        lambda: connection.cursor().execute(3),
        lambda: connection.cursor().execute("\udc80"),
        lambda: connection.executemany("SELECT nothing", []),
        lambda: connection.executescript("nonsense"),
        lambda: sqlite3.connect("/nowhere/at/all"),
        lambda: sqlite3.connect(),
        lambda: connection.cursor(int),
    ]

    def work():
        for call in calls:
            with pytest.raises((sqlite3.Error, TypeError, ValueError)) as raised:
                call()
            assert own_frames(raised.value) == []

    if traced:
        result = trace(work)
        assert result.result is None
        # Nothing of a failed statement stays open.
        assert all(node.name != "own_frames" or "sql" not in kinds(result, node) for node in result.trace.nodes)
    else:
        work()
    connection.close()
    with pytest.raises(sqlite3.ProgrammingError) as raised:
        connection.cursor()
    assert own_frames(raised.value) == []


def test_what_a_program_can_see(sqlite3):
    connection = sqlite3.connect(":memory:")
    cursor = connection.cursor()
    assert isinstance(connection, sqlite3.Connection)
    assert isinstance(cursor, sqlite3.Cursor)
    assert repr(connection).startswith("<sqlite3.Connection object at ")
    assert repr(cursor).startswith("<sqlite3.Cursor object at ")
    assert cursor.connection is connection
    assert cursor.execute("SELECT 1") is cursor
    connection.row_factory = sqlite3.Row
    assert connection.execute("SELECT 1 AS a").fetchone()["a"] == 1
    with pytest.raises(AttributeError):
        connection.not_an_attribute = 1
    with connection:
        connection.execute("SELECT 1")
    connection.close()


def kinds(traced, node):
    """Kinds of the nodes above."""
    found = set()
    while node.parent >= 0:
        node = traced.trace.nodes[node.parent]
        found.add(node.kind)
    return found


def test_a_warning_names_the_line_of_the_program(sqlite3):
    cursor = sqlite3.connect(":memory:").cursor()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cursor.execute("SELECT ?", (datetime.date(2026, 1, 1),))
    # Adapters of dates are deprecated since 3.12.
    assert {warning.filename for warning in caught} <= {__file__}


def test_classes_of_the_program_are_left_alone(sqlite3, trace):
    class Connection(sqlite3.Connection):
        pass

    class Cursor(sqlite3.Cursor):
        pass

    connections = [sqlite3.connect(":memory:", factory=Connection), sqlite3.Connection(":memory:")]
    if sys.version_info < (3, 15):  # later ones take the database only by position
        connections.append(sqlite3.connect(":memory:", 5.0, 0, None, True, Connection))
    for connection in connections:
        assert type(connection) in (Connection, sqlite3.Connection)
        assert type(connection.cursor()) is sqlite3.Cursor
        connection.close()
    connection = sqlite3.connect(":memory:")
    assert type(connection.cursor(Cursor)) is Cursor
    assert type(connection.cursor(factory=Cursor)) is Cursor
    assert trace(lambda: connection.cursor(Cursor).execute("SELECT 1").fetchall()).segments("sql") == []
    connection.close()


def test_connect_looks_as_ever(sqlite3):
    assert sqlite3.connect is sqlite3.dbapi2.connect
    assert sqlite3.connect.__name__ == "connect"
    assert sqlite3.connect.__doc__ == sqlite3.connect.__wrapped__.__doc__
    assert inspect.unwrap(sqlite3.connect) is sqlite3.connect.__wrapped__


def test_installed_before_sqlite3_is_imported(run):
    run("""
        import xray
        xray.install()
        import sqlite3
        assert type(sqlite3.connect(":memory:")) is not sqlite3.Connection
        assert sqlite3.connect is sqlite3.dbapi2.connect
    """)
