"""Whose samples they are: code counts for the transaction whose context runs it, wherever it runs.

`burn_target` is only ever called in the context of the session's transaction, `burn_other` only in one of another, and
`burn_none` in none; each has the CPU for a known share of the time.
"""

import json

import pytest

PROGRAM = """
import asyncio, contextvars, json, threading, time
import xray
xray.install()

def burn(ms):
    until = time.thread_time() + ms / 1000
    while time.thread_time() < until:
        pass
def burn_target(): burn(2)
def burn_other(): burn(4)
def burn_none(): burn(1)

def sampled(work):
    with xray.transaction("first"):
        pass
    session = xray.start_session("target", seconds=60, hz=500, max_overhead=1.0, share=0.5)
    work()
    session.stop()
    report = session.wait()
    shown = {}
    for node in report.sample_tree.nodes:
        if node.name.startswith("burn_"):
            key = node.name + " " + str(node.thread_kind)
            shown[key] = shown.get(key, 0) + node.count
    print(json.dumps(shown))
"""

ASYNCIO = """
async def target(turns):
    with xray.transaction("target", kind="web"):
        for _ in range(turns):
            burn_target()
            await asyncio.sleep(0)
            await asyncio.gather(child(), asyncio.create_task(child()))
            await asyncio.to_thread(burn_target)
async def child():
    burn_target()
    await asyncio.sleep(0)
    burn_target()
async def other(turns):
    with xray.transaction("other", kind="web"):
        for _ in range(turns):
            burn_other()
            await asyncio.sleep(0)
async def none(turns):
    for _ in range(turns):
        burn_none()
        await asyncio.sleep(0)
async def main():
    for _ in range(3):
        await asyncio.gather(target(8), other(40), target(8), none(40), other(40))
"""

GREENLETS = """
import gevent
def target():
    with xray.transaction("target", kind="web"):
        for _ in range(40):
            burn_target()
            gevent.sleep(0)
def other():
    with xray.transaction("other", kind="web"):
        for _ in range(40):
            burn_other()
            gevent.sleep(0)
def none():
    for _ in range(40):
        burn_none()
        gevent.sleep(0)
def main():
    for _ in range(4):
        gevent.joinall([gevent.spawn(f) for f in (target, other, target, none, other)], raise_error=True)
"""

THREADS = """
def target():
    with xray.transaction("target", kind="web"):
        context = contextvars.copy_context()
        thread = threading.Thread(target=lambda: context.run(lambda: [burn_target() for _ in range(100)]))
        thread.start()
        for _ in range(100): burn_target()
        # A part of the transaction is the transaction's; what it waits for beside it is not.
        with xray.transaction("part"):
            for _ in range(50): burn_target()
        thread.join()
def other():
    with xray.transaction("other", kind="web"):
        for _ in range(100): burn_other()
def none():
    for _ in range(300): burn_none()
def main():
    threads = [threading.Thread(target=f) for f in (target, other, target, none)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""


def assert_told_apart(shown):
    """Next to nothing is taken for somebody else's."""
    right = {key: n for key, n in shown.items() if key in ("burn_target target", "burn_other web", "burn_none other")}
    assert len(right) == 3 and min(right.values()) >= 5, shown
    # Target samples never show another's code. Elsewhere a sample in the instant of a switch may count for nobody.
    assert [key for key in shown if key.endswith(" target") and key not in right] == [], shown
    assert sum(shown.values()) - sum(right.values()) <= 0.01 * sum(shown.values()), shown


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_tasks_child_tasks_and_worker_threads(run, loop):
    pytest.importorskip(loop)
    runner = "asyncio.run" if loop == "asyncio" else "__import__('uvloop').run"
    assert_told_apart(json.loads(run(f"{PROGRAM}{ASYNCIO}\nsampled(lambda: {runner}(main()))").stdout))


def test_greenlets(run):
    pytest.importorskip("gevent")
    assert_told_apart(json.loads(run(f"{PROGRAM}{GREENLETS}\nsampled(main)").stdout))


def test_threads(run):
    assert_told_apart(json.loads(run(f"{PROGRAM}{THREADS}\nsampled(main)").stdout))


def test_a_context_with_many_variables(run):
    many = "\nvariables = [contextvars.ContextVar(str(n)) for n in range(3000)]\nfor v in variables: v.set(1)\n"
    assert_told_apart(json.loads(run(f"{PROGRAM}{many}{ASYNCIO}\nsampled(lambda: asyncio.run(main()))").stdout))
