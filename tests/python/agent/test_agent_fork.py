"""Forked children: nothing of the parent's session is theirs, and they begin a life of their own."""

import sys

import pytest

import xray

#: Runs the rest of the program in a child, and fails with it. Forking a process with threads is what is tested.
PRELUDE = """
import multiprocessing, os, sys, threading, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)
import host, xray
from xray import _xray

def in_child(work):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            sys.stdout.flush()
            if code:
                import traceback
                traceback.print_exc()
            os._exit(code)
    deadline = time.monotonic() + 15
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(pid, 9)
            raise TimeoutError("the child hangs")
        time.sleep(0.01)

def is_clean():
    assert host.agent_threads() == [], host.agent_threads()
    assert host.tools() == {}, host.tools()
    assert not _xray.recording() and not _xray.tracing()

def has_no_descriptors():
    ours = [what for what in host.descriptors().values() if "/sessions/" in what]
    assert ours == [], ours
"""


def test_before_the_first_transaction_nothing_warns(host):
    host.run(
        PRELUDE
        + """
warnings.simplefilter("error")
def work():
    is_clean()
    host.request()
    host.eventually(lambda: host.agent_threads() == ["xray-control"])
in_child(work)
assert host.agent_threads() == []
"""
    )


@pytest.mark.parametrize("where", ["main", "thread"])
@pytest.mark.parametrize("when", ["idle", "recording", "inside", "after"])
def test_the_child_starts_anew(host, when, where):
    host.run(
        PRELUDE
        + """
when, where = sys.argv[1:]
host.request()
def work():
    is_clean()
    transaction = _xray.current()
    has_no_descriptors()
    assert (transaction is not None) == (when == "inside")
    host.call(5)
    if transaction is not None:
        transaction.end()
    assert _xray.current() is None
    for _ in range(3): host.request()
    host.eventually(lambda: host.agent_threads() == ["xray-control"])
    with host.start(path="child.xr", app=None) if when in ("idle", "after") else xray.transaction("none"):
        host.request()
        assert (when in ("idle", "after")) == bool(host.tools() or sys.version_info < (3, 12) and _xray.recording())
    if when in ("idle", "after"):
        assert xray.open("child.xr").requests.traced == 1

def run():
    session = None
    if when != "idle":
        session = host.start(path="parent.xr")
        host.request()
    if when == "after":
        session.stop()
        session.wait()
    if when == "inside":
        with xray.transaction("work"):
            host.call(2)
            in_child(work)
            host.call(2)
    else:
        in_child(work)
    if when in ("recording", "inside"):
        assert "xray-collector" in host.agent_threads()
        host.request()
        session.stop()
    if session is not None:
        requests = session.wait().requests
        wanted = {"recording": 2, "inside": 3, "after": 1}[when]
        assert (requests.matched, requests.traced, requests.incomplete) == (wanted, wanted, 0), requests

if where == "main":
    run()
else:
    failures = []
    def caught():
        try: run()
        except BaseException as error: failures.append(error)
    thread = threading.Thread(target=caught); thread.start(); thread.join()
    assert not failures, failures
host.eventually(lambda: host.agent_threads() == ["xray-control"])
""",
        when,
        where,
    )


def test_forks_while_a_session_arms_and_ends(host):
    # In the thirty milliseconds that arming takes the control thread has the tracer, and clocks are measured.
    host.run(
        PRELUDE
        + """
host.request()
def work():
    is_clean()
    host.request()
    host.request()
    host.eventually(lambda: host.agent_threads() == ["xray-control"])
    with host.start(path=f"{os.getpid()}.xr") as session:
        host.request()
    assert session.wait().requests.traced == 1
done = False
def sessions():
    while not done:
        session = host.start(path=f"{time.time_ns()}.xr")
        session.stop()
        session.wait()
thread = threading.Thread(target=sessions)
thread.start()
def only_fork():
    is_clean()
try:
    for n in range(40):
        in_child(only_fork)
        time.sleep(0.003)
finally:
    done = True
    thread.join()
in_child(work)
"""
    )


