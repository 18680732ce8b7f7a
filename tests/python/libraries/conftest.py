"""Fixtures: real servers on this machine, and one traced transaction."""

import http.server
import os
import threading

import pytest
import services

#: Set where a missing service is a mistake of the set-up: in continuous integration.
REQUIRED = "XRAY_TEST_SERVICES"


def _start(service):
    try:
        with service() as running:
            yield running
    except services.NoService as problem:
        if os.environ.get(REQUIRED) == "required":
            raise
        pytest.skip(str(problem))


@pytest.fixture(scope="session")
def postgresql():
    """A PostgreSQL server."""
    yield from _start(services.postgresql)


@pytest.fixture(scope="session")
def redis_server():
    """A Redis server."""
    yield from _start(services.redis)


@pytest.fixture(scope="session")
def redis_cluster_port():
    """The port of a Redis cluster that has no slots yet."""
    yield from _start(services.redis_cluster)


class Handler(http.server.BaseHTTPRequestHandler):
    """``/status/404`` answers 404; ``/redirect/3`` redirects three times."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        _, what, number = self.path.split("?")[0].split("/")
        status, headers = int(number), {}
        if what == "redirect":
            status, headers = (302, {"Location": f"/redirect/{status - 1}"}) if status else (200, {})
        self.send_response(status)
        body = b"body"
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_POST = do_HEAD = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def http_server():
    """``127.0.0.1:port`` of an HTTP server."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()
