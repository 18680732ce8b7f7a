"""Fixtures: a recorder in place of the native functions for all frameworks, and real servers."""

import importlib
import itertools
import os
import sys
import tempfile
from pathlib import Path

import pytest
import server
import services
from recorder import Recorder
from served import HERE, Served

FRAMEWORKS = ("celery.app.trace", "celery.app.amqp", "fastapi", "flask", "starlette.background", "uvicorn")


@pytest.fixture
def recorder(monkeypatch):
    """What integrations tell, instead of telling it the agent."""
    for framework in FRAMEWORKS:
        importlib.import_module(framework)
    import xray

    xray.install()
    recorder = Recorder()
    for name, module in list(sys.modules.items()):
        if name.startswith("xray.integrations.") or name == "xray._transaction":
            for function in Recorder.FUNCTIONS:
                if hasattr(module, function):
                    monkeypatch.setattr(module, function, getattr(recorder, function))
    return recorder


@pytest.fixture(scope="session")
def applications(tmp_path_factory):
    """A directory of sockets for each application of these tests; sockets have short paths."""
    with tempfile.TemporaryDirectory(prefix="xray-", dir="/tmp") as directory:
        yield Path(directory)


@pytest.fixture
def free_port():
    """A port on which nobody listens."""
    with server.listen(0) as listener:
        return listener.getsockname()[1]


@pytest.fixture(scope="session")
def redis_server():
    """A Redis server."""
    try:
        with services.redis() as running:
            yield running
    except services.NoService as problem:
        if os.environ.get("XRAY_TEST_SERVICES") == "required":
            raise
        pytest.skip(str(problem))


@pytest.fixture
def environment(request, applications):
    """The environment of servers; with a Redis server as the broker where the test is about Celery."""
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "XRAY_SOCKET_DIR": str(applications)}
    if "celery" in request.node.name:
        socket = request.getfixturevalue("redis_server").socket
        environment["SUMS_BROKER"] = f"redis+socket://{socket}"
    return environment


@pytest.fixture
def serve(processes, tmp_path, applications):
    """Starts a server of an application, under ``xray run`` or without; ready when it answers."""
    started = itertools.count(1)

    def serve(argv, *, agent=True, env=None, cwd=HERE):
        number = next(started)
        with server.listen(0) as listener:
            port = listener.getsockname()[1]
        argv = [str(word).replace("PORT", str(port)) for word in argv]
        app = f"{tmp_path.name}-{number}"
        run = [sys.executable, "-m", "xray", "run", "--app", app, "--"] if agent else []
        path = [str(HERE), str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path), "PYTHONWARNINGS": "ignore", **(env or {})}
        environment["XRAY_SOCKET_DIR"] = str(applications)
        log = tmp_path / f"{number}.log"
        process = processes.start([*run, sys.executable, "-m", *argv], log, environment, cwd)
        served = Served(process, port, log, app, environment)
        served.wait_until_ready()
        return served

    return serve