def test_children_join_the_session_of_the_application(host, control):
    process = host.start(
        PRELUDE
        + """
print("ready", flush=True) if host.request() else None
host.join()
def work():
    is_clean()
    host.join(until=2)
    assert host.tools() or sys.version_info < (3, 12)
    for _ in range(5): host.request()
    # An orderly end: the hooks of `os._exit` are none.
    _xray.shutdown()
for _ in range(3): in_child(work)
def from_here(): in_child(work)
with xray.transaction("work"):
    thread = threading.Thread(target=from_here); thread.start(); thread.join()
print("done", flush=True)
input()
"""
    )
    assert process.stdout.readline() == "ready\n", process.stderr.read()
    session = control()
    assert process.stdout.readline() == "done\n", process.stderr.read()
    session.stop()
    report = session.wait()
    assert (report.requests.matched, report.requests.traced) == (21, 21), [
        (p.pid, p.end, p.joined_at, p.left_at) for p in report.session.processes
    ]
    assert report.requests.errors == report.requests.incomplete == 0
    assert sorted(p.end for p in report.session.processes) == ["exited"] * 4 + ["finished"]


def test_descriptors_do_not_pile_up(host):
    host.run(
        PRELUDE
        + """
def generation(left):
    session = None
    if left % 5 == 0:
        # An application has one session at a time.
        os.environ["XRAY_APP"] += "+"
        xray.install("again")
    host.request()
    host.eventually(lambda: host.agent_threads() == ["xray-control"])
    if left % 5 == 0:
        session = host.start(path=f"{left}.xr")
        host.request()
    if left:
        in_child(lambda: generation(left - 1))
    else:
        last = host.descriptors()
        with open("count", "w") as file: file.write(repr(last))
    if session is not None:
        session.stop()
        session.wait()
host.request()
host.eventually(lambda: host.agent_threads() == ["xray-control"])
session = host.start(path="first.xr")
first = host.descriptors()
session.stop()
session.wait()
in_child(lambda: generation(50))
last = eval(open("count").read())
# A `Session` of an ancestor that lives on as an object in the child has its directory open: eleven. And these children
# are born just when their parents' agents open things: at the very instant of opening, nobody can close a copy. One
# descriptor left by each generation would be fifty.
assert len(last) <= len(first) + 25, (first, last)
""",
        seconds=90,
    )


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(host, method):
    finished = host.run(
        """
import multiprocessing, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)
import host, xray

def work(n):
    host.request()
    return host.call(n), [name for name in host.agent_threads() if name != "xray-control"]

if __name__ == "__main__":
    host.request()
    with host.start(path="a.xr") as session:
        with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
            assert pool.map(work, range(20)) == [(n, []) for n in range(20)]
        host.request()
    assert session.wait().requests.traced == 1
    print("done")
""",
        method,
    )
    assert finished.stdout == "done\n"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="3.11 does not warn")
def test_a_prefork_server_does_not_make_python_warn(host):
    host.run(
        """
import os, warnings
warnings.simplefilter("error")
import host, xray, plainapp
application = xray.wsgi(plainapp.application)
def serve():
    list(application({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, lambda *_: None))
workers = []
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        serve()
        host.eventually(lambda: host.agent_threads() == ["xray-control"])
        os._exit(0)
    workers.append(pid)
assert [os.waitpid(pid, 0)[1] for pid in workers] == [0, 0, 0]
assert host.agent_threads() == []
"""
    )


def test_the_parents_numbers_are_not_the_childs(host):
    process = host.start(
        PRELUDE
        + """
for _ in range(5): host.request()
def work():
    host.request()
    print("ready", flush=True)
    input()
in_child(work)
"""
    )
    assert process.stdout.readline() == "ready\n"
    import subprocess

    listed = subprocess.run(
        [sys.executable, "-m", "xray", "transactions", "--app", host.app, "--json"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert listed.returncode == 0, listed.stderr
    assert '"count":6' in listed.stdout.replace(" ", "")
    process.stdin.close()
    process.wait(timeout=20)


def test_a_part_is_of_one_process(host):
    host.run(
        PRELUDE
        + """
host.request()
session = host.start(path="a.xr")
for _ in range(3):
    host.request()
    in_child(lambda: (is_clean(), host.request(), os.getppid()))
session.stop()
assert session.wait().requests.matched == 3
"""
    )
    (part,) = host.parts()
    assert xray.open(part).requests.matched == 3
