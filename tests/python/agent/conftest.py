"""Fixtures: programs that are host applications, in processes of their own."""

import dataclasses
import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path

import pytest

import xray

HERE = Path(__file__).parent
#: What `import host` and `import plainapp` find.
MODULES = [HERE, HERE.parent]


@dataclasses.dataclass
class Finished:
    """How a program ended."""

    returncode: int
    stdout: str
    stderr: str
    #: From its last word on stdout.
    ending_seconds: float


class Host:
    """Runs programs of one application, and reads what its agents left."""

    def __init__(self, directory, app, sockets):
        self.directory, self.app, self._sockets = directory, app, sockets
        self._started = []

    def start(self, source, *arguments, env=None, options=()):
        """Starts a program, in a process group of its own."""
        program = self.directory / f"program{len(self._started)}.py"
        program.write_text(textwrap.dedent(source))
        path = filter(None, [*map(str, MODULES), os.environ.get("PYTHONPATH")])
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path), "XRAY_APP": self.app, **(env or {})}
        process = subprocess.Popen(
            [sys.executable, *options, str(program), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.directory,
            env={name: value for name, value in environment.items() if value is not None},
            start_new_session=True,
        )
        self._started.append(process)
        return process

    def run(self, source, *arguments, returncode=0, stderr="", seconds=40, **how):
        """Runs a program to its end. It says nothing that it was not told to say."""
        process = self.start(source, *arguments, **how)
        process.stdin.close()
        said = process.stdout.readline()
        last_word = time.monotonic()
        process.stdin = None  # communicate() would flush it
        out, err = process.communicate(timeout=seconds)
        finished = Finished(process.returncode, said + out, err, time.monotonic() - last_word)
        if returncode is not None and (process.returncode, finished.stderr) != (returncode, stderr):
            pytest.fail(f"exit code {process.returncode}\n{finished.stdout}{finished.stderr}", pytrace=False)
        return finished

    def end(self):
        """Nobody is left."""
        for process in self._started:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    stream.close()

    def sockets(self):
        """The sockets of its processes, by name."""
        return sorted(path.name for path in self._sockets.glob("*/*.sock") if self._is_ours(path.parent))

    def parts(self):
        """What the processes wrote, in the order of their names."""
        return sorted(path for path in self._sockets.glob("*/sessions/*/*.part") if self._is_ours(path.parents[2]))

    def ends(self):
        """How the processes ended, as their parts say."""
        return sorted(process.end for part in self.parts() for process in xray.open(part).session.processes)

    def _is_ours(self, directory):
        return (directory / "app").read_text() == self.app


@pytest.fixture
def host(request, tmp_path, socket_directory):
    """A host application with the name of the test."""
    host = Host(tmp_path, request.node.nodeid.rpartition("::")[2], socket_directory)
    yield host
    host.end()


@pytest.fixture
def control(host, tmp_path):
    """Starts a session on all processes of the host application, as another program would; ended with the test."""
    started = []

    def start(transaction="work", **options):
        deadline = time.monotonic() + 10
        while not host.sockets():
            assert time.monotonic() < deadline, "no agent"
            time.sleep(0.01)
        options = {"seconds": 60, "share": 1.0, "max_overhead": 1.0, **options}
        path = tmp_path / f"{len(started)}.xr"
        session = xray.start_session(transaction, scope="app", app=host.app, path=path, **options)
        started.append(session)
        return session

    yield start
    for session in started:
        session.stop()
