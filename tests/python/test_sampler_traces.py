"""Each trace has its own samples: the lines that ran in it, in the shares of a truth by construction.

Two matching transactions take turns on one event loop. `alpha` and `beta` are each called in one of them only, and use
the CPU on two lines, three parts on the first and one on the second.
"""

import json

PROGRAM = """
import asyncio, json, time
import xray
xray.install()

def burn(ms):
    until = time.thread_time() + ms / 1000
    while time.thread_time() < until:
        pass

def alpha():
    burn(3)
    burn(1)

def beta():
    burn(3)
    burn(1)

async def work(function):
    with xray.transaction("target", kind="web"):
        for _ in range(60):
            function()
            await asyncio.sleep(0)

async def main():
    await asyncio.gather(work(alpha), work(beta))

with xray.transaction("first"):
    pass
session = xray.start_session("target", seconds=60, hz=1000, max_overhead=1.0, share=1.0)
asyncio.run(main())
session.stop()
report = session.wait()
traces = []
for trace in report.traces:
    samples = trace.samples
    stacks = samples.stacks
    assert sum(stack.count for stack in stacks) == samples.count and sum(stack.ns for stack in stacks) == samples.ns
    assert [stack.at_ns for stack in stacks] == sorted(stack.at_ns for stack in stacks)
    assert all(frame.parent < at for at, frame in enumerate(samples.frames))
    assert all(0 <= stack.at_ns <= trace.duration_ns and stack.frame < len(samples.frames) for stack in stacks)
    traces.append({
        "called": sorted({node.name for node in trace.nodes} & {"alpha", "beta"}),
        "lines": [[line.name, line.line, line.count] for line in samples.lines if line.name in ("alpha", "beta")],
        "own": [line.name for line in samples.lines if line.self_ns > 0.5 * samples.ns],
        "count": samples.count,
        "dropped": samples.dropped,
    })
lines = {name: globals()[name].__code__.co_firstlineno for name in ("alpha", "beta")}
print(json.dumps({"traces": traces, "first": lines, "on_target": report.samples.on_target}))
"""


def test_each_trace_has_the_lines_that_ran_in_it(run):
    told = json.loads(run(PROGRAM).stdout)
    assert sorted(trace["called"] for trace in told["traces"]) == [["alpha"], ["beta"]]
    for trace in told["traces"]:
        (name,) = trace["called"]
        first = told["first"][name]
        seen = {(who, line): count for who, line, count in trace["lines"]}
        # Not one sample of the other, whose turns are in between.
        assert set(seen) <= {(name, first), (name, first + 1), (name, first + 2)}, trace
        share = seen[name, first + 1] / (seen[name, first + 1] + seen[name, first + 2])
        # 3/4, by four standard errors: some ticks are missed on a busy machine.
        assert abs(share - 0.75) < 4 * (0.75 * 0.25 / trace["count"]) ** 0.5, trace
        assert set(trace["own"]) <= {"burn"}
        assert trace["dropped"] == 0
    counted = sum(trace["count"] for trace in told["traces"])
    assert 0.98 * told["on_target"] <= counted <= told["on_target"], told


SECONDS = """
import json, time
import xray
xray.install()
with xray.transaction("first"):
    pass
session = xray.start_session("target", seconds=60, hz=100, max_overhead=1.0, share=1.0)
until = time.time() + 3
while time.time() < until:
    with xray.transaction("target"):
        sum(range(100_000))
session.stop()
report = session.wait()
print(json.dumps({
    "seconds": [[s.t_s, s.samples.target, s.samples.other] for s in report.series],
    "count": report.samples.count,
    "on_target": report.samples.on_target,
}))
"""


def test_each_second_has_the_samples_that_were_taken_in_it(run):
    told = json.loads(run(SECONDS).stdout)
    assert sum(target for _, target, _ in told["seconds"]) == told["on_target"] > 0
    assert sum(target + other for _, target, other in told["seconds"]) == told["count"]
    whole = told["seconds"][1:-1]
    # One thread at 100 Hz; a busy machine misses ticks, and gives no second more than it has.
    assert [t for t, _, _ in whole] == list(range(1, len(whole) + 1)) and len(whole) >= 1
    assert all(20 <= target + other <= 101 for _, target, other in whole), told
