"""One process that serves requests to itself: the tag blog's WSGI application, called without a network.

Started by the benchmarks with a mode; reads commands from its standard input, answers each with a line of JSON:

- ``run PATH COUNT``: ask for the path so often; the process's CPU time and the wall time of all of them, in ns
- ``work PROGRAM COUNT``: run one of :mod:`programs` so often, each time as a transaction named ``work``; the same
- ``statements COUNT``: send a statement so often by Django's cursor, outside of a request; the same
- ``calls PROGRAM``: how many Python calls one run of it makes
- ``memory``: resident memory in bytes
- ``wakeups SECONDS``: do nothing for so long; how often threads other than this one were scheduled meanwhile
"""

import io
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from peer_agents import AGENTS
from profilers import PROFILERS, Profiler
from programs import PROGRAMS

TAGBLOG = Path(__file__).resolve().parent.parent / "examples" / "tagblog"
APP = "benches"


def start_untraced() -> Callable[[], None]:
    """No xray in the process at all."""
    return lambda: None


def start_installed() -> Callable[[], None]:
    """xray installed and no session."""
    import xray

    xray.install(app=APP)
    return lambda: None


def start_session(transaction: str, **options: Any) -> Callable[[], None]:
    """A session that lasts as long as the benchmark; ends without a file."""
    import xray

    xray.install(app=APP)
    path = Path(os.environ["XRAY_BENCH_DIR"]) / f"{os.getpid()}.xr"
    session: list[Any] = []

    def begin() -> None:
        session.append(xray.start_session(transaction=transaction, minutes=30, path=path, seed=1, **options))

    return begin


#: Sets up before Django starts; what it returns is called after the first requests.
MODES: dict[str, Callable[[], Callable[[], None]]] = {
    "untraced": start_untraced,
    "installed": start_installed,
    "matched": lambda: start_session("/tags/<tag>/", share=1.0, max_overhead=1.0),
    "defaults": lambda: start_session("/tags/<tag>/"),
    "other": lambda: start_session("/archive/"),
    "traced": lambda: start_session("work", share=1.0, max_overhead=1.0),
    **dict.fromkeys(PROFILERS, start_untraced),
    **AGENTS,
}


class Server:
    """Calls the WSGI application the way a server does."""

    def __init__(self, profile: Profiler | None) -> None:
        from django.core.wsgi import get_wsgi_application

        self.application = get_wsgi_application()
        self.profile = profile

    def request(self, path: str) -> None:
        """One request; its answer must be 200."""
        environ = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": sys.stderr,
        }
        status: list[str] = []
        response = self.application(environ, lambda line, headers, error=None: status.append(line))
        for _ in response:
            pass
        response.close()
        if not status[0].startswith("200"):
            raise RuntimeError(f"{path} answered {status[0]}")

    def run(self, path: str, count: int) -> dict[str, int]:
        """CPU and wall time of ``count`` requests."""
        if self.profile:
            self.profile.enable()
        cpu, wall = time.process_time_ns(), time.perf_counter_ns()
        for _ in range(count):
            self.request(path)
        cpu, wall = time.process_time_ns() - cpu, time.perf_counter_ns() - wall
        if self.profile:
            self.profile.disable()
        return {"cpu_ns": cpu, "wall_ns": wall}


def work(name: str, count: int, profile: Profiler | None, marked: bool) -> dict[str, int]:
    """CPU and wall time of ``count`` runs of a program."""
    run = PROGRAMS[name]
    if marked:
        import xray

        run = xray.transaction("work")(run)
    if profile:
        profile.enable()
    cpu, wall = time.process_time_ns(), time.perf_counter_ns()
    for _ in range(count):
        run()
    cpu, wall = time.process_time_ns() - cpu, time.perf_counter_ns() - wall
    if profile:
        profile.disable()
    return {"cpu_ns": cpu, "wall_ns": wall}


def calls_of(name: str) -> dict[str, int]:
    """Python calls of one run of a program, as ``sys.setprofile`` counts them; a generator's resumptions too."""
    calls = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    PROGRAMS[name]()
    sys.setprofile(None)
    return {"calls": calls}


def statements(count: int) -> dict[str, int]:
    """CPU and wall time of ``count`` statements that take as little as a statement can."""
    from django.db import connection

    with connection.cursor() as cursor:
        execute = cursor.execute
        cpu, wall = time.process_time_ns(), time.perf_counter_ns()
        for _ in range(count):
            execute("SELECT 1")
        return {"cpu_ns": time.process_time_ns() - cpu, "wall_ns": time.perf_counter_ns() - wall}


def resident_bytes() -> int:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def scheduled() -> int:
    """How often threads other than the main one gave up or lost the processor."""
    total = 0
    for task in Path("/proc/self/task").iterdir():
        if task.name != str(os.getpid()):
            lines = (task / "status").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)
    return total


def wakeups(seconds: float) -> int:
    """Wake-ups of other threads while this one sleeps."""
    before = scheduled()
    time.sleep(seconds)
    return scheduled() - before


def main() -> None:
    """Serve commands until the input ends."""
    mode = sys.argv[1]
    os.environ["DJANGO_SETTINGS_MODULE"] = "tagblog.settings"
    sys.path.insert(0, str(TAGBLOG))
    begin = MODES[mode]()
    server = Server(PROFILERS[mode]() if mode in PROFILERS else None)
    for path in ("/tags/django/", "/healthz"):
        for _ in range(5):
            server.request(path)
    begin()
    print(json.dumps({"ready": mode}), flush=True)
    for line in sys.stdin:
        match line.split():
            case ["run", path, count]:
                answer: Any = server.run(path, int(count))
            case ["work", program, count]:
                answer = work(program, int(count), server.profile, mode == "traced")
            case ["calls", program]:
                answer = calls_of(program)
            case ["statements", count]:
                answer = statements(int(count))
            case ["memory"]:
                answer = {"bytes": resident_bytes()}
            case ["wakeups", seconds]:
                answer = {"wakeups": wakeups(float(seconds))}
            case _:
                raise SystemExit(f"no such command: {line!r}")
        print(json.dumps(answer), flush=True)
    os._exit(0)  # a session that is not waited for leaves nothing to keep


if __name__ == "__main__":
    main()
