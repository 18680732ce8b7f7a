"""Requests while nothing records: each is counted once and by its right name, whoever asks for it meanwhile."""

import pytest

#: A Django site, and how often its agent counted each name after a number of requests.
SITE = """
import asyncio, contextvars, json, logging, subprocess, sys, threading
import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, DEBUG=False, SECRET_KEY="x", MIDDLEWARE=[], LOGGING_CONFIG=None
)
from host import xray
from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path
from xray import _xray


def plain(request):
    return HttpResponse("plain")


def missing(request):
    from django.http import Http404
    raise Http404


def broken(request):
    raise ValueError("broken")


def interrupted(request):
    raise KeyboardInterrupt


def streamed(request):
    def parts():
        # The response has a transaction of its own until it is closed.
        yield str(_xray.current() is not None)
    return StreamingHttpResponse(parts())


def named(request):
    xray.set_transaction_name("own name")
    return HttpResponse()


def marked(request):
    with xray.transaction("block"):
        assert _xray.current() is not _xray.current_request() is not None
    return HttpResponse()


def nested(request):
    # A request to the application itself, within the call that answers one, is a part of it.
    return HttpResponse(b"".join(call("/plain/")))


def in_task(request):
    async def work():
        await asyncio.sleep(0)
        xray.set_transaction_name("named in a task")
    asyncio.run(work())
    assert _xray.current() is _xray.current_request() is not None
    return HttpResponse()


async def asynchronous(request):
    await asyncio.sleep(0)
    xray.set_transaction_name("named in an async view")
    return HttpResponse()


def in_thread(request):
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(xray.set_transaction_name, "named in a thread"))
    thread.start()
    thread.join()
    return HttpResponse()


views = [plain, missing, broken, interrupted, streamed, named, marked, nested, in_task, asynchronous, in_thread]
logging.disable()
urlpatterns = [path(f"{view.__name__}/", view) for view in views]
application = get_wsgi_application()


def call(where):
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": where, "SCRIPT_NAME": "", "SERVER_NAME": "localhost", "SERVER_PORT": "80",
        "wsgi.url_scheme": "http", "wsgi.input": sys.stdin.buffer, "wsgi.errors": sys.stderr,
    }
    try:
        response = application(environ, lambda status, headers: None)
    except KeyboardInterrupt:
        return [b"interrupted"]
    body = list(response)
    response.close()
    return body


def counts():
    asked = subprocess.run(
        [sys.executable, "-m", "xray", "transactions", "--json"], capture_output=True, text=True, check=True
    )
    return {seen["name"]: seen["count"] for seen in json.loads(asked.stdout)["transactions"] if seen["count"]}
"""


def test_each_request_is_counted_once_by_its_name(host):
    host.run(
        SITE
        + """
for _ in range(3):
    for view in [plain, missing, broken, interrupted, named, nested, in_task, asynchronous, marked]:
        call(f"/{view.__name__}/")
        # Nothing stays open, and the thread answers no request any more.
        assert _xray.current() is None
    assert call("/streamed/") == [b"True"]
    assert call("/nowhere/")
found = counts()
routes = ["/plain/", "/missing/", "/broken/", "/interrupted/", "/streamed/", "/marked/", "/nested/", "(not found)"]
own = ["own name", "block", "named in a task", "named in an async view"]
assert found == dict.fromkeys(routes + own, 3), found
"""
    )


def test_what_another_thread_asks_for_is_there_from_the_second_time(host):
    host.run(
        SITE
        + """
for _ in range(4):
    call("/in_thread/")
found = counts()
assert found == {"/in_thread/": 1, "named in a thread": 3}, found
"""
    )


def test_with_greenlets_requests_are_told_by_their_contexts(host):
    pytest.importorskip("greenlet")
    host.run(
        SITE
        + """
import greenlet

def switching(request):
    name = request.GET["name"]
    greenlet.getcurrent().parent.switch()
    xray.set_transaction_name(name)
    return HttpResponse()

urlpatterns.append(path("switching/", switching))

def answer(name):
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": "/switching/", "QUERY_STRING": f"name={name}", "SERVER_NAME": "localhost",
        "SERVER_PORT": "80", "wsgi.url_scheme": "http", "wsgi.input": sys.stdin.buffer, "wsgi.errors": sys.stderr,
    }
    application(environ, lambda status, headers: None).close()

for _ in range(3):
    both = [greenlet.greenlet(answer), greenlet.greenlet(answer)]
    for one, name in zip(both, ["first", "second"]):
        one.switch(name)
    for one in both:
        one.switch()
assert counts() == {"first": 3, "second": 3}, counts()
"""
    )


def test_a_session_that_starts_within_a_request_leaves_that_request_out(host, tmp_path):
    host.run(
        SITE
        + """
def starting(request):
    session = xray.start_session(transaction="/plain/", minutes=1, path=sys.argv[1])
    sessions.append(session)
    return plain(request)

sessions = []
urlpatterns.append(path("starting/", starting))
call("/starting/")
call("/plain/")
sessions[0].stop()
report = sessions[0].wait()
assert report.requests.matched == 1, report.requests
assert counts() == {"/starting/": 1, "/plain/": 1}, counts()
""",
        tmp_path / "session.xr",
    )


def test_a_route_of_starlette_gives_its_name_every_time_and_below_each_mount(host):
    pytest.importorskip("starlette")
    host.run(
        """
        import asyncio, json, subprocess, sys
        from host import xray
        xray.install()
        from starlette.applications import Starlette
        from starlette.responses import PlainTextResponse
        from starlette.routing import Mount, Route

        async def item(request):
            return PlainTextResponse("item")

        async def own(request):
            xray.set_transaction_name("own name")
            return PlainTextResponse("own")

        routes = [Route("/items/{item}", item, methods=["GET", "DELETE"]), Route("/own", own)]
        inside = Starlette(routes=routes)
        app = Starlette(routes=[*routes, Mount("/one", inside), Mount("/two", inside)])

        async def ask(method, path):
            async def receive():
                return {"type": "http.request", "body": b"", "more_body": False}

            async def send(message):
                pass

            scope = {"type": "http", "asgi": {"version": "3.0"}, "method": method, "path": path, "query_string": b"",
                     "root_path": "", "headers": [], "http_version": "1.1", "scheme": "http"}
            await asyncio.create_task(app(scope, receive, send))

        for number in range(3):
            for path in ["/items/1", "/one/items/2", "/two/items/3", "/own"]:
                asyncio.run(ask("GET", path))
            asyncio.run(ask("DELETE", f"/items/{number}"))
            asyncio.run(ask(f"MADE-UP{number}", "/items/1"))
        asked = subprocess.run(
            [sys.executable, "-m", "xray", "transactions", "--json"], capture_output=True, text=True, check=True
        )
        found = {seen["name"]: seen["count"] for seen in json.loads(asked.stdout)["transactions"] if seen["count"]}
        assert found == {"/items/{item}": 9, "/one/items/{item}": 3, "/two/items/{item}": 3, "own name": 3}, found
        """
    )
