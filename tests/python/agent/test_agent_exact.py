"""Traces that begin and end where it is hard: under live frames, in generators, in threads that are born meanwhile.

The programs know how many calls they make.
"""

PROGRAM = """
import asyncio, contextvars, sys, threading
import host, xray
from xray import _xray
host.request()

def begin(name="work"):
    transaction = _xray.begin(_xray.OTHER)
    transaction.set_name(name)
    return transaction

def leaf(): pass

def calls_of(trace):
    found = {}
    for node in trace.nodes: found[node.name] = found.get(node.name, 0) + node.calls + node.resumes
    return found

def check(report, **expected):
    (trace,) = report.traces
    found = calls_of(trace)
    assert {name: found.get(name, 0) for name in expected} == expected, found
    assert trace.summary.complete and report.requests.incomplete == 0
    assert sum(node.self_ns for node in trace.nodes) == trace.duration_ns
    assert [loss for loss in report.to_dict()["loss"] if loss["kind"] != "unmatched_returns"] == []
"""


def test_frames_that_are_live_when_a_trace_begins_and_when_it_ends(host):
    host.run(
        PROGRAM
        + """
held = []
def outer(n):
    leaf()
    if n: outer(n - 1)
    else: held.append(begin())
    leaf()
def ends(n):
    leaf()
    if n: ends(n - 1)
    else: held.pop().end()
    leaf()
def numbers():
    leaf()
    yield 1
    leaf()
    yield 2
    leaf()
def raises(n):
    if n: raises(n - 1)
    held.append(begin())
    raise LookupError

with host.start(path="a.xr") as session:
    source = numbers()
    next(source)
    outer(5)
    next(source)
    ends(5)
    list(source)
# 6 returns into `outer`, each with a leaf; one resumption with a leaf; six `ends` on the way in.
check(session.wait(), leaf=6 + 1 + 6, ends=6, outer=0, numbers=1)

# Begun at the bottom of what an exception then unwinds.
with host.start(path="b.xr") as session:
    try: raises(0)
    except LookupError: pass
    leaf()
    held.pop().end()
check(session.wait(), leaf=1, raises=0)

# A function that is called again above frames of its own that began before.
def again(n, where):
    if n == where: held.append(begin())
    if n: again(n - 1, where)
with host.start(path="c.xr") as session:
    again(10, 7)
    leaf()
    held.pop().end()
check(session.wait(), again=7, leaf=1)
"""
    )


def test_a_trace_inside_a_generator_that_others_drive(host):
    host.run(
        PROGRAM
        + """
def steps():
    transaction = begin()
    leaf()
    yield
    leaf()
    transaction.end()
    yield
with host.start(path="a.xr") as session:
    made = steps()
    next(made)
    leaf(); leaf()
    next(made)
    leaf()
# The generator runs in its caller's context: what the caller does between is the transaction's.
check(session.wait(), leaf=4, steps=1)
"""
    )


def test_threads_that_are_born_and_end_in_a_trace(host):
    host.run(
        PROGRAM
        + """
def leaves(n):
    for _ in range(n): leaf()
with host.start(path="a.xr") as session:
    transaction = begin()
    contexts = [contextvars.copy_context() for _ in range(30)]
    threads = [threading.Thread(target=contexts[n].run, args=(leaves, n)) for n in range(30)]
    # Without the context: not of the transaction. (From 3.14 on a thread has one of its own, and it is empty.)
    others = [threading.Thread(target=leaves, args=(50,), context=contextvars.Context()) if sys.version_info >= (3, 14)
              else threading.Thread(target=leaves, args=(50,)) for _ in range(5)]
    for thread in threads + others: thread.start()
    leaf()
    for thread in threads + others: thread.join()
    transaction.end()
    late = threading.Thread(target=contexts[3].run, args=(leaves, 100))
    late.start(); late.join()
report = session.wait()
(trace,) = report.traces
found = calls_of(trace)
assert found["leaf"] == 1 + sum(range(30)) and found["leaves"] == 30, found
# Threads that ran one after the other may have had one identity, and are one root then.
roots = [node.kind for node in trace.nodes if node.parent < 0]
assert roots[0] == "transaction" and set(roots[1:]) == {"thread"} and len(roots) <= 31, roots
"""
    )


def test_a_session_that_begins_and_ends_below_live_frames_in_many_threads(host):
    host.run(
        PROGRAM
        + """
stop = False
def deep(n):
    if n == 0:
        while not stop: leaf()
        return
    try: deep(n - 1)
    finally: leaf()
threads = [threading.Thread(target=deep, args=(200,)) for _ in range(4)]
for thread in threads: thread.start()
for number in range(5):
    with host.start(path=f"{number}.xr") as session:
        with xray.transaction("work"):
            for _ in range(1000): leaf()
    check(session.wait(), leaf=1000, deep=0)
with host.start(path="last.xr") as session:
    transaction = begin()
    stop = True
    for thread in threads: thread.join()
    leaf()
    transaction.end()
check(session.wait(), leaf=1, deep=0)
assert host.tools() == {}
"""
    )


def test_tasks_of_one_loop_each_have_their_own(host):
    host.run(
        PROGRAM
        + """
async def request(name, n):
    with xray.transaction(name):
        for _ in range(n):
            leaf()
            await asyncio.sleep(0)
        children = [asyncio.ensure_future(child(n)) for _ in range(3)]
        gone = asyncio.ensure_future(child(1000))
        await asyncio.gather(*children)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
async def child(n):
    for _ in range(n):
        small()
        await asyncio.sleep(0)
def small(): pass
async def main():
    names = ["work"] * 6 + ["other"] * 6
    await asyncio.gather(*[request(name, n + 1) for n, name in enumerate(names)])
with host.start(path="a.xr") as session:
    asyncio.run(main())
report = session.wait()
assert (report.requests.traced, report.requests.other) == (6, 6), report.requests
found = sorted((calls_of(trace)["leaf"], calls_of(trace)["small"]) for trace in report.traces)
# The cancelled child runs as many steps as its siblings take; their number is known, its own up to the last one.
for n, (leaves, smalls) in enumerate(found, 1):
    assert leaves == n and 3 * n <= smalls - 1 <= 4 * n + 2, found
"""
    )
