"""Fixtures: a recorder in place of the native functions, programs of their own process, servers on loopback."""

import asyncio
import importlib
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from processes import Processes
from recorder import Recorder
from traced import Traced

HERE = Path(__file__).parent

# Agents of tests must not meet those of the machine's user, and XRAY_* of the caller must not steer them.
for variable in [name for name in os.environ if name.startswith("XRAY_")]:
    if variable != "XRAY_PYTHONS":
        del os.environ[variable]


@pytest.fixture(autouse=True, scope="session")
def socket_directory(tmp_path_factory):
    """A directory of sockets for this run; sockets have short paths."""
    directory = tmp_path_factory.mktemp("x")
    directory.chmod(0o700)
    os.environ["XRAY_SOCKET_DIR"] = str(directory)
    return directory


@pytest.fixture
def recorder(monkeypatch):
    """What integrations tell, instead of telling it the agent."""
    # The libraries first: their integrations are imported by the hook, never by themselves.
    for library in ("sqlite3", "wsgiref.simple_server", "django.core.handlers.wsgi", "django.template.loader_tags"):
        importlib.import_module(library)
    import xray

    xray.install()
    from xray.integrations import _base, django, wsgi

    recorder = Recorder()
    modules = [sys.modules["xray._transaction"], _base, django, wsgi]
    assert xray.transaction.__module__ == modules[0].__name__
    for module in modules:
        for name in Recorder.FUNCTIONS:
            if hasattr(module, name):
                monkeypatch.setattr(module, name, getattr(recorder, name))
    # The native wrappers ask the agent, so their Python functions stand in their place.
    handler, response = (
        sys.modules["django.core.handlers.wsgi"].WSGIHandler,
        sys.modules["django.http"].HttpResponseBase,
    )
    close = response.close.__wrapped__
    answer = handler.__call__.__wrapped__

    def call(self, environ, start_response):
        transaction = django.before_answer(self, environ, start_response)
        try:
            response = answer(self, environ, start_response)
        except BaseException as error:
            django.after_answer(transaction, None, error, self, environ, start_response)
            raise
        django.after_answer(transaction, response, None, self, environ, start_response)
        return response

    monkeypatch.setattr(handler, "__call__", call)
    monkeypatch.setattr(response, "close", lambda self: django._close(close, self))
    return recorder


@pytest.fixture
def trace(tmp_path):
    """Calls a function in a traced transaction; its result, or the exception, and the trace."""
    import xray

    xray.install()

    def trace(work, in_loop=False):
        path = tmp_path / "session.xr"
        path.unlink(missing_ok=True)
        with xray.start_session("work", share=1.0, max_overhead=1.0, minutes=5, path=path) as session:
            try:
                if in_loop:  # and the transaction begins there
                    result = asyncio.run(work())
                else:
                    with xray.transaction("work"):
                        result = work()
            except Exception as error:
                result = error
        report = session.wait()
        (trace,) = report.traces
        assert trace.summary.complete
        assert sum(node.self_ns for node in trace.nodes if node.kind != "thread") > 0
        return Traced(result, trace)

    return trace


@pytest.fixture(scope="session")
def site():
    """The test site's WSGI handler in this process, with xray installed."""
    import xray

    xray.install("tests")
    from testsite.wsgi import application

    return application


@pytest.fixture
def run(tmp_path):
    """Runs a program in a process of its own, and gives its output; fails when the program does."""

    def run(source, *arguments, env=None, check=True, module_path=(HERE,)):
        program = tmp_path / "program.py"
        program.write_text(textwrap.dedent(source))
        inherited = filter(None, [os.environ.get("PYTHONPATH")])
        finished = subprocess.run(
            [sys.executable, str(program), *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([*map(str, module_path), *inherited]), **(env or {})},
        )
        if check:
            assert finished.returncode == 0, finished.stderr
        return finished

    return run


@pytest.fixture
def processes():
    """Starts processes; all are ended when the test is over."""
    with Processes() as started:
        yield started
