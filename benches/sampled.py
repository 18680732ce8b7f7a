"""A process with twenty threads that samplers look at; started by :mod:`sampler` with a sampler's name, or ``none``.

Reads commands from its standard input, answers each with a line of JSON:

- ``load NAME DEPTH``: start the threads of a load, so many calls deep each
- ``start HZ``, ``stop``: the sampler; ``stop`` answers ticks per second, if it says
- ``measure SECONDS``: wall time, what the load's Python threads did, CPU time of all threads that are not the load's
"""

import json
import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from samplers import INSIDE

DATA = bytes(range(256)) * 200
NEVER = threading.Event()
#: What the threads that compute in Python have done. Each has one of its own.
DONE: list[list[int]] = []


def park() -> None:
    """Wait for what does not come."""
    NEVER.wait()


def sleep() -> None:
    """Little to do, as a thread that waits for a database: 100 times per second."""
    while True:
        sum(range(50))
        time.sleep(0.01)


def compute() -> None:
    """Python code, at all times."""
    done = [0]
    DONE.append(done)
    while True:
        done[0] += len(str(sum(range(100))))


def compress() -> None:
    """C code without the GIL."""
    done = [0]
    DONE.append(done)
    while True:
        zlib.compress(DATA)
        done[0] += 1


#: Threads of each kind, twenty together.
LOADS: dict[str, list[tuple[Callable[[], None], int]]] = {
    "parked": [(park, 20)],
    "mixed": [(park, 8), (sleep, 8), (compute, 2), (compress, 2)],
    "one busy": [(park, 12), (sleep, 7), (compute, 1)],
    "two busy": [(park, 18), (compress, 2)],
}


def deep(calls: int, body: Callable[[], None]) -> None:
    """So many frames below the body."""
    if calls:
        deep(calls - 1, body)
    else:
        body()


class Sampled:
    """The commands."""

    def __init__(self, sampler: str) -> None:
        self.own = {threading.get_native_id()}
        self.sampler = INSIDE[sampler]() if sampler != "none" else None

    def load(self, name: str, depth: str) -> object:
        threads = [
            threading.Thread(target=deep, args=(int(depth) - 4, body), daemon=True)
            for body, count in LOADS[name.replace("-", " ")]
            for _ in range(count)
        ]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        self.own |= {thread.native_id for thread in threads if thread.native_id}
        return {"threads": len(threads)}

    def start(self, hz: str) -> object:
        assert self.sampler
        self.sampler.start(int(hz))
        return {}

    def stop(self) -> object:
        assert self.sampler
        return {"hz": self.sampler.stop()}

    def measure(self, seconds: str) -> object:
        before, began = (sum(done for (done,) in DONE), self._others_ns()), time.monotonic_ns()
        time.sleep(float(seconds))
        after, ended = (sum(done for (done,) in DONE), self._others_ns()), time.monotonic_ns()
        return {"wall_ns": ended - began, "done": after[0] - before[0], "cpu_ns": after[1] - before[1]}

    def _others_ns(self) -> int:
        """CPU time of the threads that are not the load's."""
        return sum(cpu_ns(task) for task in Path("/proc/self/task").iterdir() if int(task.name) not in self.own)


def cpu_ns(task: Path) -> int:
    """CPU time of a thread, in ns."""
    try:
        return int((task / "schedstat").read_text().split()[0])
    except OSError:  # it has ended
        return 0


def main() -> int:
    """Answer until the benchmark kills the process."""
    sampled = Sampled(sys.argv[1])
    commands: dict[str, Callable[..., Any]] = {
        "load": sampled.load,
        "start": sampled.start,
        "stop": sampled.stop,
        "measure": sampled.measure,
    }
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        name, *given = line.split()
        print(json.dumps(commands[name](*given)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
