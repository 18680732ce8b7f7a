"""Deep recursion: as deep as without xray, and counted right or marked."""

import pytest

PROGRAM = """
import sys, threading
import host, xray
from xray import _xray
sys.setrecursionlimit(200_000)

def down(n):
    return 0 if n == 0 else 1 + down(n - 1)

def ping(n):
    return 0 if n == 0 else 1 + pong(n - 1)

def pong(n):
    return 0 if n == 0 else 1 + ping(n - 1)

def on_a_thread(function, stack):
    failures = []
    def run():
        try: function()
        except BaseException as error: failures.append(error)
    threading.stack_size(stack)
    thread = threading.Thread(target=run)
    thread.start()
    threading.stack_size(0)
    thread.join()
    assert not failures, failures

def are_right_or_marked(traces, wanted):
    for trace in traces:
        calls = {}
        for node in trace.nodes: calls[node.name] = calls.get(node.name, 0) + node.calls
        right = all(calls.get(name) == count for name, count in wanted.items())
        assert right or not trace.summary.complete, (calls, trace.summary.attributes)
        if not trace.summary.complete:
            assert "stack" in trace.summary.attributes["incomplete"]
"""


@pytest.mark.parametrize("where", ["main", "small", "default"])
@pytest.mark.parametrize("depth", [15_000, 90_000])
def test_in_a_trace(host, where, depth):
    host.run(
        PROGRAM
        + """
where, depth = sys.argv[1], int(sys.argv[2])
def run():
    with xray.transaction("work"):
        assert down(depth) == depth
        assert ping(depth) == depth
with host.start(path="a.xr", hz=1000) as session:
    if where == "main":
        run()
    else:
        on_a_thread(run, {"small": 256 << 10, "default": 0}[where])
    with xray.transaction("work"):
        assert down(20) == 20
report = session.wait()
assert report.requests.traced == 2, report.requests
assert len(report.traces) == 2
deep, shallow = report.traces
assert shallow.summary.complete
are_right_or_marked([deep], {"down": depth + 1, "ping": depth // 2 + 1, "pong": depth // 2})
""",
        where,
        depth,
    )


@pytest.mark.parametrize("stack", [256 << 10, 0])
def test_beside_a_trace(host, stack):
    host.run(
        PROGRAM
        + """
entered, leave = threading.Event(), threading.Event()
def traced():
    with xray.transaction("work"):
        entered.set()
        leave.wait()
        host.call(5)
with host.start(path="a.xr", hz=1000) as session:
    thread = threading.Thread(target=traced)
    thread.start()
    entered.wait()
    on_a_thread(lambda: down(30_000), int(sys.argv[1]))
    assert down(30_000) == 30_000
    leave.set()
    thread.join()
report = session.wait()
assert report.requests.traced == 1
are_right_or_marked(report.traces, {"call": 6})
""",
        stack,
    )


def test_endless_recursion_ends_as_ever(host):
    host.run(
        PROGRAM
        + """
sys.setrecursionlimit(3000)
def endless(n):
    return endless(n + 1)
def deepest():
    try: endless(0)
    except RecursionError as error: return str(error)
without = deepest()
with host.start(path="a.xr") as session:
    for _ in range(3):
        with xray.transaction("work"):
            assert deepest() == without
report = session.wait()
assert report.requests.traced == 3
"""
    )


def test_transactions_inside_one_another(host):
    host.run(
        PROGRAM
        + """
def nested(n):
    if n == 0:
        return host.call(3)
    with xray.transaction(f"work {n}"):
        return nested(n - 1)
with host.start("work *", path="a.xr") as session:
    nested(2000)
    left = [_xray.begin(_xray.OTHER) for _ in range(100_000)]
    assert _xray.current() is not None
    del left
    assert _xray.current() is None
    host.request("work 1")
report = session.wait()
assert report.requests.matched == 2001, report.requests
"""
    )
