"""X-Ray sessions for Python in production.

A session traces every call of only the requests that match one transaction name, samples all threads beside them, and
merges both into one file and one report.

    import xray

    xray.install()  # or start the application by `xray run -- ...`
    session = xray.start_session(transaction="/tags/<tag>/", minutes=5)
    report = session.wait()
    print(report.text())

Importing this module starts nothing and changes nothing.
"""

from __future__ import annotations

from xray._install import install
from xray._trace import trace
from xray._transaction import set_transaction_name, transaction
from xray._xray import __version__
from xray.integrations.asgi import asgi
from xray.integrations.wsgi import wsgi

TYPE_CHECKING = False  # as `typing` has it, which takes longer to import than all of this
if TYPE_CHECKING:
    import os
    from typing import Any, Literal

    from xray.report import Report
    from xray.session import Progress, Session

__all__ = [
    "Progress",
    "Report",
    "Session",
    "__version__",
    "asgi",
    "install",
    "open",
    "set_transaction_name",
    "start_session",
    "trace",
    "transaction",
    "wsgi",
]


def start_session(
    transaction: str,
    *,
    minutes: float | None = None,
    seconds: float | None = None,
    traces: int = 100,
    stop_after: int | None = None,
    hz: int = 100,
    share: float = 0.75,
    max_overhead: float = 0.05,
    seed: int | None = None,
    path: str | os.PathLike[str] | None = None,
    scope: Literal["process", "app"] = "process",
    app: str | None = None,
) -> Session:
    """Start a session on one transaction; it is recording when this returns.

    Unlike the command line, this always arms, also for a name that nothing has used yet.

    :param transaction: which transactions to trace: a route (``/tags/<tag>/``), a handler (``blog.views.tag_detail``),
        a url name, a plain name, a glob or ``re:...``.
    :param minutes: how long to record; one minute when neither this nor ``seconds`` is given.
    :param seconds: the same in seconds.
    :param traces: how many traces are kept: the slowest, the failed, and a random share.
    :param stop_after: end after this many traced transactions.
    :param hz: samples per second of each thread.
    :param share: share of the matching transactions that is traced; the others are timed, for comparison.
    :param max_overhead: the share of the process's CPU time that xray may use.
    :param seed: makes the choices repeatable.
    :param path: the file; by default a new one in the working directory.
    :param scope: ``"process"`` records this process, ``"app"`` all processes of the application.
    :param app: with ``scope="app"``, the application's name, by default that of this process.
    :raises ValueError: an option is out of range.
    :raises RuntimeError: the session was refused: another one runs, the agent is off, no such application.
    """
    from xray import session

    return session.start(
        transaction,
        minutes=minutes,
        seconds=seconds,
        traces=traces,
        stop_after=stop_after,
        hz=hz,
        share=share,
        max_overhead=max_overhead,
        seed=seed,
        path=path,
        scope=scope,
        app=app,
    )


def open(path: str | os.PathLike[str]) -> Report:
    """Read a session file, or a part that one process left behind.

    :raises OSError: the file cannot be read.
    :raises ValueError: nothing in it is a session.
    """
    from xray import report

    return report.open(path)


def __getattr__(name: str) -> Any:
    """The classes of results are imported when they are first asked for: an application needs none of them."""
    if name in ("Progress", "Session"):
        from xray import session

        return getattr(session, name)
    if name == "Report":
        from xray.report import Report

        return Report
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
