"""The tag blog under gunicorn on loopback: started, ready, stopped."""

import http.client
import os
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from paths import TAGBLOG
from processes import Processes

READY_SECONDS = 60.0
LOG_LINES = 20


class NotReady(Exception):
    """The server did not answer; the message has the end of its log."""


def listen(preferred: int) -> socket.socket:
    """A socket that listens on ``preferred``, or on any free port when that one is taken."""
    for port in (preferred, 0):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen(512)
        except OSError:
            listener.close()
            continue
        return listener
    raise OSError("no free port on 127.0.0.1")


@dataclass
class Site:
    """A running site."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    access_log: Path
    environment: dict[str, str] = field(repr=False)

    def wait_until_ready(self) -> None:
        """Ask for the health page until it answers.

        :raises NotReady: the server ended, or did not answer in time.
        """
        deadline = time.monotonic() + READY_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            try:
                connection.request("GET", "/healthz")
                if connection.getresponse().status == 200:
                    return
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
            finally:
                connection.close()
        ended = self.process.poll()
        why = f"ended with exit code {ended}" if ended is not None else f"did not answer within {READY_SECONDS:.0f} s"
        raise NotReady(f"the server {why}; the end of {self.log}:\n{self.log_tail()}")

    def log_tail(self) -> str:
        """The last lines of its output."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_LINES:])


def environment(database: Path, extra: dict[str, str] | None = None) -> dict[str, str]:
    """The environment for the site's processes."""
    return dict(os.environ) | {"TAGBLOG_DB": str(database), "PYTHONUNBUFFERED": "1"} | (extra or {})


def load_data(python: Path, database: Path) -> None:
    """Make the site's database unless a complete one is there.

    :raises subprocess.CalledProcessError: a management command failed.
    """
    if database.exists():
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    partial = database.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    for command in (["migrate", "--verbosity", "0"], ["load_demo_data"]):
        subprocess.run([str(python), "manage.py", *command], cwd=TAGBLOG, env=environment(partial), check=True)
    partial.replace(database)


def start(
    processes: Processes,
    python: Path,
    directory: Path,
    env: dict[str, str],
    *,
    workers: int = 2,
    xray_app: str | None = None,
    port: int = 0,
    options: tuple[str, ...] = (),
) -> Site:
    """Start the site with its logs in ``directory``; with ``xray_app``, under ``xray run --app``.

    :raises NotReady: it did not come up.
    """
    bin_directory = python.parent
    log, access_log = directory / "server.log", directory / "access.log"
    access_log.unlink(missing_ok=True)  # gunicorn appends
    with listen(port) as listener:
        descriptor, port = listener.fileno(), listener.getsockname()[1]
        gunicorn = [str(bin_directory / "gunicorn"), "--workers", str(workers), "--bind", f"fd://{descriptor}"]
        gunicorn += ["--chdir", str(TAGBLOG), "--access-logfile", str(access_log), "--no-control-socket"]
        gunicorn += ["--access-logformat", "%(s)s %(D)s %(U)s %({user-agent}i)s", *options, "tagblog.wsgi"]
        run = [str(bin_directory / "xray"), "run", "--app", xray_app, "--"] if xray_app else []
        process = processes.start([*run, *gunicorn], log, env, TAGBLOG, fds=[descriptor])
    site = Site(process, port, log, access_log, env)
    site.wait_until_ready()
    return site
