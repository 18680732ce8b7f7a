"""What a wrapped call of a library costs over the bare one, without a session: ``python benches/calls.py``.

One process; bare and wrapped are timed in turn, and which comes first changes each time.
"""

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

from workers import write

import xray
from xray.integrations._segments import trace_calls


class Bare:
    """A library."""

    def method(self, a: int, b: int = 0) -> int:
        """The shortest that there is."""
        return a

    async def coroutine(self, a: int, b: int = 0) -> int:
        """The same as a coroutine."""
        return a


class Wrapped(Bare):
    """The same library with an integration."""

    method = Bare.method
    coroutine = Bare.coroutine


def enter(*args: Any, **kwargs: Any) -> bool:
    """Never called: nothing is traced."""
    raise AssertionError


for name in "method", "coroutine":
    trace_calls(Wrapped, name, enter)


def positional(library: Bare, count: int) -> None:
    """Two arguments by position."""
    for _ in range(count):
        library.method(1, 2)


def by_keyword(library: Bare, count: int) -> None:
    """One of them by its name."""
    for _ in range(count):
        library.method(1, b=2)


def unpacked(library: Bare, count: int) -> None:
    """From a tuple and a dictionary."""
    args, kwargs = (1,), {"b": 2}
    for _ in range(count):
        library.method(*args, **kwargs)


def coroutine(library: Bare, count: int) -> None:
    """A coroutine, driven to its end."""
    for _ in range(count):
        try:
            library.coroutine(1, 2).send(None)
        except StopIteration:
            pass


CALLS: list[Callable[[Bare, int], None]] = [positional, by_keyword, unpacked, coroutine]


def nanoseconds(call: Callable[[Bare, int], None], library: Bare, count: int) -> float:
    """CPU time of one call."""
    before = time.process_time_ns()
    call(library, count)
    return (time.process_time_ns() - before) / count


def main() -> int:
    """Measure and write the raw samples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database", nargs="?", help="not used")
    parser.add_argument("--alternations", type=int, default=40, help="alternations (40)")
    parser.add_argument("--calls", type=int, default=200_000, help="calls in one sample (200000)")
    given = parser.parse_args()
    xray.install(app="benches")
    with xray.transaction("starts the agent"):
        pass
    libraries = {"bare": Bare(), "wrapped": Wrapped()}
    samples: dict[str, dict[str, list[float]]] = {call.__name__: {"bare": [], "wrapped": []} for call in CALLS}
    for alternation in range(given.alternations):
        order = sorted(libraries, reverse=bool(alternation % 2))
        for call in CALLS:
            for which in order:
                samples[call.__name__][which].append(nanoseconds(call, libraries[which], given.calls))
    print(write("calls", {"calls_per_sample": given.calls, "cpu_ns": samples}).name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
