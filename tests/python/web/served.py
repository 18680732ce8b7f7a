"""A served application: what its clients see, and what `xray` tells of it."""

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).parent
READY_SECONDS = 60
#: Of each answer its own, or of the moment.
VOLATILE = {"date"}


class Served:
    """One running server."""

    def __init__(self, process, port, log, app, environment):
        self.process, self.port, self.log, self.app, self.environment = process, port, log, app, environment

    def wait_until_ready(self):
        """Wait for the first answer."""
        deadline = time.monotonic() + READY_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                self.ask("/ready")
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
            else:
                return
        raise AssertionError(self.log.read_text())

    def ask(self, path, method="GET"):
        """Status, headers and body of one answer; of one that breaks off, what came."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            try:
                body = response.read()
            except http.client.IncompleteRead as cut:
                body = cut.partial
            headers = sorted((name, value) for name, value in response.getheaders() if name.lower() not in VOLATILE)
            return response.status, headers, body
        finally:
            connection.close()

    def ask_at_once(self, paths, clients=8):
        """The answers to all of these, by path, asked by several clients at the same time."""
        waiting, answers, failures = list(enumerate(paths)), {}, []

        def work():
            while waiting:
                try:
                    number, path = waiting.pop()
                except IndexError:
                    return
                try:
                    answers[number] = self.ask(path)
                except Exception as error:
                    failures.append((path, error))

        threads = [threading.Thread(target=work) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, f"{failures[:3]}\n{self.log.read_text()[-2000:]}"
        return [answers[number] for number in sorted(answers)]

    def go_away(self, path):
        """Ask, read the beginning of the answer, and close the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert client.recv(15).startswith(b"HTTP/1.1 200")

    def xray(self, *words, code=0):
        """Runs an ``xray`` command; its output."""
        done = self.run(*words)
        assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr, self.log.read_text()[-3000:])
        return done.stdout

    def run(self, *words):
        """Runs an ``xray`` command, however it ends."""
        command = [sys.executable, "-m", "xray", *words]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=120)

    def transactions(self):
        """What ``xray transactions`` knows, by name and kind; nothing before the first agent has started."""
        said = self.run("transactions", "--app", self.app, "--json")
        known = json.loads(said.stdout)["transactions"] if said.returncode == 0 else []
        return {(item["name"], item["kind"]): item for item in known}

    def count(self, name, kind="web"):
        """How many transactions of this name have ended."""
        return self.transactions().get((name, kind), {"count": 0})["count"]

    def wait_for_count(self, name, count, kind="web", seconds=20):
        """Wait until that many have ended; never more."""
        deadline = time.monotonic() + seconds
        while (now := self.count(name, kind)) != count and time.monotonic() < deadline:
            time.sleep(0.05)
        assert now == count, (name, now, count, self.transactions())

    def wait_for_agent(self):
        """Wait until the command reaches an agent: it starts with the first request, and beside it."""
        ask = ("transactions", "--app", self.app, "--json")
        self.wait_until(lambda: self.run(*ask).returncode == 0, "an agent can be reached")

    def record(self, transaction, file, work, *, workers=1, options=()):
        """A session on one transaction in all workers while ``work`` runs; its report as JSON.

        Without ``workers``, in those that have an agent already.
        """
        start = ["session", "start", "--app", self.app, "--transaction", transaction, "--detach", "--minutes", "5"]
        self.wait_for_agent()
        session = self.xray(*start, "--share", "1", "--max-overhead", "1", *options).strip()
        if workers is not None:
            self.wait_until(lambda: self._recording() == workers, f"{workers} workers record")
        work()
        self.xray("session", "stop", session)
        self.xray("session", "fetch", session, "-o", str(file), "--force")
        return json.loads(self.xray("report", str(file), "--format", "json"))

    def trace(self, file, identity):
        """One trace of a session, as JSON."""
        return json.loads(self.xray("report", str(file), "--trace", identity, "--format", "json"))["trace"]

    def _recording(self):
        self.ask("/ready")  # a worker's agent starts with its first request
        done = self.run("session", "status", "--app", self.app, "--json")
        status = json.loads(done.stdout) if done.returncode == 0 else {}
        return status["processes"] if status.get("state") == "recording" else 0

    def wait_until(self, condition, what):
        """Ask again and again until ``condition`` holds."""
        deadline = time.monotonic() + READY_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"waited until {what}\n{self.log.read_text()[-3000:]}"
            time.sleep(0.02)
