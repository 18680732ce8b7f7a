"""A thread that is stopped after each single instruction shows a possible stack at every one of them."""

import contextlib
import ctypes
import json
import os
import platform
import subprocess
import sys
import time

import pytest

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        sys.platform != "linux" or platform.machine() != "x86_64",
        reason="stacks are read under the GIL here",
    ),
]

SECONDS = 15
#: Longer than the sampler's period: it looks at each instruction at least once.
BETWEEN_STEPS = 0.0012

PROGRAM = """
import json, sys, time
import xray
xray.install()

def sampled(work):
    with xray.transaction("first"):
        pass
    session = xray.start_session("none", seconds=120, hz=1000, max_overhead=1.0)
    until = time.monotonic() + 0.3
    while time.monotonic() < until: work()
    print("ready", flush=True)
    until = time.monotonic() + float(sys.argv[1])
    while time.monotonic() < until: work()
    session.stop()
    report = session.wait()
    nodes = [[n.parent, n.name, n.count] for n in report.sample_tree.nodes]
    print(json.dumps({"samples": report.to_dict()["samples"], "nodes": nodes}))
"""

CALLS = """
def leaf_a(): return sum((1, 2))
def leaf_b(): return sum((1, 2))
def call_a(): return leaf_a()
def call_b(): return leaf_b()
def work():
    call_a()
    call_b()
sampled(work)
"""

GENERATORS = """
def level0(): yield from level1()
def level1(): yield from level2()
def level2(): yield from level3()
def level3(): yield 1
def work():
    for _ in level0(): pass
sampled(work)
"""

COROUTINES = """
async def level0(): await level1()
async def level1(): await level2()
async def level2(): await level3()
async def level3(): sum((1, 2))
def work():
    coroutine = level0()
    try: coroutine.send(None)
    except StopIteration: pass
sampled(work)
"""

AROUND = {("<module>", "sampled"), ("sampled", "work")}
LEVELS = {("work", "level0"), ("level0", "level1"), ("level1", "level2"), ("level2", "level3")}
POSSIBLE = {
    CALLS: {("work", "call_a"), ("work", "call_b"), ("call_a", "leaf_a"), ("call_b", "leaf_b")},
    GENERATORS: LEVELS,
    COROUTINES: LEVELS,
}


class Steps:
    """Stops the main thread of a process, and lets it run an instruction at a time (`ptrace(2)`)."""

    SEIZE, INTERRUPT, SINGLE_STEP, DETACH = 0x4206, 0x4207, 9, 17

    def __init__(self, pid):
        self.pid = pid
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]

    def __enter__(self):
        self.ask(self.SEIZE)
        self.ask(self.INTERRUPT)
        os.waitpid(self.pid, 0)
        return self

    def ask(self, request):
        """Raises OSError where the kernel refuses."""
        if self.libc.ptrace(request, self.pid, None, None) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def step(self):
        self.ask(self.SINGLE_STEP)
        _, status = os.waitpid(self.pid, 0)
        assert os.WIFSTOPPED(status), status

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.ask(self.DETACH)


@pytest.mark.parametrize("program", [CALLS, GENERATORS, COROUTINES], ids=["calls", "generators", "coroutines"])
def test_every_instruction_shows_a_possible_stack(program, tmp_path):
    command = [sys.executable, "-c", PROGRAM + program, str(SECONDS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdout.readline() == "ready\n"
        steps = 0
        with Steps(process.pid) as stepped:
            until = time.monotonic() + SECONDS + 1
            while time.monotonic() < until:
                stepped.step()
                steps += 1
                time.sleep(BETWEEN_STEPS)
        seen = json.loads(process.stdout.read().splitlines()[-1])
    # Once through takes some thousand instructions.
    assert steps > 5000
    nodes, count = seen["nodes"], seen["samples"]["count"]
    assert count > steps
    found = {(nodes[parent][1], name): count for parent, name, count in nodes if parent >= 0}
    possible = POSSIBLE[program] | AROUND
    ours = {name for pair in possible for name in pair}
    impossible = {pair: count for pair, count in found.items() if set(pair) & ours and pair not in possible}
    # Before and after the steps the thread runs as usual.
    assert sum(impossible.values()) <= 2, impossible
    assert possible <= found.keys(), possible - found.keys()
    # In the middle of a switch from one generator to another there is no whole stack.
    assert seen["samples"]["torn"] <= count / 200
