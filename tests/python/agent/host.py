"""A host application: imported by the programs of these tests, and what they ask about their own process."""

import sys
import time
from contextlib import suppress
from pathlib import Path

import xray

if sys.version_info < (3, 12):
    import eval_hook

xray.install()


def agent_threads():
    """Names of xray's threads in this process, sorted."""
    names = []
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # it has ended meanwhile
            names.append((task / "comm").read_text().strip())
    return sorted(name for name in names if name.startswith("xray"))


def descriptors():
    """What the open descriptors of this process are, by number."""
    found = {}
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one that listed them
            found[int(link.name)] = str(link.readlink())
    return found


def tools():
    """The tools of ``sys.monitoring`` by id; on 3.11 the frame evaluation hook, if it is not CPython's own."""
    if sys.version_info >= (3, 12):
        return {number: name for number in range(6) if (name := sys.monitoring.get_tool(number))}
    return {} if eval_hook.current() == eval_hook.DEFAULT else {0: eval_hook.current()}


def call(depth):
    """One call for each level, and one."""
    return 0 if depth == 0 else 1 + call(depth - 1)


def request(name="work", depth=3):
    """One transaction."""
    with xray.transaction(name):
        return call(depth)


def start(name="work", **options):
    """A session that traces everything."""
    return xray.start_session(name, **{"seconds": 60, "share": 1.0, "max_overhead": 1.0, "traces": 1000, **options})


def join(until=10):
    """One request, and then others until the session that the application is in is this process's as well."""
    from xray import _xray

    deadline = time.monotonic() + until
    while not _xray.recording():
        assert time.monotonic() < deadline, "no session was joined"
        request("other")
        time.sleep(0.01)


def eventually(condition, seconds=5):
    """Waits until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.01)
