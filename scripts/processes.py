"""Child processes that never outlive their parent: each leads its own group, and every group is ended by its id."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

GRACE_SECONDS = 10.0


class Interrupted(SystemExit):
    """Raised in the main thread by SIGINT, SIGTERM or SIGHUP; exits with 128 + the signal's number."""


class Processes:
    """Starts processes and ends all of them, whatever happens: use it in a ``with`` statement."""

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[bytes]] = []
        self._handlers: dict[signal.Signals, object] = {}
        self._starting = False
        self._interrupted_by: int | None = None

    def __enter__(self) -> "Processes":
        if threading.current_thread() is threading.main_thread():
            self._handlers = {number: signal.signal(number, self._interrupt) for number in self.SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number in self._handlers:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave half of them behind
        try:
            self.stop()
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)  # type: ignore[arg-type]

    def start(
        self,
        argv: Sequence[str],
        log: Path,
        env: Mapping[str, str],
        cwd: Path,
        fds: Sequence[int] = (),
        user: str | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start ``argv`` in a group of its own, with its output in ``log``; ``fds`` stay open in it.

        ``user`` is another account to run it as, for root.
        """
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT, "pass_fds": fds}
        with open(log, "wb") as output:
            return self._start(argv, env, cwd, stdout=output, user=user, **streams)

    def run(self, argv: Sequence[str], env: Mapping[str, str] | None = None, cwd: Path | None = None) -> int:
        """Run ``argv`` with this terminal's input and output; its exit code. Interrupted, it ends with its children."""
        process = self._start(argv, env, cwd)
        code = process.wait()
        self._started.remove(process)
        return code

    def _start(
        self, argv: Sequence[str], env: Mapping[str, str] | None, cwd: Path | None, **streams: Any
    ) -> subprocess.Popen[bytes]:
        self._starting = True
        try:
            process = subprocess.Popen(argv, env=env, cwd=cwd, start_new_session=True, **streams)
            self._started.append(process)
        finally:
            self._starting = False
        if self._interrupted_by is not None:
            raise Interrupted(128 + self._interrupted_by)
        return process

    def _interrupt(self, number: int, _: FrameType | None) -> None:
        self._interrupted_by = number
        if not self._starting:  # else a process would be started and not noted
            raise Interrupted(128 + number)

    def stop(self) -> None:
        """End every group: SIGTERM, then SIGKILL for what is left after the grace time."""
        for process in reversed(self._started):
            _signal_group(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        while any(_is_alive(process) for process in self._started) and time.monotonic() < deadline:
            time.sleep(0.02)
        for process in self._started:
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()
        self._started.clear()


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        pass  # nobody is left in it


def _is_alive(process: subprocess.Popen[bytes]) -> bool:
    """Whether anyone of the group of ``process`` is left; reaps the leader."""
    process.poll()
    try:
        os.killpg(process.pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
