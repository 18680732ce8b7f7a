"""gunicorn: what it serves is a transaction, whatever its workers, and the answers are the same."""

import http.client
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import server
from plainapp import application

HERE = Path(__file__).parent
PATHS = ["/", "/generator", "/file", "/fails", "/modules"]


@pytest.fixture
def gunicorn(recorder):
    """A gunicorn application that serves ``app`` by ``worker``, without a process."""
    from gunicorn.app.base import BaseApplication

    import xray

    class Application(BaseApplication):
        def __init__(self, app, worker, app_uri=None):
            self.app, self.worker, self.app_uri = app, worker, app_uri
            super().__init__()

        def load_config(self):
            self.cfg.set("worker_class", self.worker)

        def load(self):
            return self.app

    xray.install()
    return Application


class ASGIWorker:
    """A worker that takes other applications than WSGI's."""

    @classmethod
    def setup(cls):
        pass


def test_a_wsgi_application_is_wrapped_once(gunicorn):
    served = gunicorn(application, "sync", "plainapp")
    assert served.wsgi() is not application
    assert served.wsgi() is served.wsgi()
    assert served.wsgi().__wrapped__ is application
    assert served.wsgi()._xray_name == "plainapp:application"
    assert gunicorn(application, "gthread", "plainapp:make()").wsgi()._xray_name == "plainapp:make()"


def test_djangos_handler_begins_by_itself(gunicorn, site):
    assert gunicorn(site, "sync").wsgi() is site


def test_what_another_worker_serves_is_left_alone(gunicorn):
    assert gunicorn(application, "test_gunicorn.ASGIWorker").wsgi() is application


@pytest.fixture
def serve(processes, tmp_path, socket_directory):
    """Starts gunicorn; gives the port when it answers."""

    def serve(app, *options, agent=True, env=None):
        argv = [sys.executable, "-m", "gunicorn", *options, app]
        if agent:
            argv = [sys.executable, "-m", "xray", "run", "--app", "served", "--", *argv]
        path = filter(None, [str(HERE), os.environ.get("PYTHONPATH")])
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path), **(env or {})}
        with server.listen(0) as listener:
            port = listener.getsockname()[1]
            environment["GUNICORN_CMD_ARGS"] = f"--bind fd://{listener.fileno()}"
            process = processes.start(argv, tmp_path / f"{port}.log", environment, tmp_path, [listener.fileno()])
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            try:
                ask(port, "/")
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
            else:
                return port
        raise AssertionError((tmp_path / f"{port}.log").read_text())

    return serve


def ask(port, path, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        headers = [(name, value) for name, value in response.getheaders() if name != "Date"]
        return response.status, headers, response.read()
    finally:
        connection.close()


def transactions():
    """What ``xray transactions`` knows, by name."""
    finished = subprocess.run(
        [sys.executable, "-m", "xray", "transactions", "--app", "served", "--json"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert finished.returncode == 0, finished.stderr
    return {item["name"]: item for item in json.loads(finished.stdout)["transactions"]}


@pytest.mark.parametrize("options", [(), ("--worker-class", "gthread", "--threads", "2"), ("--preload",)])
def test_plain_wsgi(serve, options):
    without = serve("plainapp", *options, agent=False)
    port = serve("plainapp", *options)
    for path in PATHS[:-1]:
        assert ask(port, path) == ask(without, path)
    assert ask(without, "/modules")[2] == b""
    assert b"xray.integrations.gunicorn" in ask(port, "/modules")[2]
    seen = transactions()["plainapp:application"]
    assert (seen["kind"], seen["count"] >= len(PATHS)) == ("web", True)


def test_django(serve):
    without = serve("testsite.wsgi", agent=False)
    port = serve("testsite.wsgi", "--workers", "2")
    paths = ["/tags/x/", "/page/1/", "/file/", "/stream/", "/fails/", "/nope/", "/memory-file/", "/pages/"]
    for path in paths:
        for method in ("GET", "HEAD"):
            assert ask(port, path, method) == ask(without, path, method), (method, path)
    known = transactions()
    assert known["/tags/<tag>/"]["handler"] == "testsite.views.plain"
    assert known["/tags/<tag>/"]["url_name"] == "tag"
    assert known["/tags/<tag>/"]["count"] == 2
    # The router's, too, that nobody asked for.
    assert known["/old/{year}/"]["count"] == 0 if "/old/{year}/" in known else True


def test_no_agent_thread_in_the_master_and_none_when_disabled(serve):
    port = serve("plainapp", env={"XRAY_DISABLE": "1"})
    assert b"xray.integrations.gunicorn" not in ask(port, "/modules")[2]
