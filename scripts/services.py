"""PostgreSQL and Redis of one's own: found, installed where that is allowed, started on sockets, and ended."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from processes import Processes

READY_SECONDS = 60.0
#: What Debian and its relatives call them.
PACKAGES = {"postgres": "postgresql", "redis-server": "redis-server"}
#: Where they put what is not on the PATH.
POSTGRESQL_DIRECTORIES = "/usr/lib/postgresql/*/bin"
#: Who runs PostgreSQL where root must not.
ACCOUNT = "postgres"


class NoService(Exception):
    """A service is not there or did not come up; the message says what to do."""


def find(program: str) -> Path | None:
    """The program of a service, on the PATH or where Debian has it."""
    found = shutil.which(program)
    if found:
        return Path(found)
    installed = [path / program for path in Path("/").glob(POSTGRESQL_DIRECTORIES.lstrip("/"))]
    return max((path for path in installed if path.is_file()), default=None)


def missing() -> list[str]:
    """The packages of the services that are not there."""
    return [package for program, package in PACKAGES.items() if find(program) is None]


def install_missing() -> None:
    """Install what is missing, where there is apt and one may; elsewhere the tests that need it are skipped."""
    packages = missing()
    if not packages or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    print(f"-- apt-get install {' '.join(packages)}", flush=True)
    # In run level 1 the packages start no service of their own.
    env = dict(os.environ) | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        subprocess.run(["apt-get", "-q", *command], env=env, stdout=subprocess.DEVNULL, check=False)


@dataclass(frozen=True)
class PostgreSQL:
    """A running server; everybody on this machine who reaches its directory is its user ``xray``."""

    #: Where its socket is: the ``host`` of connection strings.
    directory: Path
    user: str = "xray"
    database: str = "postgres"

    @property
    def dsn(self) -> str:
        """A connection string for libpq."""
        return f"host={self.directory} user={self.user} dbname={self.database}"

    @property
    def dsn_url(self) -> str:
        """The same as a URL."""
        return f"postgresql://{self.user}@/{self.database}?host={self.directory}"


@dataclass(frozen=True)
class Redis:
    """A running server."""

    socket: Path

    @property
    def url(self) -> str:
        """``unix://...``"""
        return f"unix://{self.socket}"


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """A new, empty cluster.

    :raises NoService: there is no PostgreSQL, or it did not start.
    """
    server, initdb = _program("postgres"), _program("initdb")
    account = _account()
    with _directory("xray-pg-", account) as directory, Processes() as processes:
        data, log = directory / "data", directory / "log"
        options = ["--auth=trust", "--username=xray", "--encoding=UTF8", "--locale=C", "--no-sync"]
        done = subprocess.run(
            [str(initdb), "-D", str(data), *options], user=account, cwd=directory, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise NoService(f"initdb failed: {done.stderr}")
        argv = [str(server), "-D", str(data), "-k", str(directory), "-h", "", "-F"]
        process = processes.start(argv, log, os.environ, directory, user=account)
        _wait(process, log, lambda: _is_ready(data / "postmaster.pid"))
        try:
            yield PostgreSQL(directory)
        finally:
            # Fast shutdown; SIGTERM would wait for connections that tests have left open.
            process.send_signal(signal.SIGINT)
            process.wait(READY_SECONDS)


@contextmanager
def redis() -> Iterator[Redis]:
    """An empty server that keeps nothing.

    :raises NoService: there is no Redis, or it did not start.
    """
    server = _program("redis-server")
    with _directory("xray-redis-", None) as directory, Processes() as processes:
        path, log = directory / "socket", directory / "log"
        argv = [str(server), "--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly", "no"]
        process = processes.start(argv, log, os.environ, directory)
        _wait(process, log, lambda: _accepts(str(path)))
        yield Redis(path)


@contextmanager
def redis_cluster() -> Iterator[int]:
    """The port of an empty cluster of one server, without slots: these know each other by address only.

    :raises NoService: there is no Redis, or it did not start.
    """
    server = _program("redis-server")
    with _directory("xray-redis-", None) as directory, Processes() as processes:
        port, log = _free_port(), directory / "log"
        options = ["--bind", "127.0.0.1", "--cluster-enabled", "yes", "--save", "", "--appendonly", "no"]
        # Its servers talk to each other on a port of their own, which is else 10,000 above the other.
        options += ["--port", str(port), "--cluster-port", str(_free_port()), "--dir", str(directory)]
        process = processes.start([str(server), *options], log, os.environ, directory)
        _wait(process, log, lambda: _accepts(("127.0.0.1", port)))
        yield port


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _program(name: str) -> Path:
    found = find(name)
    if found is None:
        raise NoService(f"{name} is not installed; as root on Debian: apt-get install {' '.join(PACKAGES.values())}")
    return found


def _account() -> str | None:
    """Whom to run PostgreSQL as: it refuses root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(ACCOUNT).pw_name
    except KeyError:
        raise NoService(f"PostgreSQL does not run as root, and there is no account {ACCOUNT!r}") from None


@contextmanager
def _directory(prefix: str, account: str | None) -> Iterator[Path]:
    """A directory of the account's own, with a short path: sockets have no room for a long one."""
    with tempfile.TemporaryDirectory(prefix=prefix, dir="/tmp", ignore_cleanup_errors=True) as name:
        if account is not None:
            shutil.chown(name, account)
        yield Path(name)


def _accepts(address: str | tuple[str, int]) -> bool:
    with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as connection:
        try:
            connection.connect(address)
        except OSError:
            return False
    return True


def _is_ready(pid_file: Path) -> bool:
    """Whether PostgreSQL says that it is: it accepts connections before that, to refuse them."""
    try:
        lines = pid_file.read_text().splitlines()
    except OSError:
        return False
    return len(lines) > 7 and lines[7].strip() == "ready"


def _wait(process: subprocess.Popen[bytes], log: Path, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise NoService(f"{process.args!r} did not start:\n{log.read_text(errors='replace')}")
        time.sleep(0.02)
