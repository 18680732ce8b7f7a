"""What xray costs while there is no session: ``python benches/idle.py DATABASE``; see README.md beside it."""

import argparse
import sys
from pathlib import Path

from workers import Workers, on_one_core, write

MODES = ["untraced", "installed"]
PATH = "/healthz"
WARM_UP = 200


def main() -> int:
    """Measure and write the raw samples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database", type=Path)
    parser.add_argument("--generations", type=int, default=60, help="fresh pairs of processes (60)")
    parser.add_argument("--alternations", type=int, default=20, help="alternations in each (20)")
    parser.add_argument("--requests", type=int, default=50, help="requests in one sample (50)")
    parser.add_argument("--idle-seconds", type=float, default=10.0, help="time without requests (10)")
    given = parser.parse_args()
    on_one_core()
    cpu: dict[str, list[int]] = {mode: [] for mode in MODES}
    memory: dict[str, list[int]] = {mode: [] for mode in MODES}
    wakeups: list[int] = []
    for generation in range(given.generations):
        with Workers(MODES, given.database) as workers:
            for worker in workers:
                worker.ask(f"run {PATH} {WARM_UP}")
            for alternation in range(given.alternations):
                order = workers if (generation + alternation) % 2 else workers[::-1]
                for worker in order:
                    cpu[worker.mode].append(worker.ask(f"run {PATH} {given.requests}")["cpu_ns"] // given.requests)
            for worker in workers:
                memory[worker.mode].append(worker.ask("memory")["bytes"])
            if generation == 0:
                wakeups.append(workers[1].ask(f"wakeups {given.idle_seconds}")["wakeups"])
    result = {"path": PATH, "requests_per_sample": given.requests, "alternations": given.alternations}
    result |= {"cpu_ns": cpu, "resident_bytes": memory}
    idle = {"idle_seconds": given.idle_seconds, "wakeups": wakeups}
    print(write("idle", result | idle).name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
