"""What a session may take: memory of one trace and of all in flight; what a bound cuts is counted, and told."""

#: Functions that call one another on ever new paths, and count their calls themselves.
PROGRAM = """
import contextvars, os, random, sys, threading
import host, xray
host.request()

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGESIZE")

MB = 1 << 20
counts = {}
def make(number):
    def function(choose, depth):
        counts[name] += 1
        if depth:
            functions[int(choose.random() * 40)](choose, depth - 1)
    name = f"function{number}"
    counts[name] = 0
    # A code object of its own: closures of one `def` share theirs.
    function.__code__ = function.__code__.replace(co_name=name, co_qualname=name, co_firstlineno=number + 1000)
    return function
functions = [make(number) for number in range(40)]

def new_paths(calls, seed=1):
    choose = random.Random(seed)
    for _ in range(calls // 10):
        functions[int(choose.random() * 40)](choose, 9)

def calls_by_name(report):
    found = {}
    for trace in report.traces:
        for node in trace.nodes:
            found[node.name] = found.get(node.name, 0) + node.calls
    return found
"""


def test_ten_million_calls_take_one_megabyte_and_are_counted(host):
    host.run(
        PROGRAM
        + """
def leaf(): pass
def branch():
    for _ in range(9): leaf()
with host.start(path="a.xr") as session:
    with xray.transaction("work"):
        before = resident()
        new_paths(1_000_000)
        for _ in range(100_000): branch()
        early = resident()
        for _ in range(800_000): branch()
        late = resident()
# Without the bound it were more than 60 MB. The agent's threads touch pages of their own meanwhile.
assert early - before < 3 * MB, (early - before) / MB
assert late - early < 0.5 * MB, (late - early) / MB
report = session.wait()
found = calls_by_name(report)
assert found["leaf"] == 8_100_000 and found["branch"] == 900_000, found
assert {name: found[name] for name in counts} == counts
(trace,) = report.traces
assert trace.detail.paths_folded > 100_000 and trace.detail.timeline_threshold_ns > 0
assert 100 < len(trace.timeline) <= 2000
assert sum(node.self_ns for node in trace.nodes) == trace.duration_ns
loss = {entry["kind"]: entry for entry in report.to_dict()["loss"]}
assert loss["paths_folded"]["count"] == trace.detail.paths_folded
assert loss["paths_folded"]["capacity"] == MB
assert "calls are counted by function and not by path" in report.text()
""",
        seconds=120,
    )


def test_sixteen_traces_in_flight_and_what_comes_beside_them(host):
    host.run(
        PROGRAM
        + """
def all_at_once(calls):
    gates = [threading.Barrier(21) for _ in range(3)]
    def run(number):
        gates[0].wait()
        with xray.transaction("work"):
            gates[1].wait()
            new_paths(calls, number)
            gates[2].wait()
            gates[0].wait()
    threads = [threading.Thread(target=run, args=(number,)) for number in range(20)]
    for thread in threads: thread.start()
    for gate in gates: gate.wait()
    now = resident()
    gates[0].wait()
    for thread in threads: thread.join()
    return now
with host.start(path="a.xr") as session:
    few = all_at_once(10)
    for name in counts: counts[name] = 0
    many = all_at_once(40_000)
assert many - few < 20 * MB, (many - few) / MB
report = session.wait()
requests = report.requests
assert (requests.matched, requests.traced, requests.control) == (40, 32, 8), requests
loss = {entry["kind"]: entry for entry in report.to_dict()["loss"]}
assert (loss["recorders"]["count"], loss["recorders"]["capacity"]) == (8, 16), loss
assert "8 matching requests were timed and not traced" in report.text()
""",
        seconds=90,
    )


def test_the_threads_of_a_trace_share_its_megabyte(host):
    host.run(
        PROGRAM
        + """
def threads_of_one(number_of_threads, calls):
    done, go_on = threading.Barrier(number_of_threads + 1), threading.Barrier(number_of_threads + 1)
    def run(number):
        new_paths(calls, number)
        done.wait()
        go_on.wait()
    with xray.transaction("work"):
        contexts = [contextvars.copy_context() for _ in range(number_of_threads)]
        threads = [threading.Thread(target=c.run, args=(run, n)) for n, c in enumerate(contexts)]
        for thread in threads: thread.start()
        done.wait()
        now = resident()
        go_on.wait()
        for thread in threads: thread.join()
    return now
with host.start(path="a.xr") as session:
    few = threads_of_one(60, 10)
    for name in counts: counts[name] = 0
    many = threads_of_one(60, 5_000)
# Not 60: each has its own trace tree. Some is what the allocator of the C library keeps for each thread.
assert many - few < 5 * MB, (many - few) / MB
traces = sorted(session.wait().traces, key=lambda trace: trace.summary.started_at)
assert all(trace.summary.complete for trace in traces)
trace = traces[-1]
assert sum(counts.values()) == 300_000
own = sum(node.calls for node in trace.nodes if node.name in counts)
other = sum(node.calls for node in trace.nodes if node.kind == "other")
# Functions for which there was no memory left are one: theirs and those of the program's library.
assert own <= 300_000 <= own + other, (own, other)
assert sum(node.calls for node in trace.nodes) == trace.summary.calls
# More threads than are told apart: the trace says so.
with host.start(path="b.xr") as session:
    threads_of_one(80, 10)
(trace,) = session.wait().traces
assert not trace.summary.complete and "more threads" in trace.summary.attributes["incomplete"], trace.summary
""",
        seconds=90,
    )
