"""Threads outside traced transactions hear no events while a session records, and all events afterwards."""

import sys

import pytest

pytestmark = [
    pytest.mark.skipif(sys.version_info < (3, 12), reason="3.11 has no sys.monitoring"),
    pytest.mark.skipif(sys.version_info >= (3, 15), reason="on 3.15 no thread is muted: CPython could crash"),
]

PROGRAM = """
import asyncio, contextvars, os, sys, threading, traceback
import host, xray
from hearing import heard, reasons_not_to_hear
from xray import _xray

def first(): pass
def second(): pass
CALLS = [first, second]
HEARD = ["first", "second"]

def reasons(name):
    with xray.transaction(name):
        first()
        return reasons_not_to_hear()

def calls(trace, name="first"):
    return sum(node.calls for node in trace.nodes if node.name == name)
"""


def test_who_hears(host):
    host.run(
        PROGRAM
        + """
with host.start(path="a.xr") as session:
    first()
    assert reasons_not_to_hear() == 1
    for _ in range(3):
        assert (reasons("other"), reasons("work"), reasons("other")) == (1, 0, 1)
    first()
    assert reasons_not_to_hear() == 1
    with xray.transaction("work"):
        first()
        assert reasons("other") == 0, "inside a traced one"
        assert contextvars.copy_context().run(reasons_not_to_hear) == 0
        assert contextvars.Context().run(lambda: (first(), reasons_not_to_hear())[1]) == 1
        assert reasons_not_to_hear() == 0
        seen = []
        thread = threading.Thread(target=lambda: seen.append((first(), reasons_not_to_hear())[1]))
        thread.start(); thread.join()
        assert seen == [1]
report = session.wait()
assert reasons_not_to_hear() == 0 and heard(CALLS) == HEARD
assert sorted(calls(trace) for trace in report.traces) == [1, 1, 1, 2]
(process,) = report.session.processes
assert "slowed down" not in process.tracer.reason, process.tracer.reason
"""
    )


def test_threads_that_lived_through_the_session_hear_again_wherever_they_are(host):
    host.run(
        PROGRAM
        + """
go, done, born = threading.Event(), [], threading.Barrier(9)
def blocked():
    first(); born.wait()
    go.wait()
    done.append(reasons_not_to_hear())
running = True
def busy():
    first(); born.wait()
    while running:
        second()
    done.append(reasons_not_to_hear())
threads = [threading.Thread(target=target) for target in 4 * [blocked] + 4 * [busy]]
with host.start(path="a.xr") as session:
    for thread in threads: thread.start()
    born.wait()
    # Each birth waits for the GIL more than once, which four busy threads hold.
    sys.setswitchinterval(1e-4)
    short = [threading.Thread(target=first) for _ in range(600)]
    for thread in short: thread.start()
    for thread in short: thread.join()
    assert reasons("work") == 0
session.wait()
running = False
go.set()
for thread in threads: thread.join()
assert done == 8 * [0], done
assert heard(CALLS) == HEARD
"""
    )


def test_a_child_of_a_muted_process_hears(host):
    host.run(
        PROGRAM
        + """
def child():
    first()
    assert reasons_not_to_hear() == 0
    assert heard(CALLS) == HEARD

def fork():
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            child()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0

with host.start(path="a.xr") as session:
    first()
    assert reasons_not_to_hear() == 1
    fork()
    with xray.transaction("work"):
        fork()
    thread = threading.Thread(target=lambda: (first(), fork()))
    thread.start(); thread.join()
    assert reasons_not_to_hear() == 1
assert session.wait().requests.traced == 1
assert reasons_not_to_hear() == 0
""",
        options=["-W", "ignore::DeprecationWarning"],
    )


def test_a_thread_inside_call_tracing_when_the_session_ends(host):
    host.run(
        PROGRAM
        + """
session = host.start(path="a.xr")
first()
assert reasons_not_to_hear() == 1
def inside():
    assert reasons_not_to_hear() == 0
    first()
    assert reasons("work") == 0
    session.stop()
    threading.Event().wait(0.3)
sys.call_tracing(inside, ())
assert session.wait().requests.traced == 1
host.eventually(lambda: reasons_not_to_hear() == 0)
assert heard(CALLS) == HEARD
"""
    )


@pytest.mark.parametrize("tool", ["settrace", "setprofile", "monitoring"])
def test_a_tool_that_comes_in_the_middle_hears_everything_and_the_session_says_so(host, tool):
    host.run(
        PROGRAM
        + """
import time
seen = []
def observe(frame, event, argument):
    if event == "call" and frame.f_code.co_name in HEARD:
        seen.append(frame.f_code.co_name)
with host.start(path="a.xr") as session:
    first()
    assert reasons_not_to_hear() == 1
    if sys.argv[1] == "monitoring":
        seen.extend(heard(CALLS))
    else:
        getattr(sys, sys.argv[1])(observe)
        first(); second()
        getattr(sys, sys.argv[1])(None)
    assert seen == HEARD, seen
    first()
    assert reasons_not_to_hear() == 0, "not muted any more in this session"
    assert reasons("work") == 0
    time.sleep(0.4)
report = session.wait()
assert [calls(trace) for trace in report.traces] == [1]
assert [note.code for note in report.notes if note.code == "tool_arrived"] == ["tool_arrived"], report.notes
with host.start(path="b.xr") as session:
    first()
    assert reasons_not_to_hear() == 1, "a new session"
session.wait()
""",
        tool,
    )


def test_a_tool_that_was_there_before_is_not_deafened(host):
    host.run(
        PROGRAM
        + """
sys.monitoring.use_tool_id(1, "coverage")
with host.start(path="a.xr") as session:
    first()
    assert reasons_not_to_hear() == 0
    assert reasons("work") == 0
report = session.wait()
assert "coverage" in report.session.processes[0].tracer.reason
sys.monitoring.free_tool_id(1)
"""
    )


def test_tasks_beside_a_traced_one_hear_nothing(host):
    host.run(
        PROGRAM
        + """
async def step(name):
    transaction = _xray.begin(_xray.WEB)
    transaction.set_name(name)
    seen = []
    try:
        for _ in range(5):
            first()
            seen.append(reasons_not_to_hear())
            await asyncio.sleep(0)
            seen.append(reasons_not_to_hear())
        seen.append(await asyncio.to_thread(lambda: (first(), reasons_not_to_hear())[1]))
        seen.append(await asyncio.create_task(child()))
    finally:
        transaction.end()
    return seen

async def child():
    await asyncio.sleep(0)
    first()
    return reasons_not_to_hear()

async def main():
    return await asyncio.gather(*map(step, ["work", "other", "work", "other"]))

with host.start(path="a.xr") as session:
    seen = asyncio.run(main())
report = session.wait()
assert seen[0] == seen[2] == [0] * 12, seen
assert set(seen[1]) == set(seen[3]) == {1}, seen
assert [calls(trace) for trace in report.traces] == [7, 7]
assert reasons_not_to_hear() == 0
"""
    )


def test_code_is_let_go(host):
    host.run(
        PROGRAM
        + """
before = sys.getrefcount(first.__code__), threading.active_count()
with host.start(path="a.xr") as session:
    assert reasons("work") == 0
    assert sys.getrefcount(first.__code__) == before[0] + 1
session.wait()
assert (sys.getrefcount(first.__code__), threading.active_count()) == before
"""
    )
