"""Real servers: the same answers with xray, every request counted under its name, and sessions over all workers."""

import asyncio

import pytest
from served import HERE

pytestmark = pytest.mark.matrix

#: Its workers are restarted when they do not answer in time, as on a busy machine.
PATIENT = ["--timeout-worker-healthcheck", "60"]
UVICORN = ["uvicorn", "--port", "PORT", "--log-level", "warning", *PATIENT]
GUNICORN = ["gunicorn", "--bind", "127.0.0.1:PORT", "--no-control-socket", "--log-level", "warning"]
HYPERCORN = ["hypercorn", "--bind", "127.0.0.1:PORT"]

ASGI = {
    "uvicorn asyncio": ([*UVICORN, "--loop", "asyncio", "--http", "h11", "starletteapp:app"], 1),
    "uvicorn uvloop": ([*UVICORN, "--loop", "uvloop", "--http", "httptools", "starletteapp:app"], 1),
    "uvicorn asyncio 2": ([*UVICORN, "--loop", "asyncio", "--workers", "2", "starletteapp:app"], 2),
    "uvicorn uvloop 2": ([*UVICORN, "--loop", "uvloop", "--workers", "2", "starletteapp:app"], 2),
    "gunicorn uvicorn": ([*GUNICORN, "-k", "uvicorn.workers.UvicornWorker", "-w", "2", "starletteapp:app"], 2),
    "gunicorn asgi": ([*GUNICORN, "-k", "asgi", "starletteapp:app"], 1),
    "hypercorn": ([*HYPERCORN, "starletteapp:app"], 1),
    "hypercorn uvloop": ([*HYPERCORN, "--worker-class", "uvloop", "starletteapp:app"], 1),
}
WSGI = {
    "gunicorn sync": ([*GUNICORN, "-w", "2", "flaskapp:app"], 2),
    "gunicorn gthread": ([*GUNICORN, "-k", "gthread", "--threads", "4", "flaskapp:both"], 1),
    "gunicorn gevent": ([*GUNICORN, "-k", "gevent", "flaskapp:app"], 1),
    "uvicorn wsgi": ([*UVICORN, "--interface", "wsgi", "flaskapp:app"], 1),
    "hypercorn wsgi": ([*HYPERCORN, "flaskapp:app"], 1),
}
#: Path, name of its requests.
ASGI_PATHS = [
    ("/", "/"),
    ("/tags/a", "/tags/{tag}"),
    ("/tags/b", "/tags/{tag}"),
    ("/thread", "/thread"),
    ("/streams", "/streams"),
    ("/users/me/posts/7", "/users/{user}/posts/{post}"),
    ("/static/starletteapp.py", "/static/{path:path}"),
    ("/fails", "/fails"),
    ("/refuses", "/refuses"),
    ("/tasks", "/tasks"),
    ("/nope", "(not found)"),
    ("/wp-login.php", "(not found)"),
    ("/years/2013", "(not found)"),
]
WSGI_PATHS = [
    ("/", "/"),
    ("/tags/a/", "/tags/<tag>/"),
    ("/tags/b/", "/tags/<tag>/"),
    ("/streams", "/streams"),
    ("/async/x", "/async/<name>"),
    ("/shop/inner/x", "/shop/inner/<name>"),
    ("/fails", "/fails"),
    ("/nope", "(not found)"),
    ("/tags/a", "(not found)"),
]


def expected(paths):
    """How often each name is seen when each path is asked for once."""
    names = [name for _, name in paths]
    return {name: names.count(name) for name in names}


def check(serve, tmp_path, argv, workers, paths, target):
    """The same answers with and without xray, each counted once under its name, and a session over all workers."""
    plain, served = serve(argv, agent=False), serve(argv)
    for path, _ in paths:
        for method in ("GET", "HEAD"):
            assert answer_of(served, path, method) == answer_of(plain, path, method)
    for name, count in expected(paths).items():
        # The first one asked whether the server is ready.
        served.wait_for_count(name, 2 * count + (name == "(not found)"))
    assert not [name for name, _ in served.transactions() if "nope" in name or "login" in name]

    def work():
        served.ask_at_once([path for path, _ in paths] * 4)

    report = served.record(target, tmp_path / "s.xr", work, workers=workers)
    requests = report["requests"]
    assert requests["matched"] == requests["traced"] == 4 * expected(paths)[target], requests
    assert requests["incomplete"] == 0
    assert len(report["session"]["processes"]) == workers
    assert {trace["status"] for trace in report["traces"]} == {200}
    return report


