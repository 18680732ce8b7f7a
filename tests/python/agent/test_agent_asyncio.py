"""Transactions of coroutines: each context has its own, however their steps interleave."""

import pytest

#: Two kinds of transactions on one loop. What one calls is known by construction: `counts` says it.
PROGRAM = """
import asyncio, sys
import host, xray
from xray import _xray

def leaf():
    pass

def fast():
    leaf()

async def inner(steps):
    for _ in range(steps):
        fast()
        await asyncio.sleep(0)

async def child(steps):
    await inner(steps)
    fast()

async def answer(steps):
    fast()
    await inner(steps)
    await asyncio.create_task(child(steps))
    await asyncio.gather(child(steps), child(steps))
    await asyncio.to_thread(fast)
    await asyncio.wait_for(child(steps), 10)
    return steps

def counts(steps):
    return {"answer": 1, "inner": 5, "child": 4, "fast": 6 + 5 * steps, "leaf": 6 + 5 * steps}

async def transaction(name, steps):
    # As an integration does it.
    transaction = _xray.begin(_xray.WEB)
    transaction.set_name(name)
    try:
        return await answer(steps)
    finally:
        transaction.end()

def calls_of(trace):
    wanted = counts(0)
    calls = dict.fromkeys(wanted, 0)
    for node in trace.nodes:
        if node.name in wanted:
            calls[node.name] += node.calls
    return calls

def run(main):
    if sys.argv[1] == "asyncio":
        return asyncio.run(main)
    import uvloop
    return uvloop.run(main)
"""


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request):
    """Event loops that applications use."""
    pytest.importorskip(request.param)
    return request.param


def test_interleaved_transactions_have_their_own_calls(host, loop):
    host.run(
        PROGRAM
        + """
async def main():
    named = [("work", 2), ("other", 3), ("work", 4), ("other", 1), ("work", 7)]
    assert await asyncio.gather(*(transaction(*each) for each in named)) == [2, 3, 4, 1, 7]

with host.start(path="a.xr") as session:
    run(main())
report = session.wait()
assert (report.requests.traced, report.requests.other) == (3, 2), report.requests
seen = sorted((calls_of(trace) for trace in report.traces), key=lambda calls: calls["fast"])
assert seen == [counts(2), counts(4), counts(7)], seen
""",
        loop,
    )


def test_time_on_the_cpu_is_told_from_time_awaiting_and_what_was_awaited(host, loop):
    host.run(
        PROGRAM
        + """
import time

def spin(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass

async def waits():
    await asyncio.sleep(0.2)

async def queues(queue):
    asyncio.get_running_loop().call_later(0.2, queue.put_nowait, 1)
    return await queue.get()

@xray.transaction("work")
async def answer(queue):
    spin(0.05)
    await waits()
    spin(0.05)
    await queues(queue)
    return "done"

async def main():
    queue = asyncio.Queue()
    return await asyncio.gather(answer(queue), asyncio.sleep(0.1))

with host.start(path="a.xr") as session:
    assert run(main())[0] == "done"
(trace,) = session.wait().traces
awaits = {node.name: node for node in trace.nodes if node.kind == "await"}
assert sorted(awaits) == ["await Queue.get", "await sleep"], awaits
slept, queued = awaits["await sleep"].total_ns / 1e9, awaits["await Queue.get"].total_ns / 1e9
# Lower bounds only: a busy machine makes everything longer. Together they cannot be longer than the whole.
assert slept >= 0.19 and queued >= 0.19, (slept, queued)
on_cpu = sum(node.self_ns for node in trace.nodes if node.name == "spin") / 1e9
assert on_cpu >= 0.1, on_cpu
assert slept + queued + on_cpu <= trace.duration_ns / 1e9
assert sum(node.self_ns for node in trace.nodes) == trace.duration_ns
assert awaits["await sleep"].file.endswith("tasks.py")
""",
        loop,
    )


def test_a_generator_that_is_consumed_is_no_waiting(host):
    host.run(
        PROGRAM
        + """
def numbers():
    yield from range(5)

@xray.transaction("work")
def work():
    return sum(numbers())

with host.start(path="a.xr") as session:
    assert work() == 10
(trace,) = session.wait().traces
assert [node.name for node in trace.nodes if node.kind == "await"] == []
""",
        "asyncio",
    )
