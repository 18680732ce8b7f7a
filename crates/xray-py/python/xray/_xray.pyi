"""The native half of xray. Nothing here raises into the application unless its docstring says so."""

from collections.abc import Callable, MutableMapping, Sequence
from types import CodeType
from typing import Any, final

__all__ = [
    "BACKGROUND",
    "OTHER",
    "SEGMENT_CACHE",
    "SEGMENT_EXTERNAL",
    "SEGMENT_QUEUE",
    "SEGMENT_SQL",
    "SEGMENT_TEMPLATE",
    "WEB",
    "Answer",
    "Report",
    "Session",
    "Transaction",
    "__version__",
    "after_fork_in_child",
    "answering_request",
    "begin",
    "begin_answer",
    "begin_request",
    "configure",
    "context_changed",
    "context_wanted",
    "contexts_are_needed",
    "current",
    "current_request",
    "enter_segment",
    "enter_sql",
    "label_code",
    "leave_segment",
    "main",
    "method_name",
    "open_report",
    "recording",
    "shutdown",
    "start_session",
    "steps",
    "tracing",
    "want_arguments",
    "wrap_announced",
    "wrap_function",
    "wrap_requests",
    "wrap_transactions",
]

__version__: str

#: Kinds of a transaction.
WEB: int
BACKGROUND: int
OTHER: int

#: Kinds of a segment.
SEGMENT_SQL: int
SEGMENT_TEMPLATE: int
SEGMENT_EXTERNAL: int
SEGMENT_CACHE: int
SEGMENT_QUEUE: int

#: A route of the application's router: (methods or None, template, handler or None, url name or None).
_Route = tuple[Sequence[str] | None, str, str | None, str | None]

def configure(
    app: str,
    routes: Callable[[], Sequence[_Route]],
    tasks: Callable[[], Sequence[str]],
    resolve_path: Callable[[str], str | None],
    framework: Callable[[], str | None],
    own_directory: str,
) -> None:
    """Prepare the agent of this process; starts no thread.

    ``routes`` lists what the application's router knows, ``tasks`` the names of background tasks that it can be sent,
    ``resolve_path`` turns a concrete path into its template (or None), ``framework`` names the framework and its
    version. All of them are called from an agent thread with the GIL.
    Code of files below ``own_directory`` is xray's own and never shown. Called again, it replaces what was set.
    """

def begin(kind: int, alone: bool = False) -> Transaction | None:
    """Begin a transaction in the current context; None when the agent is off. The first one starts the agent.

    With ``alone`` it is no part of the transaction around it.
    """

def begin_request() -> Transaction | None:
    """Begin the transaction of a request; None when the context is inside the call that answers one, or the agent off.

    What an earlier request has left open in this context was never closed by its server: it ends here, as incomplete.
    """

def begin_answer(
    app: object,
    scope: MutableMapping[str, Any],
    send: Callable[[Any], Any],
    name_early: Callable[..., None],
    name_last: Callable[..., None],
) -> Answer | None:
    """Begin the transaction of a request or websocket of an ASGI application.

    None inside one, when the agent is off, and for what is neither. ``name_early(app, transaction, scope)`` names it at
    once while a session records, ``name_last`` at its end if nothing else has.
    """

def current_request() -> Transaction | None:
    """The transaction of the request whose answering call the current context is in."""

def answering_request(of: object) -> Transaction | None:
    """The same, if it is the request that was begun with this object.

    An application may send requests to another one in its own process while it answers one; these are part of it, and
    name nothing.
    """

def context_changed() -> None:
    """Other code than this package's may have set the running context's transaction: look it up again."""

def context_wanted() -> None:
    """The running context is about to be copied: have its transaction there."""

def contexts_are_needed() -> None:
    """Threads do not tell requests from one another: each has its transaction in its context from now on."""

def method_name(method: str | None) -> str:
    """A method as it may be part of a name: a standard one, or ``OTHER``."""

def current() -> Transaction | None:
    """The open transaction of the current context."""

def recording() -> bool:
    """Whether a session records in this process: only then are early names needed."""

def tracing() -> bool:
    """Whether the current context is being traced."""

@final
class Transaction:
    """One transaction; ends once, by :meth:`end`, or when it is dropped (then as incomplete)."""

    @property
    def kind(self) -> int: ...
    @property
    def ended(self) -> bool: ...
    @property
    def named(self) -> bool:
        """Whether a name was set."""

    def set_route(
        self,
        method: str | None,
        route: str | None,
        handler: str | None,
        url_name: str | None,
        path: str | None,
    ) -> int:
        """Name it by its route, and return the number of that name.

        The first name decides whether it is traced; the last one whether the trace is kept.
        ``route`` is the template as the framework writes it, None for "not found". ``path`` is the concrete path
        without query, kept as an attribute of a trace. Methods are made :func:`method_name`.
        """

    def set_known(self, name: int | None) -> bool:
        """Set a name by the number that :meth:`set_route` gave it.

        False, and nothing done, where that is not enough: while a session records, below a mount, and without a number.
        """

    @property
    def mounted(self) -> bool:
        """Whether :meth:`mount` was called."""

    def mount(self, path: str, name: str | None) -> None:
        """What answers is mounted below ``path``, with ``name`` in front of the names of its urls.

        Routes that are set from now on are below it. Mounts inside one another add up.
        """

    def set_name(self, name: str, by_application: bool = False) -> None:
        """Name it by a plain name: a task, a marked block. The name that the application itself gives is the last."""

    def returned(self) -> None:
        """The call that answers the request is over: a request that begins in this context now is another one."""

    def set_status(self, status: int) -> None: ...
    def set_error(self, error: str) -> None:
        """Type of the exception that ended it: ``builtins.ValueError``."""

    def set_attribute(self, key: str, value: str) -> None:
        """Kept with the trace, if it is traced."""

    def end(self) -> None:
        """End it now, in this or another context. A second call does nothing."""

    def abandon(self) -> None:
        """End it as incomplete, as if it were dropped: what it belonged to is over, nobody knows since when."""

