"""Load for a site on loopback: threads with keep-alive connections ask for routes by weight.

Bounded by a number of requests and a time. With one seed, the n-th request is always the same one. Prints a table by
route and exits with 0 when every answer had the expected status, 1 otherwise.
"""

import argparse
import hashlib
import http.client
import ipaddress
import json
import random
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

TIMEOUT_SECONDS = 30.0
#: Headers that differ between two equal answers.
VOLATILE = {"date"}


@dataclass(frozen=True)
class Route:
    """One route: a path with placeholders and the values they take."""

    name: str
    path: str
    weight: float
    status: int = 200
    values: dict[str, list[Any]] = field(default_factory=dict)

    def choose(self, choice: random.Random) -> str:
        """One concrete path."""
        return self.path.format(**{name: choice.choice(values) for name, values in self.values.items()})


@dataclass(frozen=True)
class Answer:
    """What came back for one request; ``status`` is 0 when nothing did, and ``error`` says why."""

    number: int
    route: str
    path: str
    status: int
    expected: int
    body: str
    headers: str
    started_s: float
    milliseconds: float
    error: str = ""

    @property
    def ok(self) -> bool:
        """Whether the status is the expected one."""
        return self.status == self.expected


def read_routes(file: Path) -> list[Route]:
    """The routes in a JSON file: a list of objects with the fields of :class:`Route`."""
    return [Route(**entry) for entry in json.loads(file.read_text())]


def check_loopback(host: str) -> None:
    """:raises ValueError: ``host`` is not an address of this machine's loopback."""
    if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
        raise ValueError(f"{host} is not a loopback address: this generator is for local sites only")


class Load:
    """One run: ``concurrency`` threads that share one sequence of requests."""

    def __init__(
        self,
        port: int,
        routes: Sequence[Route],
        *,
        host: str = "127.0.0.1",
        concurrency: int = 4,
        requests: int | None = None,
        seconds: float | None = None,
        seed: int = 1,
        user_agent: str = "xray-load",
    ) -> None:
        """Without ``requests`` and ``seconds`` it runs until :meth:`stop`."""
        check_loopback(host)
        self.host, self.port, self.routes = host, port, list(routes)
        self.concurrency, self.requests, self.seconds = concurrency, requests, seconds
        self.seed, self.user_agent = seed, user_agent
        self.answers: list[Answer] = []
        self._weights = [route.weight for route in self.routes]
        self._next = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._started = 0.0

    def start(self) -> "Load":
        """Start the threads."""
        self._started = time.monotonic()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self.concurrency)]
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """No further requests; those in flight are finished."""
        self._stop.set()

    def wait(self) -> list[Answer]:
        """Wait for the end; the answers by number."""
        for thread in self._threads:
            while thread.is_alive():  # in steps, so that a signal's handler runs in between
                thread.join(0.2)
        return sorted(self.answers, key=lambda answer: answer.number)

    def _take(self) -> int | None:
        with self._lock:
            late = self.seconds is not None and time.monotonic() - self._started >= self.seconds
            if late or self._stop.is_set() or (self.requests is not None and self._next >= self.requests):
                return None
            self._next += 1
            return self._next - 1

    def _work(self) -> None:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT_SECONDS)
        while (number := self._take()) is not None:
            choice = random.Random(self.seed * 1_000_003 + number)
            route = choice.choices(self.routes, self._weights)[0]
            answer = self._ask(connection, number, route, route.choose(choice))
            with self._lock:
                self.answers.append(answer)
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection, number: int, route: Route, path: str) -> Answer:
        started = time.monotonic()
        status, body, headers, error = 0, b"", "", ""
        try:
            connection.request("GET", path, headers={"User-Agent": self.user_agent})
            response = connection.getresponse()
            body, status = response.read(), response.status
            kept = sorted((k.lower(), v) for k, v in response.getheaders() if k.lower() not in VOLATILE)
            headers = hashlib.sha256(repr(kept).encode()).hexdigest()
        except (OSError, http.client.HTTPException) as problem:
            error = f"{type(problem).__name__}: {problem}"
            connection.close()
        took = (time.monotonic() - started) * 1e3
        digest = hashlib.sha256(body).hexdigest()
        at = started - self._started
        return Answer(number, route.name, path, status, route.status, digest, headers, at, took, error)


def table(answers: Sequence[Answer]) -> str:
    """Requests, failures and latency by route."""
    lines = [f"{'route':<16}{'requests':>9}{'failed':>8}{'p50 ms':>9}{'p95 ms':>9}{'max ms':>9}"]
    for name in sorted({answer.route for answer in answers}):
        own = [answer for answer in answers if answer.route == name]
        times = sorted(answer.milliseconds for answer in own)
        p50, p95 = (times[min(len(times) - 1, int(len(times) * share))] for share in (0.5, 0.95))
        failed = sum(not answer.ok for answer in own)
        lines.append(f"{name:<16}{len(own):>9}{failed:>8}{p50:>9.1f}{p95:>9.1f}{times[-1]:>9.1f}")
    return "\n".join(lines)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--routes", type=Path, required=True, help="JSON: name, path, weight, status, values")
    parser.add_argument("--only", action="append", help="only this route (may be repeated)")
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--requests", type=int, help="at most so many")
    parser.add_argument("--seconds", type=float, default=10.0, help="at most so long")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--record", type=Path, help="write each answer as a line of JSON")
    given = parser.parse_args()
    try:
        routes = [route for route in read_routes(given.routes) if not given.only or route.name in given.only]
        if not routes:
            raise ValueError(f"{given.routes} has no route {' or '.join(given.only or ['at all'])}")
        bounds = {"requests": given.requests, "seconds": given.seconds}
        options = {"host": given.host, "concurrency": given.concurrency, "seed": given.seed}
        load = Load(given.port, routes, **bounds, **options)
    except (OSError, TypeError, ValueError) as error:
        parser.error(str(error))
    try:
        answers = load.start().wait()
    except KeyboardInterrupt:
        load.stop()
        answers = load.wait()
    if given.record:
        given.record.write_text("".join(json.dumps(asdict(answer)) + "\n" for answer in answers))
    print(table(answers))
    for answer in [answer for answer in answers if not answer.ok][:5]:
        print(f"failed: {answer.path}: {answer.error or f'status {answer.status}, not {answer.expected}'}")
    return 0 if answers and all(answer.ok for answer in answers) else 1


if __name__ == "__main__":
    sys.exit(main())
