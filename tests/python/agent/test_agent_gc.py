"""Pauses of the garbage collector: segments of the trace in which they happen; `gc.callbacks` is put back."""

PROGRAM = """
import gc, os, sys
import host, xray
host.request()
gc.collect()
gc.disable()

def pauses(report):
    (trace,) = report.traces
    found = {}
    for node in trace.nodes:
        if node.kind == "gc":
            found[node.name] = found.get(node.name, 0) + node.calls
    return found

class Garbage:
    def __init__(self):
        self.me = self
    def __del__(self):
        host.call(2)
"""


def test_each_pause_is_a_segment_of_the_trace_around_it(host):
    host.run(
        PROGRAM
        + """
def outside():
    gc.collect()
def inside(n):
    Garbage()
    for _ in range(n): gc.collect()
    gc.collect(0)
with host.start(path="a.xr") as session:
    outside()
    with xray.transaction("work"):
        inside(3)
    outside()
    with xray.transaction("other"):
        inside(2)
report = session.wait()
assert pauses(report) == {"GC generation 2": 3, "GC generation 0": 1}, pauses(report)
(trace,) = report.traces
kinds = [node.kind for node in trace.nodes]
finalizer = next(node for node in trace.nodes if node.name == "Garbage.__del__")
pause, around = trace.nodes[finalizer.parent], trace.nodes[trace.nodes[finalizer.parent].parent]
assert (pause.name, around.name) == ("GC generation 2", "inside"), (pause, around)
assert 0 < pause.self_ns < pause.total_ns <= around.total_ns
component = next(c for c in report.components if c.name == "GC generation 2")
assert (component.kind, component.calls) == ("gc", 3), component
"""
    )


def test_the_collector_is_counted_as_it_counts_itself(host):
    host.run(
        PROGRAM
        + """
from xray import _xray
from collections import Counter
own = Counter()
def count(phase, about):
    if phase == "start" and _xray.tracing():
        own[f"GC generation {about['generation']}"] += 1
gc.callbacks.append(count)
with host.start(path="a.xr") as session:
    with xray.transaction("work"):
        gc.enable()
        kept = [[[]] for _ in range(100_000)]
        gc.disable()
assert gc.callbacks == [count]
assert sum(own.values()) > 3, own
assert pauses(session.wait()) == own
"""
    )


def test_the_list_is_as_it_was(host):
    host.run(
        PROGRAM
        + """
class Unequal:
    def __eq__(self, other):
        raise AssertionError("compared")
    def __call__(self, phase, about):
        pass
before, during = Unequal(), Unequal()
gc.callbacks.append(before)
def ids(): return [id(callback) for callback in gc.callbacks]
for round_number in range(3):
    session = host.start(path=f"{round_number}.xr")
    assert len(gc.callbacks) == 2
    gc.callbacks.insert(0, during)
    pid = os.fork()
    if pid == 0:
        os._exit(0 if ids() == [id(during), id(before)] else 1)
    assert os.waitpid(pid, 0)[1] == 0
    gc.collect()
    session.stop()
    session.wait()
    assert ids() == [id(during), id(before)], gc.callbacks
    del gc.callbacks[0]
# Taken out by the program itself: there is nothing to put back.
with host.start(path="cleared.xr") as session:
    gc.callbacks.clear()
    host.request()
assert gc.callbacks == []
assert session.wait().requests.traced == 1
""",
        options=["-W", "ignore::DeprecationWarning"],
    )


def test_a_pause_that_began_outside_the_trace_and_one_that_ends_outside(host):
    host.run(
        PROGRAM
        + """
from xray import _xray
open_ones = []
class Begins(Garbage):
    def __del__(self):
        transaction = _xray.begin(_xray.OTHER)
        transaction.set_name("work")
        host.call(1)
        open_ones.append(transaction)
class Ends(Garbage):
    def __del__(self):
        host.call(2)
        open_ones.pop().end()
with host.start(path="a.xr") as session:
    Begins()
    gc.collect()
    host.call(3)
    Ends()
    gc.collect()
    host.call(4)
report = session.wait()
assert report.requests.traced == 1 and not report.requests.incomplete
(trace,) = report.traces
calls = {}
for node in trace.nodes: calls[node.name] = calls.get(node.name, 0) + node.calls
assert calls["GC generation 2"] == 1 and calls["call"] == 2 + 4 + 3, calls
assert sum(node.self_ns for node in trace.nodes) == trace.duration_ns
assert [loss for loss in report.to_dict()["loss"]] == [], report.to_dict()["loss"]
"""
    )
