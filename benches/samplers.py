"""Samplers for :mod:`sampler` to compare: those that run in the process, and those that look at it from outside.

``requirements/`` has py-spy and austin in ``profilers.txt`` and ddtrace in ``peers.txt``; one that is not installed, or
does not know this Python, is left out.
"""

import importlib.util
import os
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol


class Sampler(Protocol):
    """One that runs in the process."""

    def start(self, hz: int) -> None:
        """Begin to sample."""

    def stop(self) -> float | None:
        """Sample no more; ticks per second, if it says."""


class Xray:
    """A whole session on a transaction that nobody calls: sampler, collector, file."""

    def __init__(self) -> None:
        import xray

        self._xray: Any = xray
        xray.install(app="benches")
        with xray.transaction("first"):
            pass

    def start(self, hz: int) -> None:
        path = Path(os.environ["XRAY_BENCH_DIR"]) / f"{os.getpid()}.xr"
        path.unlink(missing_ok=True)
        self._session = self._xray.start_session("none", minutes=30, hz=hz, max_overhead=1.0, path=path)

    def stop(self) -> float | None:
        self._session.stop()
        return float(self._session.wait().to_dict()["samples"]["achieved_hz"])


class CurrentFrames:
    """The sampler that anybody can write: a thread that asks for all frames, and counts stacks."""

    def start(self, hz: int) -> None:
        self._stop, self._ticks, self._began = False, 0, time.monotonic()
        self.stacks: Counter[tuple[tuple[str, int], ...]] = Counter()
        self._thread = threading.Thread(target=self._run, args=(hz,))
        self._thread.start()

    def _run(self, hz: int) -> None:
        due = time.monotonic()
        while not self._stop:
            due = max(due + 1 / hz, time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))
            self._ticks += 1
            for ident, frame in sys._current_frames().items():
                stack, at = [], frame
                while ident != threading.get_ident() and at is not None:
                    stack.append((at.f_code.co_qualname, at.f_lineno))
                    at = at.f_back  # type: ignore[assignment]
                self.stacks[tuple(stack)] += 1

    def stop(self) -> float | None:
        self._stop = True
        self._thread.join()
        return self._ticks / (time.monotonic() - self._began)


class Datadog:
    """ddtrace's profiler, whose rate adapts to a bound of its own; it has no setting for one."""

    def __init__(self) -> None:
        os.environ |= {
            "DD_TRACE_AGENT_URL": "http://127.0.0.1:9",
            "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
            "DD_REMOTE_CONFIGURATION_ENABLED": "false",
            "DD_CRASHTRACKING_ENABLED": "false",
            "DD_PROFILING_MEMORY_ENABLED": "false",
            "DD_PROFILING_LOCK_ENABLED": "false",
            "DD_TRACE_ENABLED": "false",
        }
        from ddtrace.profiling import Profiler

        self._profiler: Any = Profiler()

    def start(self, hz: int) -> None:
        self._profiler.start()

    def stop(self) -> float | None:
        self._profiler.stop(flush=False)
        return None


INSIDE: dict[str, Callable[[], Sampler]] = {
    "xray": Xray,
    "current_frames": CurrentFrames,
    "ddtrace": Datadog,
}


def inside() -> list[str]:
    """Samplers that this Python has."""
    return [name for name in INSIDE if name != "ddtrace" or importlib.util.find_spec("ddtrace")]


def _beside(name: str) -> str | None:
    """A command installed with this Python."""
    return shutil.which(name, path=str(Path(sys.executable).parent))


def outside() -> dict[str, Callable[[int, int, Path], list[str]]]:
    """Commands that sample a process at a rate into a file until they are interrupted."""
    found: dict[str, Callable[[int, int, Path], list[str]]] = {}
    if (spy := _beside("py-spy")) and sys.version_info < (3, 14):
        record = [spy, "record", "--idle", "--format", "raw"]
        found["py-spy"] = lambda pid, hz, file: [*record, "-r", str(hz), "-o", str(file), "-p", str(pid)]
        found["py-spy, nonblocking"] = lambda pid, hz, file: [*found["py-spy"](pid, hz, file), "--nonblocking"]
    if (austin := _beside("austin")) and sys.version_info < (3, 14):
        found["austin"] = lambda pid, hz, file: [austin, "-i", str(10**6 // hz), "-o", str(file), "-p", str(pid)]
    if sys.version_info >= (3, 15):
        attach = [sys.executable, "-m", "profiling.sampling", "attach", "-a", "--collapsed"]
        found["tachyon"] = lambda pid, hz, file: [*attach, "-r", str(hz), "-o", str(file), str(pid)]
    return found
