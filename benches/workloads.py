"""What tracing costs programs of different kinds: ``python benches/workloads.py DATABASE``; see README.md beside it."""

import argparse
import sys
from pathlib import Path
from typing import Any

from programs import PROGRAMS
from workers import Workers, write

MODES = ["untraced", "empty", "traced", "cprofile"]
#: CPU time of one sample of an untraced process; the runs of a program in a sample are as many as fit.
SAMPLE_NS = 30_000_000
GENERATIONS = 2
ALTERNATIONS = 10


def measure(database: Path) -> dict[str, Any]:
    """CPU time per run by program and mode, with the calls of a run."""
    programs: dict[str, Any] = {}
    for name in PROGRAMS:
        programs[name] = {"runs_per_sample": 0, "calls": 0, "cpu_ns": {mode: [] for mode in MODES}}
    for generation in range(GENERATIONS):
        with Workers(MODES, database) as workers:
            for name, program in programs.items():
                if generation == 0:
                    workers[0].ask(f"work {name} 10")
                    once = workers[0].ask(f"work {name} 10")["cpu_ns"] / 10
                    program["runs_per_sample"] = max(1, round(SAMPLE_NS / once))
                    program["calls"] = workers[0].ask(f"calls {name}")["calls"]
                runs = program["runs_per_sample"]
                for worker in workers:
                    worker.ask(f"work {name} {max(runs, 120)}")
                for alternation in range(ALTERNATIONS):
                    start = (generation + alternation) % len(workers)
                    for worker in workers[start:] + workers[:start]:
                        program["cpu_ns"][worker.mode].append(worker.ask(f"work {name} {runs}")["cpu_ns"] // runs)
    return programs


def main() -> int:
    """Measure and write the raw samples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database", type=Path)
    database = parser.parse_args().database
    print(write("workloads", {"programs": measure(database)}).name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
