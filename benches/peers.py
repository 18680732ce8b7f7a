"""What agents cost an application that nobody looks at: ``python benches/peers.py DATABASE``; see README.md beside it.

xray without a session, and New Relic, Datadog and OpenTelemetry as they always are, on the same request and the same
statement, in turn.
"""

import argparse
import http.server
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from peer_agents import AGENTS
from workers import Workers, write

MODES = ["untraced", "installed", *AGENTS]
PATH = "/tags/django/"


class Traces(http.server.BaseHTTPRequestHandler):
    """Takes what Datadog's tracer sends, as its agent would."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Any answer will do."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_PUT = do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def taking_traces() -> Iterator[str]:
    """The address of somebody who takes traces."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Traces) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def main() -> int:
    """Measure and write the raw samples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database", type=Path)
    parser.add_argument("--generations", type=int, default=3, help="fresh sets of processes (3)")
    parser.add_argument("--alternations", type=int, default=8, help="alternations in each (8)")
    parser.add_argument("--requests", type=int, default=8, help="requests in one sample (8)")
    parser.add_argument("--statements", type=int, default=2000, help="statements in one sample (2000)")
    given = parser.parse_args()
    requests: dict[str, list[int]] = {mode: [] for mode in MODES}
    statements: dict[str, list[int]] = {mode: [] for mode in MODES}
    with taking_traces() as address:
        os.environ["XRAY_BENCH_TRACES"] = address
        for generation in range(given.generations):
            with Workers(MODES, given.database) as workers:
                for worker in workers:
                    worker.ask(f"run {PATH} {given.requests}")
                    worker.ask(f"statements {given.statements}")
                for alternation in range(given.alternations):
                    first = (generation + alternation) % len(MODES)
                    for worker in [*workers[first:], *workers[:first]]:
                        answer = worker.ask(f"run {PATH} {given.requests}")
                        requests[worker.mode].append(answer["cpu_ns"] // given.requests)
                        answer = worker.ask(f"statements {given.statements}")
                        statements[worker.mode].append(answer["cpu_ns"] // given.statements)
    result = {"path": PATH, "requests_per_sample": given.requests, "statements_per_sample": given.statements}
    print(write("peers", result | {"cpu_ns": requests, "statement_cpu_ns": statements}).name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
