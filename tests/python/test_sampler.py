"""The sampler that reads stacks without the GIL, against programs whose possible stacks are known."""

import json
import platform
import sys

import pytest
from disturbed import undisturbed

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64",
    reason="stacks are read under the GIL here",
)

#: `sampled` calls `work()` again and again while a session samples, and prints what the samples show.
PRELUDE = """
import json, threading, time
import xray
xray.install()

def sampled(work, seconds=1.5):
    # The agent starts with the first transaction.
    with xray.transaction("first"):
        pass
    session = xray.start_session("none", seconds=60, hz=1000, max_overhead=1.0)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        work()
    session.stop()
    report = session.wait()
    nodes = [[n.parent, n.name, n.file, n.line, n.count] for n in report.sample_tree.nodes]
    print(json.dumps({"report": report.to_dict(), "nodes": nodes}))
"""


@pytest.fixture
def sampled(run):
    """Runs a program that calls `sampled`; what it prints."""

    def sampled(program):
        seen = json.loads(run(PRELUDE + program).stdout)
        sampler = seen["report"]["session"]["processes"][0]["sampler"]
        assert sampler["mechanism"] == "memory", sampler
        return seen

    return sampled


def pairs(nodes):
    """(caller, called), with how often each was seen."""
    seen = {}
    for parent, name, _file, _line, count in nodes:
        if parent >= 0:
            pair = (nodes[parent][1], name)
            seen[pair] = seen.get(pair, 0) + count
    return seen


def are_possible(seen, possible, must):
    """Next to no sample shows what cannot be, or not all; each of `must` is seen."""
    found = pairs(seen["nodes"])
    possible = possible | {("<module>", "sampled"), ("sampled", "work")}
    ours = {name for pair in possible for name in pair}
    impossible = {pair: n for pair, n in found.items() if set(pair) & ours and pair not in possible}
    samples = seen["report"]["samples"]
    # There are none in most runs, and fewer than one in a thousand in all; in 1,500 samples, three are chance.
    assert sum(impossible.values()) <= 3 + samples["count"] / 1000, impossible
    assert samples["torn"] <= 3 + samples["count"] / 1000
    assert must <= found.keys()


def test_calls_that_alternate_are_not_mixed(sampled):
    program = """
def leaf_a(): return sum(range(20))
def leaf_b(): return sum(range(20))
def call_a(): return leaf_a()
def call_b(): return leaf_b()
def work():
    for _ in range(1000):
        call_a()
        call_b()
sampled(work)
"""
    possible = {("work", "call_a"), ("work", "call_b"), ("call_a", "leaf_a"), ("call_b", "leaf_b")}
    must = {("call_a", "leaf_a"), ("call_b", "leaf_b")}
    undisturbed(lambda: sampled(program), lambda seen: are_possible(seen, possible, must))


@pytest.mark.parametrize("kind", ["generators", "coroutines"])
def test_chains_are_whole(sampled, kind):
    body = {
        "generators": ("def", "yield from", "    yield sum(range(50))", "for _ in level0(): pass"),
        "coroutines": (
            "async def",
            "await",
            "    sum(range(50))",
            "c = level0()\n        try: c.send(None)\n        except StopIteration: pass",
        ),
    }[kind]
    define, delegate, last, use = body
    chain = "\n".join(f"{define} level{n}():\n    {delegate} level{n + 1}()" for n in range(11))
    program = f"""
{chain}
{define} level11():
{last}
def work():
    for _ in range(200):
        {use}
sampled(work)
"""
    levels = {(f"level{n}", f"level{n + 1}") for n in range(11)}
    undisturbed(lambda: sampled(program), lambda seen: are_possible(seen, levels | {("work", "level0")}, levels))


def test_recursion_deeper_than_a_piece_of_the_data_stack(sampled):
    program = """
import sys
sys.setrecursionlimit(5000)
def even(n): return n == 0 or odd(n - 1)
def odd(n): return n != 0 and even(n - 1)
def work(): even(1500)
sampled(work)
"""
    possible = {("work", "even"), ("even", "odd"), ("odd", "even")}
    undisturbed(lambda: sampled(program), lambda seen: are_possible(seen, possible, {("odd", "even")}))