@final
class Answer:
    """The call of an ASGI application that answers a request or a websocket."""

    @property
    def transaction(self) -> Transaction: ...
    def send(self, message: Any) -> Any:
        """The server's ``send``; notes the status, and ends the transaction of a request with the response."""

    def end(self) -> None:
        """End the transaction, named for certain. A second call does nothing."""

    def end_with(self, error: BaseException) -> None:
        """End it by the exception that ended the application's call."""

def enter_segment(kind: int, name: str, detail: str | None = None) -> bool:
    """Open a segment in the trace of the current context.

    False (and nothing to leave) when it is not traced, and for a call to a service, cache or queue inside another one
    of its kind: a call that leaves the process is one segment, through however many layers of clients it goes.
    """

def enter_sql(statement: str, vendor: str, again: bool = False) -> bool:
    """Open a segment for an SQL statement: obfuscates it, names it ``table - OPERATION``, notes the call site.

    False also inside a segment for the same statement. ``again``: it was open before and goes on, for its rows.
    """

def leave_segment(rows: int, failed: bool, outcome: str | None = None) -> None:
    """Close the innermost open segment.

    ``rows`` is -1 when not known. ``outcome`` is how a call came out (``200``, ``hit``), counted below it.
    """

def wrap_function(wrapped: Callable[..., Any], traced: Callable[..., Any]) -> Any:
    """Make a callable that stands in for a function: it looks, binds and pickles like ``wrapped``.

    It calls ``wrapped(...)``, or ``traced(wrapped, ...)`` while the current context is traced.
    """

def wrap_announced(wrapped: Callable[..., Any], announce: Callable[..., Any]) -> Callable[..., Any]:
    """Make a callable that stands in for a function, as :func:`wrap_function` does.

    It calls ``announce(...)`` and then ``wrapped(...)``. What ``announce`` returns counts for nothing, nor what it
    raises, unless that is no ``Exception``.
    """

def wrap_transactions(wrapped: Callable[..., Any], other: Callable[..., Any]) -> Any:
    """Make a callable that stands in for a function, as :func:`wrap_function` does.

    It calls ``wrapped(...)``, or ``other(wrapped, ...)`` while there are objects of :class:`Transaction`.
    """

def wrap_requests(
    wrapped: Callable[..., Any],
    begin: Callable[..., Transaction | None],
    name: Callable[[Any], int],
    settle: Callable[..., None],
) -> Any:
    """Make a callable that stands in for a function whose calls each answer a request, as :func:`wrap_function` does.

    While a session records, and where contexts are needed, it calls ``begin(...)`` with the arguments of the call, then
    ``wrapped(...)``, then ``settle(transaction, result, error, ...)``. With no session it calls ``wrapped(...)`` and
    then ``name(result)``, which gives the number of the request's name if the request is over. If that or ``wrapped``
    fails, or if something has asked for the transaction meanwhile, ``settle`` is called, too.
    """

def steps(awaited: Any, enter: Callable[[], bool], leave: Callable[[Any], None]) -> Any:
    """Make a coroutine (or generator) that drives ``awaited`` with a segment, which is suspended while it waits.

    ``enter()`` opens the segment before the first step and says whether it did; ``leave(result)`` closes it after the
    last one. When the coroutine ends by an exception the segment is closed as failed.
    """

def label_code(code: CodeType, kind: int, name: str) -> None:
    """Show calls of ``code`` as segments: it was compiled from something else than Python."""

def want_arguments(code: CodeType, redact: Sequence[str]) -> None:
    """Record what this code is called with, wherever it is traced; values of these parameters are left out."""

def after_fork_in_child() -> None:
    """Forget the parent's threads, session and sockets."""

def shutdown() -> None:
    """End the session of this process, finish its part, stop the agent's threads (at most 2 s)."""

def start_session(options_json: str) -> Session:
    """Start a session; ``options_json`` are the arguments of :func:`xray.start_session`.

    :raises ValueError: an option is out of range.
    :raises RuntimeError: refused: another session runs, no application (``scope="app"``), the agent is off.
    """

@final
class Session:
    @property
    def id(self) -> str: ...
    @property
    def path(self) -> str:
        """Where the file will be."""

    def progress_json(self) -> str:
        """The state of the session as JSON; see :class:`xray.Progress`."""

    def stop(self) -> None:
        """End recording; :meth:`wait` still gives the report."""

    def wait(self) -> Report:
        """Wait until the session has ended and its file is written (without the GIL).

        :raises RuntimeError: called inside a transaction that the session traces: it could never end.
        :raises OSError: the file cannot be written.
        """

def open_report(path: str) -> Report:
    """Read a session file or part.

    :raises OSError: the file cannot be read.
    :raises ValueError: nothing in it is a session.
    """

@final
class Report:
    def json(self) -> str:
        """``xray.report/1``."""

    def trace_json(self, trace_id: str) -> str | None:
        """``xray.trace/1``, or None for an unknown id."""

    def tree_json(self, source: str) -> str:
        """``xray.tree/1``; ``source`` is ``samples`` or ``calls``."""

    def percentile(self, arm: str, percentile: float) -> int | None:
        """Latency in nanoseconds; ``arm`` is ``traced``, ``control`` or ``all``."""

    def text(self, width: int, color: bool) -> str: ...
    def html(self) -> str: ...

def main(argv: Sequence[str]) -> int:
    """The ``xray`` command; ``argv`` includes the program's name. Returns the exit code."""
