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
