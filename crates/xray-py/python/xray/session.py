"""Sessions of this process or application, started from Python."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from types import TracebackType
from typing import Literal

from xray import _xray
from xray._decode import decode
from xray._install import disabled, prepare
from xray.report import Report


@dataclass(frozen=True, slots=True)
class Progress:
    """How a session goes. Times are nanoseconds, shares 0 to 1."""

    #: ``armed``, ``recording``, ``draining`` or ``finished``.
    state: str
    #: Since recording began.
    elapsed_ns: int
    #: Matching transactions traced to the end.
    traced: int
    #: Matching transactions that were timed and not traced.
    control: int
    #: Transactions that do not match.
    other: int
    #: Matching transactions that failed.
    errors: int
    #: Traced transactions that run now.
    in_flight: int
    #: Stack samples taken.
    samples: int
    #: xray's share of the CPU time over the last 5 s.
    overhead: float
    #: Share of the matching transactions that is traced now.
    share: float
    #: Median latency of the matching transactions; None before the first.
    p50_ns: int | None
    #: 95th percentile of the same.
    p95_ns: int | None
    #: What was dropped because a bound was reached.
    lost: int
    #: Why recording ended, None while it goes on.
    stopped_by: str | None

    @property
    def matched(self) -> int:
        """All matching transactions."""
        return self.traced + self.control


class Session:
    """A running or finished session; made by :func:`xray.start_session`.

    As a context manager it is stopped at the end of the block, and its file is written.
    """

    def __init__(self, native: _xray.Session) -> None:
        self._native = native
        self._report: Report | None = None

    def __repr__(self) -> str:
        return f"<xray.Session {self.id} of {self.path}>"

    @property
    def id(self) -> str:
        """Its identity, as ``xray session list`` shows it."""
        return self._native.id

    @property
    def path(self) -> str:
        """Where the file is, or will be."""
        return self._native.path

    @property
    def progress(self) -> Progress:
        """How it goes now."""
        return decode(Progress, json.loads(self._native.progress_json()))

    def stop(self) -> None:
        """End recording; open traces are given up to 10 s to end. :meth:`wait` then gives the report."""
        self._native.stop()

    def wait(self) -> Report:
        """Wait until the session has ended and its file is written. Other threads run meanwhile.

        :raises RuntimeError: called inside a transaction that the session traces: it could never end.
        :raises OSError: the file cannot be written.
        """
        if self._report is None:
            self._report = Report(self._native.wait())
        return self._report

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        if kind is None:
            self.wait()
            return
        try:
            self.wait()
        except (OSError, RuntimeError):
            # What ended the block says more.
            pass


def start(
    transaction: str,
    *,
    minutes: float | None,
    seconds: float | None,
    traces: int,
    stop_after: int | None,
    hz: int,
    share: float,
    max_overhead: float,
    seed: int | None,
    path: str | os.PathLike[str] | None,
    scope: Literal["process", "app"],
    app: str | None,
) -> Session:
    """See :func:`xray.start_session`."""
    if not isinstance(transaction, str):
        raise TypeError(f"transaction is a name, not {transaction!r}")
    if minutes is not None and seconds is not None:
        raise ValueError("give minutes or seconds, not both")
    if scope not in ("process", "app"):
        raise ValueError(f"scope is {scope!r}; use 'process' or 'app'")
    if app is not None and scope != "app":
        raise ValueError("app needs scope='app': scope='process' records this process")
    if disabled():
        raise RuntimeError("xray is turned off: XRAY_DISABLE is set")
    prepare()
    options = {
        "transaction": transaction,
        "minutes": minutes,
        "seconds": seconds,
        "traces": traces,
        "stop_after": stop_after,
        "hz": hz,
        "share": share,
        "max_overhead": max_overhead,
        "seed": seed,
        "path": None if path is None else os.fsdecode(path),
        "scope": scope,
        "app": app,
    }
    return Session(_xray.start_session(json.dumps(options, allow_nan=False)))