def test_code_that_is_gone_never_lends_its_name(sampled):
    """Each function has its number in its name and in its file's; addresses are used again all the time."""
    seen = sampled(
        """
number = 0
def work():
    global number
    for _ in range(20):
        number += 1
        names = {}
        exec(compile(f"def made_{number}(): return sum(range(2000))", f"<made {number}>", "exec"), names)
        for _ in range(3):
            names[f"made_{number}"]()
sampled(work, seconds=3)
assert number > 500, number
"""
    )
    made = [(name, file) for _parent, name, file, _line, _count in seen["nodes"] if name.startswith("made_")]
    assert len(made) > 100
    assert [pair for pair in made if pair[1] != f"<made {pair[0][5:]}>"] == []


def test_what_keeps_the_gil_is_seen(sampled):
    """Code that runs in C for long and holds the GIL, and names in other letters."""
    seen = sampled(
        """
import ctypes
keep = ctypes.PyDLL(None).usleep
def größe_深さ(): keep(200_000)
sampled(größe_深さ)
"""
    )
    count = sum(count for _parent, name, _file, line, count in seen["nodes"] if name == "größe_深さ")
    # Under the GIL there would be one sample for each call: 8.
    assert count > 100


def test_threads_that_come_and_go(sampled):
    """Stacks are those of the threads that are there; xray's own are left out."""
    seen = sampled(
        """
def short(): return sum(range(3000))
def long():
    while not done: time.sleep(0.001)
done = False
threads = [threading.Thread(target=long) for _ in range(5)]
[thread.start() for thread in threads]
def work():
    new = [threading.Thread(target=short) for _ in range(10)]
    [thread.start() for thread in new]
    [thread.join() for thread in new]
sampled(work)
done = True
"""
    )
    names = {name for _parent, name, *_ in seen["nodes"]}
    assert {"long", "work"} <= names
    files = {file for _parent, _name, file, *_ in seen["nodes"] if file}
    assert not any(file.endswith("/xray/session.py") for file in files)
    assert seen["report"]["samples"]["threads"] >= 6


def test_the_sampler_takes_no_more_than_its_turn(run):
    """It asks for short turns on a core: for itself only, with the policy and priority that it was born with."""
    finished = run(
        PRELUDE
        + """
import os
def threads():
    found = {}
    for tid in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{tid}/comm") as comm:
            name = comm.read().strip()
        found[name] = os.sched_getscheduler(int(tid)), os.getpriority(os.PRIO_PROCESS, int(tid))
    return found
seen = {}
sampled(lambda: seen.update(threads()) or time.sleep(0.1), 0.5)
assert "xray-sampler" in seen, seen
here = os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0)
assert set(seen.values()) == {here}, seen
"""
    )
    assert json.loads(finished.stdout)["report"]["samples"]["count"] > 0


def test_where_the_layout_is_not_known_the_gil_is_held(run):
    """Code watchers are all taken: nothing would tell when code is freed."""
    if sys.version_info < (3, 12):
        pytest.skip("Python 3.11 has none")
    finished = run(
        PRELUDE
        + """
import ctypes
callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.py_object)(lambda event, code: 0)
add = ctypes.pythonapi.PyCode_AddWatcher
taken = []
try:
    while True: taken.append(add(callback))
except RuntimeError:
    pass
import sys
def work(): return sum(range(1000))
try:
    sampled(work, 0.3)
finally:
    for id in taken: ctypes.pythonapi.PyCode_ClearWatcher(id)
"""
    )
    sampler = json.loads(finished.stdout)["report"]["session"]["processes"][0]["sampler"]
    assert sampler["mechanism"] == "gil"
    assert "does not tell when code is freed" in sampler["reason"]


@pytest.mark.skipif(
    not hasattr(sys, "_jit") or not sys._jit.is_available(), reason="this Python has no just-in-time compiler"
)
def test_where_the_interpreter_compiles_the_gil_is_held(run):
    finished = run(
        PRELUDE
        + """
import sys
assert sys._jit.is_enabled()
def work(): return sum(range(1000))
sampled(work, 0.3)
""",
        env={"PYTHON_JIT": "1"},
    )
    sampler = json.loads(finished.stdout)["report"]["session"]["processes"][0]["sampler"]
    assert sampler["mechanism"] == "gil"
    assert "compiled" in sampler["reason"]
