"""Transactions of greenlets: each has its own context, and switching is no call."""

import pytest

pytest.importorskip("gevent")

PROGRAM = """
import sys
import gevent, greenlet
import host, xray
from xray import _xray

def leaf():
    pass

def work(calls):
    for _ in range(calls):
        leaf()
        gevent.sleep(0)

def request(name, calls):
    transaction = _xray.begin(_xray.WEB)
    transaction.set_name(name)
    work(calls)
    transaction.end()

def leaves(trace):
    return sum(node.calls for node in trace.nodes if node.name == "leaf")
"""


def test_interleaved_greenlets_have_their_own_calls(host):
    host.run(
        PROGRAM
        + """
with host.start(path="a.xr") as session:
    named = [("work", 3), ("other", 5), ("work", 7), ("other", 2), ("work", 11)]
    gevent.joinall([gevent.spawn(request, *each) for each in named], raise_error=True)
    assert greenlet.gettrace() is None
report = session.wait()
assert (report.requests.traced, report.requests.other) == (3, 2)
assert sorted(map(leaves, report.traces)) == [3, 7, 11]
"""
    )


def test_a_trace_function_that_was_there_hears_of_all_switches(host):
    host.run(
        PROGRAM
        + """
switches = []
def trace(event, arguments):
    switches.append(event)
greenlet.settrace(trace)
def count():
    del switches[:]
    gevent.joinall([gevent.spawn(request, "work", 3), gevent.spawn(request, "other", 3)], raise_error=True)
    return len(switches)
count()
without = count()
with host.start(path="a.xr") as session:
    assert count() == without
    assert greenlet.gettrace() is trace
report = session.wait()
assert list(map(leaves, report.traces)) == [3]
"""
    )
