"""Other tools of the interpreter see with a session what they see without."""

import sys

import pytest

#: A program with calls, recursion, generators, exceptions and C functions; the same each time.
PROGRAM = """
import sys, threading
import host, xray
from xray import _xray

def numbers(n):
    for i in range(n):
        yield i

class Thing:
    def __init__(self, n):
        self.n = n
    def __enter__(self):
        return self
    def __exit__(self, *exc):
        return True

def work():
    total = host.call(10) + sum(numbers(7)) + len([Thing(n) for n in range(5)])
    with Thing(1):
        raise LookupError
    generator = numbers(3)
    next(generator)
    generator.close()
    return total + max(3, *map(len, ["a", "bb"]))

OWN = (__file__, host.__file__)
def events_of(observe):
    seen = []
    observe(seen)
    return seen

def traced_by_settrace(seen):
    def trace(frame, event, argument):
        if frame.f_code.co_filename in OWN:
            seen.append((event, frame.f_code.co_name, frame.f_lineno))
        return trace
    sys.settrace(trace)
    work()
    assert sys.gettrace() is trace
    sys.settrace(None)

def traced_by_setprofile(seen):
    def profile(frame, event, argument):
        if frame.f_code.co_filename in OWN:
            seen.append((event, frame.f_code.co_name, getattr(argument, "__name__", None)))
    sys.setprofile(profile)
    work()
    assert sys.getprofile() is profile
    sys.setprofile(None)

def traced_by_cprofile(seen):
    import cProfile, pstats
    profile = cProfile.Profile()
    profile.enable()
    work()
    profile.disable()
    stats = pstats.Stats(profile).stats
    seen.extend(sorted((key, counts[:2]) for key, counts in stats.items() if key[0] in OWN))

def traced_by_monitoring(seen):
    monitoring = sys.monitoring
    monitoring.use_tool_id(0, "debugger")
    events = monitoring.events
    names = ["PY_START", "PY_RETURN", "PY_RESUME", "PY_YIELD", "PY_UNWIND", "LINE", "CALL", "RAISE", "PY_THROW"]
    for name in names:
        def callback(code, *arguments, name=name):
            if code.co_filename in OWN:
                where = arguments[0] if arguments and isinstance(arguments[0], int) else None
                seen.append((name, code.co_name, where))
        monitoring.register_callback(0, getattr(events, name), callback)
    monitoring.set_events(0, sum(getattr(events, name) for name in names))
    work()
    monitoring.set_events(0, 0)
    for name in names:
        monitoring.register_callback(0, getattr(events, name), None)
    monitoring.free_tool_id(0)

observe = globals()["traced_by_" + sys.argv[1]]
def observed():
    seen = events_of(observe)
    assert len(seen) > 5, seen
    return seen
"""

TOOLS = ["settrace", "setprofile", "cprofile"] + (["monitoring"] if sys.version_info >= (3, 12) else [])


@pytest.mark.parametrize("tool", TOOLS)
def test_before_during_and_after_a_session(host, tool):
    host.run(
        PROGRAM
        + """
work()
without = observed()
assert without == observed()
with host.start(path="a.xr") as session:
    assert observed() == without
    with xray.transaction("work"):
        assert _xray.tracing()
        assert observed() == without
        threads = []
        def in_thread():
            threads.append(observed())
        thread = threading.Thread(target=in_thread); thread.start(); thread.join()
        assert threads == [without]
        work()
report = session.wait()
assert report.requests.traced == 1
assert observed() == without
(trace,) = report.traces
calls = {}
for node in trace.nodes: calls[node.name] = calls.get(node.name, 0) + node.calls
# Not those of the other thread, which has no context of the transaction.
assert calls["call"] == 11 * 2 and calls["Thing.__init__"] == 6 * 2, calls
""",
        tool,
    )


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_that_is_on_while_a_session_begins_and_ends(host, tool):
    # The tool observes `work`, in which sessions begin and end meanwhile.
    host.run(
        PROGRAM
        + """
host.request()
plain = work
without = observed()
def begins():
    global session
    session = host.start(path="a.xr")
def ends():
    session.stop()
    session.wait()
def in_another_thread(function):
    thread = threading.Thread(target=function); thread.start()
    while thread.is_alive():
        thread.join(0.01)
OWN_WORK = plain.__code__
def work():
    plain()
    in_another_thread(begins)
    plain()
    with xray.transaction("work"):
        plain()
    in_another_thread(ends)
    plain()
three = observed()
def of_plain(seen):
    names = {"call", "numbers", "__init__", "__enter__", "__exit__"}
    if sys.argv[1] == "cprofile":
        return {key[2]: counts for key, counts in seen if key[2] in names}
    return [event for event in seen if event[1] in names]
if sys.argv[1] == "cprofile":
    once, four = of_plain(without), of_plain(three)
    assert four == {name: (4 * a, 4 * b) for name, (a, b) in once.items()}, (once, four)
else:
    assert of_plain(three) == of_plain(without) * 4
import xray as _x
report = _x.open("a.xr")
assert report.requests.traced == 1
""",
        tool,
    )


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="sys.monitoring is used from 3.12 on")
def test_another_evaluation_hook(host):
    host.run(
        """
import sys
import eval_hook, host, xray
host.request()
hook = eval_hook.machine_code_that_jumps_to_the_default()
eval_hook.set_hook(hook)
with host.start(path="refused.xr") as session:
    host.request()
    assert eval_hook.current() == hook
report = session.wait()
assert (report.requests.traced, report.requests.control) == (0, 1)
(process,) = report.session.processes
assert process.tracer.mechanism == "none"
assert "another tool has set the frame evaluation hook" in process.tracer.reason
assert eval_hook.current() == hook

# Put in place in the middle of a session: what is there is left there.
eval_hook.set_hook(eval_hook.DEFAULT)
with host.start(path="late.xr") as session:
    host.request()
    with xray.transaction("work"):
        ours = eval_hook.current()
        assert ours not in (hook, eval_hook.DEFAULT)
        eval_hook.set_hook(hook)
        host.call(3)
    assert eval_hook.current() == hook
    host.request()
    assert eval_hook.current() == hook
report = session.wait()
assert (report.requests.traced, report.requests.control) == (2, 1), report.requests
assert eval_hook.current() == hook
"""
    )


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="sys.monitoring is used from 3.12 on")
def test_the_hook_is_there_only_while_a_trace_is(host):
    host.run(
        """
import eval_hook, host, xray
host.request()
assert eval_hook.current() == eval_hook.DEFAULT
with host.start(path="a.xr") as session:
    assert eval_hook.current() == eval_hook.DEFAULT
    with xray.transaction("work"):
        assert eval_hook.current() != eval_hook.DEFAULT
        with xray.transaction("inner"):
            pass
        assert eval_hook.current() != eval_hook.DEFAULT
    assert eval_hook.current() == eval_hook.DEFAULT
    with xray.transaction("other"):
        assert eval_hook.current() == eval_hook.DEFAULT
assert eval_hook.current() == eval_hook.DEFAULT
"""
    )
