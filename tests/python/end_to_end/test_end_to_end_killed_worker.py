"""A worker that dies by SIGKILL takes nothing with it that is older than a second."""

import os
import random
import signal
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from load import Load
from served_blog import Blog

#: Time with a resolution of a second, process, path.
LOG_FORMAT = "%(t)s %(p)s %(s)s %(U)s"
TIME_FORMAT = "[%d/%b/%Y:%H:%M:%S %z]"


def finished_before(blog: Blog, pid: int, instant: float) -> int:
    """How many tag pages the process had logged surely before ``instant``."""
    count = 0
    for line in blog.site.access_log.read_text().splitlines():
        day, zone, process, status, path = line.split()
        logged = datetime.strptime(f"{day} {zone}", TIME_FORMAT).timestamp()
        is_tag_page = path.startswith("/tags/") and path != "/tags/"
        # Cut to the second by the log: it happened before the next one began.
        count += is_tag_page and int(process.strip("<>")) == pid and logged + 1 <= instant and status == "200"
    return count


def workers(blog: Blog) -> list[int]:
    """The ids of the server's worker processes."""
    master = blog.site.process.pid
    return [int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()]


def kill_during_session(serve: Callable[..., Blog], tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    blog = serve(options=("--access-logformat", LOG_FORMAT))
    load = Load(blog.site.port, blog.routes, concurrency=3, seed=seed).start()
    try:
        blog.wait_for_agent()
        session = blog.start_session("--seconds", "60", "--share", "1", "--max-overhead", "1", "--traces", "10000")
        began = time.time()
        time.sleep(2.0 + chance.random() * 2.0)
        victim = chance.choice(workers(blog))
        killed = time.time()
        os.kill(victim, signal.SIGKILL)
        # The worker that takes its place joins the session.
        blog.wait_until(lambda: victim not in workers(blog) and len(workers(blog)) == 2, "the worker is replaced")
        blog.wait_until(lambda: blog.recording_workers() == 2, "the new worker records")
    finally:
        load.stop()
    load.wait()
    report = blog.finish_session(session, tmp_path / "session.xr")
    kept = sum(str(victim) in trace["process"] for trace in report["traces"])
    warm_up = finished_before(blog, victim, began)
    assert kept >= finished_before(blog, victim, killed - 1) - warm_up - 1
    assert {process["pid"] for process in report["session"]["processes"]} >= {victim, *workers(blog)}


@pytest.mark.parametrize("seed", range(2))
def test_killed_worker_leaves_its_traces(seed: int, serve: Callable[..., Blog], tmp_path: Path) -> None:
    kill_during_session(serve, tmp_path, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 120))
def test_killed_worker_at_many_instants(seed: int, serve: Callable[..., Blog], tmp_path: Path) -> None:
    kill_during_session(serve, tmp_path, seed)
