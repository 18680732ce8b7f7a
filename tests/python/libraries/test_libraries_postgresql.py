"""psycopg 3, psycopg2, asyncpg and SQLAlchemy on them: one segment for a statement, whatever layers it goes through."""

import asyncio
import contextlib

import asyncpg
import psycopg
import psycopg2
import psycopg2.extras
import psycopg2.sql
import pytest
import sqlalchemy
import sqlalchemy.ext.asyncio
from psycopg import sql
from tracebacks import own_frames

import xray

SECRET = "a secret"


@pytest.fixture(scope="module", autouse=True)
def table(postgresql):
    with psycopg.connect(postgresql.dsn, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS post")
        connection.execute("CREATE TABLE post (id int, title text)")
        connection.execute("INSERT INTO post SELECT n, 'title ' || n FROM generate_series(1, 10) AS n")


def statements(traced):
    """``(name, calls, rows, errors)``"""
    return [(node.name, node.calls, node.rows, node.errors) for node in traced.nodes("sql")]


def hides_secrets(traced):
    return not any(SECRET in node.name or SECRET in (node.detail or "") for node in traced.nodes("sql"))


class Psycopg:
    """psycopg 3."""

    def __init__(self, server):
        self.connection = psycopg.connect(server.dsn)

    def cursor(self, name=None):
        return self.connection.cursor(name) if name else self.connection.cursor()


class Psycopg2:
    """psycopg2."""

    options = {}

    def __init__(self, server):
        self.connection = psycopg2.connect(server.dsn, **self.options)

    def cursor(self, name=None):
        return self.connection.cursor(name)


class Psycopg2WithDictionaries(Psycopg2):
    """A class of cursors in Python."""

    options = {"cursor_factory": psycopg2.extras.RealDictCursor}


@pytest.fixture(params=[Psycopg, Psycopg2, Psycopg2WithDictionaries])
def driver(request, postgresql, trace):
    made = request.param(postgresql)
    with contextlib.closing(made.connection):
        yield made


def test_statements(trace, driver):
    def work():
        with driver.cursor() as cursor:
            cursor.execute("SELECT id, title FROM post WHERE title <> %s ORDER BY id", (SECRET,))
            rows = cursor.fetchall()
            cursor.execute("UPDATE post SET title = title WHERE id <= 3 OR title = 'a secret'")
            cursor.executemany("UPDATE post SET id = id WHERE id = %s", [(1,), (2,)])
            return rows

    traced = trace(work)
    assert len(traced.result) == 10 and "title 1" in str(traced.result[0])
    counted = statements(traced)
    assert counted[0] == ("post - SELECT", 1, 10, 0)
    assert sum(calls for _, calls, _, _ in counted[1:]) == 2
    assert {name for name, *_ in counted[1:]} == {"post - UPDATE"}
    assert hides_secrets(traced)
    select = traced.nodes("sql")[0]
    assert select.file == __file__ and select.total_ns > 0


def test_an_error_passes_through(trace, driver):
    def work():
        with driver.cursor() as cursor:
            cursor.execute("SELECT nothing FROM post")

    traced = trace(work)
    assert type(traced.result).__name__ == "UndefinedColumn"
    assert own_frames(traced.result) == []
    assert statements(traced) == [("post - SELECT", 1, 0, 1)]


def test_a_cursor_on_the_server_goes_on_with_its_statement(trace, driver):
    def work():
        with driver.cursor("name") as cursor:
            cursor.execute("SELECT id FROM post ORDER BY id")
            return len(cursor.fetchmany(4)) + (cursor.fetchone() is not None) + len(cursor.fetchall())

    traced = trace(work)
    assert traced.result == 10
    selects = [node for node in traced.nodes("sql") if node.name == "post - SELECT"]
    assert sum(node.calls for node in selects) == 1
    assert sum(node.resumes for node in selects) == 3
    assert sum(node.rows for node in selects) == 10


@pytest.mark.parametrize("driver", [Psycopg, Psycopg2], indirect=True)
def test_composed_statements(trace, driver):
    module = sql if isinstance(driver, Psycopg) else psycopg2.sql
    query = module.SQL("SELECT {} FROM {} WHERE title <> {}").format(
        module.Identifier("id"), module.Identifier("post"), module.Literal(SECRET)
    )

    def work():
        with driver.cursor() as cursor:
            cursor.execute(query)
            return len(cursor.fetchall())

    traced = trace(work)
    assert traced.result == 10
    assert statements(traced) == [("post - SELECT", 1, 10, 0)]
    assert hides_secrets(traced)


def test_psycopg_streams_row_by_row(trace, postgresql):
    def work():
        with psycopg.connect(postgresql.dsn) as connection, connection.cursor() as cursor:
            stream = cursor.stream("SELECT id FROM post ORDER BY id")
            return next(stream), next(stream), len(list(stream))

    traced = trace(work)
    assert traced.result == ((1,), (2,), 8)
    selects = [node for node in traced.nodes("sql") if node.name == "post - SELECT"]
    assert (sum(node.calls for node in selects), sum(node.resumes for node in selects)) == (1, 10)


def test_what_a_program_can_see_of_psycopg2(postgresql, trace):
    connection = psycopg2.connect(postgresql.dsn)
    cursor = connection.cursor()
    assert isinstance(cursor, psycopg2.extensions.cursor)
    assert repr(cursor).startswith("<cursor object at ")
    assert (type(cursor).__name__, type(cursor).__module__) == ("cursor", "psycopg2.extensions")
    with pytest.raises(AttributeError):
        cursor.not_an_attribute = 1
    assert type(psycopg2.connect(postgresql.dsn, cursor_factory=psycopg2.extensions.cursor).cursor()) is (
        psycopg2.extensions.cursor
    )
    with pytest.raises(psycopg2.OperationalError) as raised:
        psycopg2.connect("host=/nowhere/at/all")
    assert own_frames(raised.value) == []


def test_asyncpg(trace, postgresql):
    async def main():
        async with asyncpg.create_pool(postgresql.dsn_url, min_size=1, max_size=3) as pool:
            rows = await pool.fetch("SELECT id, title FROM post WHERE title <> $1", SECRET)
            one = await pool.fetchrow("SELECT title FROM post WHERE id = 1")
            value = await pool.fetchval("SELECT count(*) FROM post")
            status = await pool.execute("UPDATE post SET title = title WHERE id <= 3")
            async with pool.acquire() as connection:
                await connection.executemany("UPDATE post SET id = id WHERE id = $1", [(1,), (2,)])
                prepared = await connection.prepare("DELETE FROM post WHERE id = $1 RETURNING id")
                deleted = await prepared.fetch(1000)
                async with connection.transaction():
                    read = [row["id"] async for row in connection.cursor("SELECT id FROM post", prefetch=4)]
            return len(rows), one["title"], value, status, deleted, len(read)

    traced = trace(lambda: asyncio.run(main()))
    assert traced.result == (10, "title 1", 10, "UPDATE 3", [], 10)
    names = dict(traced.segments("sql"))
    assert (names["post - SELECT"], names["post - UPDATE"], names["post - DELETE"]) == (4, 2, 1)
    rows = {}
    for node in traced.nodes("sql"):
        rows[node.detail] = rows.get(node.detail, 0) + node.rows
    assert rows["SELECT id, title FROM post WHERE title <> ?"] == 10
    assert rows["UPDATE post SET title = title WHERE id <= ?"] == 3
    assert rows["SELECT id FROM post"] == 10
    assert hides_secrets(traced)


def test_statements_on_one_event_loop_are_timed_each_in_its_own_context(trace, postgresql):
    async def main():
        async with asyncpg.create_pool(postgresql.dsn_url, min_size=3, max_size=3) as pool:
            sleeps = (pool.fetchval(f"SELECT {n}, pg_sleep(0.0{n})") for n in (3, 1, 2))
            return await asyncio.gather(*sleeps)

    traced = trace(lambda: asyncio.run(main()))
    assert traced.result == [3, 1, 2]
    sleeps = [node for node in traced.nodes("sql") if "pg_sleep" in node.detail]
    assert sum(node.calls for node in sleeps) == 3
    assert not any(node.errors for node in sleeps)


def test_an_asynchronous_error_and_a_cancelled_statement_pass_through(trace, postgresql):
    async def main():
        connection = await asyncpg.connect(postgresql.dsn_url)
        try:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(connection.fetch("SELECT pg_sleep(10)"), 0.05)
            await connection.fetch("SELECT nothing FROM post")
        finally:
            await connection.close()

    traced = trace(lambda: asyncio.run(main()))
    assert isinstance(traced.result, asyncpg.UndefinedColumnError)
    assert own_frames(traced.result) == []
    failed = [(node.name, node.errors) for node in traced.nodes("sql") if node.errors]
    assert sorted(failed) == [("SELECT", 1), ("post - SELECT", 1)] or len(failed) == 2


def test_psycopg_on_an_event_loop(trace, postgresql):
    async def main():
        async with await psycopg.AsyncConnection.connect(postgresql.dsn) as connection:
            cursor = await connection.execute("SELECT id FROM post")
            rows = await cursor.fetchall()
            async with connection.cursor("name") as cursor:
                await cursor.execute("SELECT title FROM post")
                return len(rows), len(await cursor.fetchall())

    traced = trace(lambda: asyncio.run(main()))
    assert traced.result == (10, 10)
    selects = [node for node in traced.nodes("sql") if node.name == "post - SELECT"]
    assert (sum(node.calls for node in selects), sum(node.rows for node in selects)) == (2, 20)


@pytest.mark.parametrize("driver_name", ["psycopg", "psycopg2"])
def test_sqlalchemy_and_its_driver_count_once(trace, postgresql, driver_name):
    engine = sqlalchemy.create_engine(f"postgresql+{driver_name}://xray@/postgres?host={postgresql.directory}")

    def work():
        with engine.begin() as connection:
            rows = connection.execute(sqlalchemy.text("SELECT id FROM post WHERE title <> :t"), {"t": SECRET}).all()
            connection.execute(
                sqlalchemy.text("UPDATE post SET title = title WHERE id = :n"), [{"n": 1}, {"n": 2}, {"n": 3}]
            )
            return len(rows)

    assert work() == 10  # what a dialect asks at first is not part of it
    traced = trace(work)
    engine.dispose()
    assert traced.result == 10
    counted = [(name, calls) for name, calls, *_ in statements(traced) if name.startswith("post")]
    assert counted == [("post - SELECT", 1), ("post - UPDATE", 1)]
    assert hides_secrets(traced)


def test_sqlalchemy_on_an_event_loop_leaves_it_to_the_driver(trace, postgresql):
    url = f"postgresql+asyncpg://xray@/postgres?host={postgresql.directory}"

    async def main():
        engine = sqlalchemy.ext.asyncio.create_async_engine(url)
        async with engine.connect() as connection:
            rows = (await connection.execute(sqlalchemy.text("SELECT id FROM post"))).all()
        await engine.dispose()
        return len(rows)

    traced = trace(lambda: asyncio.run(main()))
    assert traced.result == 10
    assert [calls for name, calls, *_ in statements(traced) if name == "post - SELECT"] == [1]


def test_sqlalchemy_on_sqlite_counts_once(trace):
    engine = sqlalchemy.create_engine("sqlite://")

    def work():
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("CREATE TABLE note (id int)"))
            connection.execute(sqlalchemy.text("INSERT INTO note VALUES (:n)"), [{"n": 1}, {"n": 2}])
            return connection.execute(sqlalchemy.text("SELECT id FROM note")).all()

    traced = trace(work)
    engine.dispose()
    assert traced.result == [(1,), (2,)]
    counted = dict(traced.segments("sql"))
    assert (counted["note - INSERT"], counted["note - SELECT"]) == (1, 1)


def test_an_asynchronous_statement_lasts_from_its_call_to_its_end(trace, postgresql):
    async def main():
        connection = await asyncpg.connect(postgresql.dsn_url)
        await connection.fetch("SELECT pg_sleep(0.2)")
        await connection.close()

    async def work():
        # Its own coroutine is the outermost of the transaction, as in a server.
        with xray.transaction("work"):
            await main()

    traced = trace(work, in_loop=True)
    sleeps = [node for node in traced.nodes("sql") if "pg_sleep" in node.detail]
    assert sum(node.calls for node in sleeps) == 1
    # Where callbacks of the loop come before the coroutines go on, the time until then stands beside these.
    assert sum(node.total_ns for node in sleeps) >= 200_000_000
    assert sum(node.self_ns for node in traced.trace.nodes) == traced.trace.nodes[0].total_ns
    assert any("main" in name for node in sleeps for name in traced.path(node))
