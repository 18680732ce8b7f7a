"""What a session costs the blog's tag request: ``python benches/request.py DATABASE``; see README.md beside it."""

import argparse
import sys
from pathlib import Path

from workers import Workers, write

MODES = ["untraced", "matched", "defaults", "other", "cprofile"]
PATH = "/tags/django/"


def main() -> int:
    """Measure and write the raw samples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database", type=Path)
    parser.add_argument("--generations", type=int, default=4, help="fresh sets of processes (4)")
    parser.add_argument("--alternations", type=int, default=6, help="alternations in each (6)")
    parser.add_argument("--requests", type=int, default=20, help="requests in one sample (20)")
    given = parser.parse_args()
    cpu: dict[str, list[int]] = {mode: [] for mode in MODES}
    wall: dict[str, list[int]] = {mode: [] for mode in MODES}
    for generation in range(given.generations):
        # Fresh processes: the layout of one process's memory is good for some per cent.
        with Workers(MODES, given.database) as workers:
            for worker in workers:
                worker.ask(f"run {PATH} {given.requests}")
            for alternation in range(given.alternations):
                start = (generation + alternation) % len(workers)
                for worker in workers[start:] + workers[:start]:
                    answer = worker.ask(f"run {PATH} {given.requests}")
                    cpu[worker.mode].append(answer["cpu_ns"] // given.requests)
                    wall[worker.mode].append(answer["wall_ns"] // given.requests)
    result = {"path": PATH, "requests_per_sample": given.requests, "cpu_ns": cpu, "wall_ns": wall}
    print(write("request", result).name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
