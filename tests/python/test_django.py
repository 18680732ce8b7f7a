"""Where a Django request begins and ends, and what is noted of it."""

import gc
import sys

import pytest
from tracebacks import own_frames
from wsgi_client import FileWrapper, call, environ


def test_the_transaction_ends_when_the_response_is_closed(site, recorder):
    body = site(environ("/stream/"), lambda status, headers: None)
    assert not recorder.only.ended
    assert next(iter(body)) == b"part 0\n"
    assert not recorder.only.ended
    body.close()
    assert recorder.only.ended
    body.close()


def test_a_file_ends_with_the_servers_wrapper(site, recorder):
    response = call(site, "/file/", file_wrapper=FileWrapper)
    assert response.body_type is FileWrapper
    assert response.body == b"content of a file\n" * 1000
    assert (recorder.only.status, recorder.only.ended) == (200, True)


def test_a_file_for_a_server_that_sends_it_in_c_ends_at_once(site, recorder):
    call(site, "/file/", file_wrapper=lambda file, size: [file.read()], close=False)
    assert recorder.only.ended


def test_an_abandoned_response_drops_its_transaction(site, recorder):
    import weakref

    body = site(environ("/stream/"), lambda status, headers: None)
    transaction = weakref.ref(recorder.transactions.pop())
    recorder._current.set(None)
    del body
    gc.collect()
    assert transaction() is None


def test_a_request_after_one_that_was_not_closed_is_its_own(site, recorder):
    kept = [site(environ("/stream/"), lambda status, headers: None) for _ in range(3)]
    call(site, "/")
    assert [(t.ended, t.abandoned) for t in recorder.transactions] == [(True, True)] * 3 + [(True, False)]
    assert [transaction.outer for transaction in recorder.transactions] == [None] * 4
    for body in kept:
        body.close()


def test_a_request_inside_a_marked_block_leaves_it_open(site, recorder):
    import xray

    with xray.transaction("block", kind="web"):
        call(site, "/")
        assert [(t.ended, t.abandoned) for t in recorder.transactions] == [(False, False), (True, False)]


@pytest.mark.parametrize(
    "path, error",
    [
        ("/fails/", "builtins.ValueError"),
        ("/fails-in-template/", "builtins.KeyError"),
        ("/fails-in-sql/", "django.db.utils.OperationalError"),
        ("/missing/", None),
        ("/", None),
    ],
)
def test_only_the_type_of_an_uncaught_exception_is_noted(site, recorder, path, error):
    call(site, path)
    assert recorder.only.error == error
    assert recorder.only.status == (500 if error else 404 if path == "/missing/" else 200)


def test_an_exception_that_leaves_the_handler_ends_the_transaction(site, recorder, monkeypatch):
    def exits(request):
        raise SystemExit(3)

    monkeypatch.setattr(site, "_middleware_chain", exits)
    with pytest.raises(SystemExit) as raised:
        call(site, "/")
    assert (recorder.only.error, recorder.only.ended) == ("builtins.SystemExit", True)
    assert own_frames(raised.value) == []


def test_nothing_is_done_while_the_agent_is_off(site, recorder):
    recorder.is_off = True
    assert call(site, "/").status == "200 OK"
    assert recorder.transactions == []


def test_sql_and_templates_are_segments(site, trace):
    traced = trace(lambda: call(site, "/pages/"))
    assert traced.result.status == "200 OK"
    assert traced.segments("sql", "template") == [
        ("SELECT", 1),
        ("Render/page.html", 1),
        ("Block/body", 1),
        ("Render/part.html", 1),
    ]
    assert not any("a secret" in (node.detail or "") for node in traced.trace.nodes)
    assert traced.path(traced.node("Render/part.html"))[-1:-12:-1].index("Block/body") > 0


@pytest.mark.parametrize("path, kind", [("/fails-in-template/", "template"), ("/fails-in-sql/", "sql")])
def test_a_failed_segment_is_closed(site, trace, path, kind):
    traced = trace(lambda: call(site, path))
    assert traced.result.status.startswith("500")
    assert any(node.errors for node in traced.nodes(kind))
    # What comes after it is not below it.
    handler = next(node for node in traced.trace.nodes if node.name == "response_for_exception")
    assert not any(name in traced.path(handler) for name in (node.name for node in traced.nodes(kind)))


