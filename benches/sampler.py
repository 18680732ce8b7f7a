"""What samplers cost a process with twenty threads: ``python benches/sampler.py``; see README.md beside it."""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sampled import cpu_ns
from samplers import inside, outside
from workers import Worker, Workers, write

RATES = [100, 1000]
LOADS = ["parked", "mixed"]
DEPTHS = [20, 100]


class Running:
    """A sampler at work on a worker."""

    def __init__(self, worker: Worker, process: subprocess.Popen[bytes] | None) -> None:
        self.worker, self.process = worker, process
        #: Ticks per second when it has ended, if it says.
        self.hz: float | None = None

    def measure(self, seconds: float) -> Any:
        """What the worker says; the CPU time is that of the sampler, wherever it runs."""
        before = self._outside_ns()
        answer = self.worker.ask(f"measure {seconds}")
        if self.process:
            if self.process.poll() is not None:
                raise ChildProcessError(f"a sampler ended with exit code {self.process.returncode}")
            answer["cpu_ns"] = self._outside_ns() - before
        return answer

    def _outside_ns(self) -> int:
        return sum(map(cpu_ns, Path(f"/proc/{self.process.pid}/task").iterdir())) if self.process else 0


@contextmanager
def sampling(worker: Worker, sampler: str, hz: int, warm_up: float) -> Iterator[Running]:
    """A sampler has begun, and ends afterwards."""
    if sampler not in outside():
        worker.ask(f"start {hz}")
        time.sleep(warm_up)
        running = Running(worker, None)
        yield running
        running.hz = worker.ask("stop")["hz"]
        return
    with Path(os.devnull).open("wb") as nowhere:
        argv = outside()[sampler](worker.process.pid, hz, Path(os.devnull))
        process = subprocess.Popen(argv, stdout=nowhere, stderr=nowhere)
        try:
            time.sleep(warm_up + 1.0)  # it starts, and finds its way about the process
            yield Running(worker, process)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def cost(sampler: str, load: str, depth: int, seconds: float, repeats: int) -> dict[str, list[Any]]:
    """Samples of the sampler's CPU time, by rate."""
    mode = sampler if sampler in inside() else "none"
    samples: dict[str, list[Any]] = {str(hz): [] for hz in RATES}
    with Workers([mode], Path(), "sampled.py") as (worker,):
        worker.ask(f"load {load} {depth}")
        for _ in range(repeats):
            for hz in RATES:
                with sampling(worker, sampler, hz, 0.3) as running:
                    sample = running.measure(seconds)
                samples[str(hz)].append(sample | {"hz": running.hz})
    return samples


def throughput(sampler: str, hz: int, windows: int, seconds: float) -> list[dict[str, Any]]:
    """What the load did in pairs of windows, one with the sampler and one without, either of them first in turn."""
    mode = sampler if sampler in inside() else "none"
    pairs = []
    with Workers([mode], Path(), "sampled.py") as (worker,):
        worker.ask("load one-busy 20")
        for pair in range(windows):
            without = worker.ask(f"measure {seconds}") if pair % 2 else None
            with sampling(worker, sampler, hz, 0.1) as running:
                sampled = running.measure(seconds)
            time.sleep(0.1)
            pairs.append({"sampled": sampled, "without": without or worker.ask(f"measure {seconds}")})
    return pairs


def achieved(sampler: str, seconds: float) -> float | None:
    """Ticks per second of 1,000 with two threads that keep two cores busy."""
    with Workers([sampler], Path(), "sampled.py") as (worker,):
        worker.ask("load two-busy 20")
        with sampling(worker, sampler, 1000, 0) as running:
            running.measure(seconds)
    return running.hz


def main() -> int:
    """Measure and write the raw samples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database", type=Path, nargs="?", default=Path(), help="not used")
    parser.add_argument("--samplers", nargs="*", default=[*inside(), *outside()], help="all that are installed")
    parser.add_argument("--seconds", type=float, default=2.0, help="of one sample of CPU time (2)")
    parser.add_argument("--repeats", type=int, default=3, help="samples of each (3)")
    parser.add_argument("--windows", type=int, default=20, help="pairs of windows for the throughput (20)")
    parser.add_argument("--window-seconds", type=float, default=0.5, help="of one of them (0.5)")
    given = parser.parse_args()
    result: dict[str, Any] = {"threads": 20, "cost": {}, "throughput": {}, "achieved_hz": {}}
    for sampler in given.samplers:
        print(f"   {sampler}", flush=True)
        result["cost"][sampler] = {
            f"{load}, depth {depth}": cost(sampler, load, depth, given.seconds, given.repeats)
            for load in LOADS
            for depth in DEPTHS
        }
        rates = RATES if sampler == "xray" else [1000]
        result["throughput"][sampler] = {
            str(hz): throughput(sampler, hz, given.windows, given.window_seconds) for hz in rates
        }
        if sampler in inside() and sampler != "ddtrace":
            result["achieved_hz"][sampler] = [achieved(sampler, given.seconds) for _ in range(given.repeats)]
    print(write("sampler", result).name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
