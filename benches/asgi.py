"""What agents cost an ASGI application that nobody looks at: ``python benches/asgi.py``; see README.md beside it.

As ``peers.py``, with a request to Starlette.
"""

import argparse
import os
import sys
from pathlib import Path

from peer_agents import ASGI_AGENTS
from peers import taking_traces
from workers import Workers, on_one_core, write

MODES = ["untraced", "installed", *ASGI_AGENTS]
PATH = "/items/7"


def main() -> int:
    """Measure and write the raw samples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database", type=Path, nargs="?", default=Path(), help="not used")
    parser.add_argument("--generations", type=int, default=3, help="fresh sets of processes (3)")
    parser.add_argument("--alternations", type=int, default=12, help="alternations in each (12)")
    parser.add_argument("--requests", type=int, default=1000, help="requests in one sample (1000)")
    given = parser.parse_args()
    requests: dict[str, list[int]] = {mode: [] for mode in MODES}
    on_one_core()
    with taking_traces() as address:
        os.environ["XRAY_BENCH_TRACES"] = address
        for generation in range(given.generations):
            with Workers(MODES, given.database, "asgi_worker.py") as workers:
                for alternation in range(given.alternations):
                    first = (generation + alternation) % len(MODES)
                    for worker in [*workers[first:], *workers[:first]]:
                        answer = worker.ask(f"run {PATH} {given.requests}")
                        requests[worker.mode].append(answer["cpu_ns"] // given.requests)
    print(write("asgi", {"path": PATH, "requests_per_sample": given.requests, "cpu_ns": requests}).name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
