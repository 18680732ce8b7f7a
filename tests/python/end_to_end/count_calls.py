"""Counts Python calls by function, in a process of its own: ``count_calls.py profiler|xray OUT program|blog ARGUMENT``.

``profiler`` counts with ``sys.setprofile`` and never imports xray; ``xray`` counts with a session. Both do the same
work before they count, so that all caches are in the same state. Writes JSON: a list of [name, file, line, calls].
"""

import collections
import gc
import importlib.util
import io
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

TAGBLOG = Path(__file__).resolve().parents[3] / "examples" / "tagblog"
TAG_PATHS = ["/tags/django/", "/tags/python/", "/tags/templates/"]
#: Fewer calls than this prove little: a program is repeated until it makes them.
ENOUGH_CALLS = 10_000

Counts = collections.Counter[tuple[str, str, int]]
Work = Callable[[], object]


def count_with_profiler(work: Work) -> Counts:
    """Calls and resumes of every Python function while ``work`` runs."""
    counts: dict[int, list[Any]] = {}

    def profile(frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            code = frame.f_code
            counts.setdefault(id(code), [code, 0])[1] += 1

    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    total: Counts = collections.Counter()
    for code, calls in counts.values():
        assert isinstance(code, CodeType)
        total[code.co_qualname, code.co_filename, code.co_firstlineno] += calls
    return total


def count_with_xray(work: Work, transaction: str, expected: int) -> Counts:
    """The same from the traces of a session."""
    import xray

    path = Path(tempfile.mkdtemp()) / "session.xr"
    session = xray.start_session(transaction, seconds=300, path=path, share=1.0, max_overhead=1.0, seed=1)
    work()
    session.stop()
    report = session.wait()
    assert report.requests.traced == expected, report.requests
    assert len(report.traces) == expected
    total: Counts = collections.Counter()
    for trace in report.traces:
        assert trace.summary.complete, trace
        # Calls of functions that could not be told apart; folded paths are still counted by function.
        assert sum(node.calls for node in trace.nodes if node.kind == "other") == 0, trace
        for node in trace.nodes:
            if node.kind == "function":
                total[node.name, str(node.file), int(node.line or 0)] += node.calls + node.resumes
    return total


def program(file: str) -> Work:
    """``main`` of a Python file."""
    spec = importlib.util.spec_from_file_location("generated", file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    main: Work = module.main
    return main


def blog() -> Work:
    """Requests to the tag page, by the blog's own WSGI application."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tagblog.settings"
    sys.path.insert(0, str(TAGBLOG))
    from django.core.wsgi import get_wsgi_application

    application = get_wsgi_application()

    def request(path: str) -> None:
        environ = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": sys.stderr,
        }
        response = application(environ, start_response)
        assert response.status_code == 200
        collections.deque(response, maxlen=0)
        response.close()

    return lambda: [request(path) for path in TAG_PATHS]


def start_response(status: str, headers: list[tuple[str, str]], error: object = None) -> None:
    """What the server would send."""


def main() -> None:
    """Warm up, count, write."""
    how, out, what, argument = sys.argv[1:5]
    repeat = int(sys.argv[5]) if len(sys.argv) > 5 else 1
    if how == "xray":
        import xray

        xray.install(app="counts")
    work = program(argument) if what == "program" else blog()
    for _ in range(3):
        work()
    gc.collect()
    gc.disable()  # what it finalizes, and when, is not the same in two processes
    if how == "profiler":
        if what == "program":
            calls = sum(count_with_profiler(work).values())
            repeat = -(-ENOUGH_CALLS // max(calls, 1))
        else:
            work()
        counts = count_with_profiler(lambda: [work() for _ in range(repeat)])
    elif what == "program":
        work()

        def transaction() -> None:
            with xray.transaction("generated"):
                for _ in range(repeat):
                    work()

        counts = count_with_xray(transaction, "generated", 1)
    else:
        work()
        counts = count_with_xray(work, "/tags/<tag>/", len(TAG_PATHS))
    here = str(Path(__file__))
    rows = [[*key, calls] for key, calls in sorted(counts.items()) if key[1] not in (here, __file__)]
    Path(out).write_text(json.dumps({"repeat": repeat, "counts": rows}))


if __name__ == "__main__":
    main()