def test_rows(site, trace):
    from django.db import connection

    def work():
        with connection.cursor() as cursor:
            cursor.execute("CREATE TEMP TABLE t (a)")
            cursor.executemany("INSERT INTO t VALUES (%s)", [(1,), (2,)])
            cursor.execute("UPDATE t SET a = 3")
            cursor.execute("SELECT a FROM t")
            rows = cursor.fetchmany(1) + cursor.fetchall()
            cursor.execute("SELECT a FROM t WHERE a = %s", [3])
            rows.append(cursor.fetchone())
            cursor.execute("SELECT a FROM t")
            rows += cursor
            cursor.execute("DROP TABLE t")
            return rows

    traced = trace(work)
    assert traced.result == [(3,)] * 5
    counted = {}
    for node in traced.nodes("sql"):
        calls, resumes, rows = counted.get(node.detail, (0, 0, 0))
        counted[node.detail] = calls + node.calls, resumes + node.resumes, rows + node.rows
    assert counted["INSERT INTO t VALUES (?)"] == (1, 0, 2)
    assert counted["UPDATE t SET a = ?"] == (1, 0, 2)
    # Two calls; fetched twice, and three times one by one, the last of which finds the end.
    assert counted["SELECT a FROM t"] == (2, 5, 4)
    assert counted["SELECT a FROM t WHERE a = ?"] == (1, 1, 1)


def test_the_debug_cursor_makes_one_segment(site, trace):
    from django.db import connection

    def work():
        connection.force_debug_cursor = True
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        finally:
            connection.force_debug_cursor = False

    assert trace(work).segments("sql") == [("SELECT", 1)]


def test_the_middleware_by_hand(site, recorder):
    from django.http import HttpResponse
    from django.test import RequestFactory

    from xray.integrations.django import Middleware

    recorder.is_recording = True
    middleware = Middleware(lambda request: HttpResponse("hand", status=201))
    response = middleware(RequestFactory().get("/tags/x/?secret=1"))
    assert recorder.only.names == [("GET", "tags/<tag>/", "testsite.views.plain", "tag", "/tags/x/")]
    assert recorder.only.status == 201
    assert not recorder.only.ended
    response.close()
    assert recorder.only.ended


def test_the_middleware_within_the_handler_does_nothing(site, recorder):
    from django.core.handlers.wsgi import WSGIHandler
    from django.test.utils import override_settings

    with override_settings(MIDDLEWARE=["xray.integrations.django.Middleware"]):
        handler = WSGIHandler()
    assert call(handler, "/tags/x/").status == "200 OK"
    assert recorder.only.names == [("GET", "tags/<tag>/", "testsite.views.plain", "tag", "/tags/x/")]


def test_the_test_client_of_django_begins_nothing(site, recorder):
    from django.test import Client

    assert Client().get("/tags/x/").status_code == 200
    assert recorder.transactions == []


def test_django_in_another_wsgi_application_gives_the_name(site, recorder):
    import xray

    def outer(environ, start_response):
        return site(environ, start_response)

    recorder.is_recording = True
    app = xray.wsgi(outer)
    for _ in range(2):
        assert call(app, "/tags/x/").body == b"plain [('tag', 'x')]"
    assert len(recorder.transactions) == 2
    for transaction in recorder.transactions:
        assert {name[1] for name in transaction.names} == {"tags/<tag>/"}
        assert transaction.ended


def test_the_wrappers_look_like_what_they_wrap(site):
    from django.core.handlers.wsgi import WSGIHandler
    from django.template.base import Template

    assert WSGIHandler.__call__.__qualname__ == "WSGIHandler.__call__"
    assert Template.render.__doc__ == "Display stage -- can be called many times"
    assert sys.modules["inspect"].signature(Template.render).parameters.keys() == {"self", "context"}
