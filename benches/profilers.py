"""Every-call profilers around the requests of a sample, each as its documentation says: started, stopped, emptied.

Beside them the callback that does nothing. yappi and viztracer are in requirements/profilers.txt and imported only by
the mode that needs them.
"""

import cProfile
from collections.abc import Callable
from typing import Protocol

from empty import EmptyCallback


class Profiler(Protocol):
    """What the worker does with one."""

    def enable(self) -> None:
        """Begin to record."""

    def disable(self) -> None:
        """Record no more."""


class Yappi:
    """yappi with its defaults, but for the wall clock: the CPU clock costs a system call for each event."""

    def __init__(self) -> None:
        import yappi

        self._yappi = yappi
        yappi.set_clock_type("wall")

    def enable(self) -> None:
        self._yappi.clear_stats()
        self._yappi.start()

    def disable(self) -> None:
        self._yappi.stop()


class VizTracer:
    """viztracer with its defaults; its ring of a million events is emptied for each sample."""

    def __init__(self) -> None:
        import viztracer

        self._tracer = viztracer.VizTracer(verbose=0)

    def enable(self) -> None:
        self._tracer.clear()
        self._tracer.start()

    def disable(self) -> None:
        self._tracer.stop()


PROFILERS: dict[str, Callable[[], Profiler]] = {
    "empty": EmptyCallback,
    "cprofile": cProfile.Profile,
    "yappi": Yappi,
    "viztracer": VizTracer,
}
