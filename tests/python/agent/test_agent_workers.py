"""gunicorn's workers: replaced, killed, threaded, preloaded. Every request is in the session, and answered as ever."""

import http.client
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import server
from processes import Processes

APP = """
import os, time
from xray import _xray

def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/sleep":
        time.sleep(0.03)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()} {_xray.recording()}".encode()]
"""


class Served:
    """A running gunicorn."""

    def __init__(self, port, process, log):
        self.port, self.process, self.log = port, process, log

    def get(self, path="/"):
        """The pid of the worker that answered, and whether it was in a session."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
            assert response.status == 200, body
            pid, recording = body.decode().split()
            return int(pid), recording == "True"
        finally:
            connection.close()

    def load(self, requests, clients=3, path="/"):
        """Sends requests by several clients.

        Gives how many were answered by each worker, how many of them in a session, and what failed.
        """
        answered, recorded, failed, lock = {}, [], [], threading.Lock()
        left = iter(range(requests))

        def client():
            while True:
                with lock:
                    if next(left, None) is None:
                        return
                try:
                    pid, recording = self.get(path)
                except (OSError, http.client.HTTPException) as error:
                    failed.append(error)
                    continue
                with lock:
                    answered[pid] = answered.get(pid, 0) + 1
                    recorded.append(recording)

        threads = [threading.Thread(target=client) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answered, sum(recorded), failed


@pytest.fixture
def serve(host, tmp_path):
    """Starts gunicorn with the agent; gives it when it answers."""
    (tmp_path / "served.py").write_text(APP)
    with Processes() as processes:

        def start(*options):
            argv = [sys.executable, "-m", "xray", "run", "--app", host.app, "--"]
            argv += [sys.executable, "-W", "error::DeprecationWarning", "-m", "gunicorn", *options, "served"]
            environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
            with server.listen(0) as listener:
                port = listener.getsockname()[1]
                environment["GUNICORN_CMD_ARGS"] = f"--bind fd://{listener.fileno()}"
                log = tmp_path / "gunicorn.log"
                served = Served(port, processes.start(argv, log, environment, tmp_path, [listener.fileno()]), log)
            deadline = time.monotonic() + 30
            while True:
                try:
                    served.get()
                    return served
                except (OSError, http.client.HTTPException):
                    assert time.monotonic() < deadline, log.read_text()
                    time.sleep(0.05)

        yield start


def test_workers_are_replaced_in_mid_session(host, serve, control):
    served = serve("--workers", "2", "--max-requests", "20")
    session = control("served:application")
    answered, recorded, failed = served.load(240, clients=4, path="/sleep")
    session.stop()
    report = session.wait()
    assert failed == []
    assert sum(answered.values()) == 240 and len(answered) >= 8
    # One of each worker may have begun just before it joined.
    assert recorded - len(answered) <= report.requests.matched <= recorded
    assert recorded > 240 - 6 * len(answered), (recorded, answered)
    counted = {process.pid: process.end for process in report.session.processes}
    assert set(answered) >= set(counted) and len(counted) >= len(answered) - 2
    assert report.requests.incomplete == 0
    assert set(counted.values()) <= {"exited", "finished"}
    assert "Warning" not in served.log.read_text()


def test_a_new_worker_joins_within_a_second(host, serve, control):
    served = serve("--workers", "1")
    session = control("served:application")
    first, _ = served.get()
    os.kill(first, signal.SIGTERM)
    deadline = time.monotonic() + 20
    while True:
        assert time.monotonic() < deadline
        try:
            if served.get()[0] != first:
                break
        except (OSError, http.client.HTTPException):
            time.sleep(0.01)
    began = time.monotonic()
    while len(host.parts()) < 2:
        assert time.monotonic() < began + 1
        time.sleep(0.01)
    for _ in range(10):
        served.get()
    session.stop()
    report = session.wait()
    assert sorted(process.end for process in report.session.processes) == ["exited", "finished"]
    assert report.requests.matched >= 11


@pytest.mark.parametrize("options", [("--worker-class", "gthread", "--threads", "4"), ("--preload",)])
def test_every_request_is_counted(host, serve, control, options):
    served = serve("--workers", "2", *options)
    pids = set()
    while len(pids) < 2 or len(host.sockets()) < 2:
        pids |= set(served.load(8, clients=4, path="/sleep")[0])
    session = control("served:application")
    answered, recorded, failed = served.load(200, clients=4)
    session.stop()
    report = session.wait()
    assert failed == [] and sum(answered.values()) == recorded == 200
    assert (report.requests.matched, report.requests.incomplete) == (200, 0)
    assert len(report.session.processes) == 2
    log = served.log.read_text()
    assert "Warning" not in log and "Traceback" not in log, log


def test_a_worker_is_killed(host, serve, control):
    served = serve("--workers", "2")
    pids = set()
    while len(pids) < 2 or len(host.sockets()) < 2:
        pids |= set(served.load(8, clients=4, path="/sleep")[0])
    session = control("served:application")
    assert served.load(50)[2] == []
    time.sleep(1.2)
    os.kill(min(pids), signal.SIGKILL)
    answered, _, failed = served.load(50)
    session.stop()
    report = session.wait()
    assert len(failed) <= 3
    assert 50 <= report.requests.matched <= 100 + len(failed)
    ends = {process.pid: process.end for process in report.session.processes}
    assert ends[min(pids)] == "lost" and ends[max(pids)] == "finished"
    assert len(answered) >= 1


def test_garbage_on_the_agents_socket(host, serve, socket_directory):
    import random
    import socket
    import struct

    served = serve("--workers", "1", "--worker-class", "gthread", "--threads", "2")
    while not host.sockets():
        time.sleep(0.01)
    (path,) = socket_directory.glob(f"*/{host.sockets()[0]}")
    stop = threading.Event()
    choice = random.Random(7)
    bodies = [
        b"",
        b"\0" * 64,
        b"\xff" * 4096,
        struct.pack("<I", 2**32 - 1),
        struct.pack("<I", 4) + b"null",
        struct.pack("<I", 5) + b'{"a":',
        struct.pack("<I", 1000) + b"[" * 1000,
        b"GET / HTTP/1.1\r\n\r\n",
    ]

    def neighbour():
        held = []
        while not stop.is_set():
            try:
                connection = socket.socket(socket.AF_UNIX)
                connection.settimeout(1)
                connection.connect(str(path))
                for _ in range(choice.randrange(4)):
                    connection.sendall(choice.choice(bodies) + choice.randbytes(choice.randrange(200)))
                held.append(connection)
                if len(held) > 40:
                    held.pop(choice.randrange(len(held))).close()
            except OSError:
                pass
        for connection in held:
            connection.close()

    def longest():
        took = []
        for _ in range(100):
            began = time.monotonic()
            served.get()
            took.append(time.monotonic() - began)
        return sorted(took)[95]

    quiet = longest()
    neighbours = [threading.Thread(target=neighbour) for _ in range(2)]
    for thread in neighbours:
        thread.start()
    try:
        noisy = longest()
    finally:
        stop.set()
        for thread in neighbours:
            thread.join()
    assert noisy < quiet * 10 + 0.1
    # And the agent answers again.
    asked = subprocess.run(
        [sys.executable, "-m", "xray", "transactions", "--app", host.app, "--json"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert asked.returncode == 0 and "served:application" in asked.stdout, asked
