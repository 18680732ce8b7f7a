"""``sqlite3`` used directly: segments, and what a program can see of them."""

import inspect
import sys

import pytest
from tracebacks import own_frames


@pytest.fixture
def sqlite3():
    import sqlite3

    import xray

    xray.install()
    return sqlite3


def test_statements_are_segments(sqlite3, recorder):
    recorder.is_tracing = True
    connection = sqlite3.connect(":memory:")
    connection.executescript("CREATE TABLE t (a)")
    connection.executemany("INSERT INTO t VALUES (?)", [(1,), (2,)])
    assert connection.execute("SELECT a FROM t").fetchall() == [(1,), (2,)]
    assert connection.cursor().execute("UPDATE t SET a = ?", (3,)).rowcount == 2
    connection.close()
    assert recorder.segments == [
        "SQL script",
        (-1, False),
        "sqlite: INSERT INTO t VALUES (?)",
        (2, False),
        "sqlite: SELECT a FROM t",
        (-1, False),
        "sqlite: UPDATE t SET a = ?",
        (2, False),
    ]
    assert recorder.open_segments == 0


def test_an_error_passes_with_its_own_traceback(sqlite3, recorder):
    recorder.is_tracing = True
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
    for call in calls:
        with pytest.raises((sqlite3.Error, TypeError, ValueError)) as raised:
            call()
        assert own_frames(raised.value) == []
    assert recorder.open_segments == 0
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


def test_classes_of_the_program_are_left_alone(sqlite3, recorder):
    recorder.is_tracing = True

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
    assert recorder.segments == []
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