def answer_of(served, path, method):
    """What a server answers, but for its port."""
    status, headers, body = served.ask(path, method)
    port = str(served.port)
    return path, status, [(name, value.replace(port, "")) for name, value in headers], body.replace(port.encode(), b"")


@pytest.mark.parametrize("server", ASGI)
def test_asgi(serve, tmp_path, server):
    argv, workers = ASGI[server]
    check(serve, tmp_path, argv, workers, ASGI_PATHS, "/tags/{tag}")


@pytest.mark.parametrize("server", WSGI)
def test_wsgi(serve, tmp_path, server):
    argv, workers = WSGI[server]
    check(serve, tmp_path, argv, workers, WSGI_PATHS, "/tags/<tag>/")


@pytest.mark.parametrize("server", ["uvicorn asyncio", "uvicorn uvloop", "gunicorn asgi", "hypercorn"])
def test_websockets_streams_and_clients_that_go_away(serve, server):
    from websockets.asyncio.client import connect

    served = serve(ASGI[server][0])

    async def talk():
        async with connect(f"ws://127.0.0.1:{served.port}/echo/red") as talking:
            await talking.send("one")
            assert await talking.recv() == "one"
            assert served.count("/echo/{room}") == 0
        # One more that goes away without a word.
        silent = await connect(f"ws://127.0.0.1:{served.port}/echo/red")
        silent.transport.abort()

    asyncio.run(talk())
    served.wait_for_count("/echo/{room}", 2)
    served.go_away("/endless")
    served.wait_for_count("/endless", 1)
    assert served.ask("/tasks")[2] == b"accepted"
    served.wait_for_count("starletteapp.later", 1, "background")
    served.wait_for_count("starletteapp.later_async", 1, "background")


def test_nothing_is_wrapped_when_the_agent_is_off(serve):
    served = serve(ASGI["uvicorn asyncio"][0], env={"XRAY_DISABLE": "1"})
    assert served.ask("/")[2].startswith(b"plain")
    served.xray("transactions", "--app", served.app, code=3)
    assert served.process.poll() is None


def calls(served, file, report):
    """Of each trace, how often each function of the applications was called."""
    counted = []
    for trace in report["traces"]:
        nodes = served.trace(file, trace["id"])["nodes"]
        own = [node for node in nodes if str(node["file"]).startswith(str(HERE))]
        counted.append({node["name"]: sum(n["calls"] for n in own if n["name"] == node["name"]) for node in own})
    return counted


def test_background_tasks_have_traces_of_their_own(serve, tmp_path):
    file = tmp_path / "s.xr"
    # Behind a middleware that runs the application in a task of its own, and where the response ends before they begin.
    for application in ("starletteapp:app", "starletteapp:bare"):
        served = serve([*UVICORN, application])

        def work(served=served):
            before = served.count("starletteapp.later_async", "background")
            for _ in range(5):
                assert served.ask("/tasks")[2] == b"accepted"
            served.wait_for_count("starletteapp.later_async", before + 5, "background")

        of_request = calls(served, file, served.record("/tasks", file, work))
        assert len(of_request) == 5
        assert all(each["with_tasks"] == 1 and not {"later", "later_async"} & set(each) for each in of_request)
        report = served.record("starletteapp.later", file, work)
        assert calls(served, file, report) == [{"later": 1}] * 5


# Under gevent asgiref runs the view in a greenlet that the request's spawned, and only one at a time: it refuses the
# others of the thread, with and without xray.
@pytest.mark.parametrize(("server", "clients"), [("gunicorn sync", 8), ("gunicorn gthread", 8), ("gunicorn gevent", 1)])
def test_an_async_view_of_flask_is_in_the_trace_of_its_request(serve, tmp_path, server, clients):
    argv, workers = WSGI[server]
    served, file = serve(argv), tmp_path / "s.xr"
    paths = ["/async/x"] * 8
    report = served.record("/async/<name>", file, lambda: served.ask_at_once(paths, clients), workers=workers)
    assert [each["asynchronous"] for each in calls(served, file, report)] == [1] * 8
