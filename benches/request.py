"""What a session costs the blog's tag request: ``python benches/request.py DATABASE``; see README.md beside it."""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers import Workers, write

PATH = "/tags/django/"


@dataclass(frozen=True)
class Experiment:
    """Modes that are compared, each sample of one with the sample of ``untraced`` in the same alternation."""

    modes: tuple[str, ...]
    #: Requests before the first sample: a session keeps its first hundred traces, and the budget needs time to settle.
    warm_up: int
    #: Requests in one sample.
    requests: int
    #: Fresh sets of processes: how one process's memory happens to be laid out is good for some per cent.
    generations: int
    #: Alternations in each.
    alternations: int


EXPERIMENTS = {
    "full": Experiment(
        ("untraced", "matched", "empty", "other", "cprofile", "yappi", "viztracer", "newrelic"), 300, 20, 3, 8
    ),
    # Two processes only: one that is idle most of the time is not held to the budget.
    "defaults": Experiment(("untraced", "defaults"), 800, 100, 2, 10),
}


def measure(experiment: Experiment, database: Path) -> dict[str, Any]:
    """CPU and wall time per request, by mode."""
    cpu: dict[str, list[int]] = {mode: [] for mode in experiment.modes}
    wall: dict[str, list[int]] = {mode: [] for mode in experiment.modes}
    for generation in range(experiment.generations):
        with Workers(list(experiment.modes), database) as workers:
            for _ in range(experiment.warm_up // experiment.requests):
                for worker in workers:
                    worker.ask(f"run {PATH} {experiment.requests}")
            for alternation in range(experiment.alternations):
                start = (generation + alternation) % len(workers)
                for worker in workers[start:] + workers[:start]:
                    answer = worker.ask(f"run {PATH} {experiment.requests}")
                    cpu[worker.mode].append(answer["cpu_ns"] // experiment.requests)
                    wall[worker.mode].append(answer["wall_ns"] // experiment.requests)
    return {"requests_per_sample": experiment.requests, "cpu_ns": cpu, "wall_ns": wall}


def main() -> int:
    """Measure and write the raw samples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database", type=Path)
    database = parser.parse_args().database
    measured = {name: measure(experiment, database) for name, experiment in EXPERIMENTS.items()}
    print(write("request", {"path": PATH, "experiments": measured}).name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
