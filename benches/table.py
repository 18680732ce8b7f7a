"""Makes ``results/README.md`` from the raw samples: ``python benches/table.py``.

Ratios are of samples taken in the same alternation; their 95 % interval is a percentile bootstrap of the median.
"""

import json
import random
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
RESAMPLES = 10_000
SEED = 2013
LABELS = {
    "installed": "xray installed, no session",
    "newrelic": "New Relic, developer mode",
    "ddtrace": "Datadog's tracer",
    "opentelemetry": "OpenTelemetry, exported to nowhere",
    "untraced": "untraced: no xray in the process",
    "matched": "matched: every request traced, sampler at 100 Hz",
    "defaults": "defaults: budget 5 %, all requests match, none idle",
    "other": "other: a session on another transaction",
    "empty": "empty: a callback that does nothing, for xray's events",
    "cprofile": "cProfile around the requests",
    "yappi": "yappi around the requests",
    "viztracer": "viztracer around the requests",
}
SAMPLERS = {
    "xray": "xray, a whole session",
    "current_frames": "a thread with `sys._current_frames`",
    "ddtrace": "Datadog's profiler, at its own rate",
    "py-spy": "py-spy, stops the process",
    "py-spy, nonblocking": "py-spy --nonblocking",
    "austin": "austin",
    "tachyon": "Tachyon (`profiling.sampling`)",
}
HEAD = """# Results

Made by `make bench`; `README.md` one folder up explains the method. Medians, and a 95 % interval in brackets.
"""


def interval(values: Sequence[float], measure: Callable[[Sequence[float]], float]) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of ``measure``."""
    choice = random.Random(SEED)
    resampled = sorted(measure(choice.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return resampled[int(RESAMPLES * 0.025)], resampled[int(RESAMPLES * 0.975) - 1]


def rows(*cells: Sequence[str]) -> str:
    """A Markdown table; the first row is its head."""
    head, *body = cells
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def request_table(result: dict[str, Any]) -> str:
    """One Python's cost of a session."""
    parts = [f"## The tag request, Python {result['python']}\n"]
    for experiment in result["experiments"].values():
        cpu = experiment["cpu_ns"]
        lines = [["mode", "CPU ms per request", "ratio to untraced"]]
        for mode, samples in cpu.items():
            ratios = [sample / base for sample, base in zip(samples, cpu["untraced"], strict=True)]
            low, high = interval(ratios, statistics.median)
            ratio = "1" if mode == "untraced" else f"{statistics.median(ratios):.3f} [{low:.3f}, {high:.3f}]"
            lines.append([LABELS[mode], f"{statistics.median(samples) / 1e6:.2f}", ratio])
        parts += [f"{about_samples(result | experiment, len(cpu['untraced']))}.\n", rows(*lines)]
    return "\n".join(parts)


def workloads_table(result: dict[str, Any]) -> str:
    """What tracing costs programs of one Python."""
    programs = result["programs"]
    lines = [["program", "calls", "ms", "empty callback", "traced", "cProfile", "ns per call above empty"]]
    extra: dict[str, list[float]] = {"empty": [], "traced": [], "cprofile": []}
    for name, program in programs.items():
        cpu = program["cpu_ns"]
        cells = []
        for mode, more in extra.items():
            ratios = [sample / base for sample, base in zip(cpu[mode], cpu["untraced"], strict=True)]
            low, high = interval(ratios, statistics.median)
            more.append(statistics.median(ratios) - 1)
            cells.append(f"{statistics.median(ratios):.2f} [{low:.2f}, {high:.2f}]")
        above = [(traced - empty) / program["calls"] for traced, empty in zip(cpu["traced"], cpu["empty"], strict=True)]
        low, high = interval(above, statistics.median)
        per_call = f"{statistics.median(above):.0f} [{low:.0f}, {high:.0f}]"
        bare = f"{statistics.median(cpu['untraced']) / 1e6:.2f}"
        lines.append([name, str(program["calls"]), bare, *cells, per_call])
    # An extra cost of nothing, or less, is noise, and has no geometric mean.
    means = {mode: statistics.geometric_mean([max(cost, 0.01) for cost in costs]) for mode, costs in extra.items()}
    lines.append(["extra cost, geometric mean", "", "", *(f"{mean:.2f}" for mean in means.values()), ""])
    count = len(next(iter(programs.values()))["cpu_ns"]["untraced"])
    about = f"{count} alternations of runs of 30 ms, {result['cpus']} CPUs of {result['processor']}"
    sums = (
        f"The extra cost of tracing is {means['traced'] / means['empty']:.2f} times that of an empty callback and 1/"
        f"{means['cprofile'] / means['traced']:.1f} of cProfile's"
    )
    return f"## Programs, Python {result['python']}\n\n{about}. {sums}.\n\n{rows(*lines)}"


def idle_table(result: dict[str, Any]) -> str:
    """One Python's cost without a session."""
    cpu, memory = result["cpu_ns"], result["resident_bytes"]
    # Two processes of one kind differ by more than xray costs (where their memory lies), so what is resampled is pairs
    # of processes. In each of them samples that were taken in turn are compared, some milliseconds apart: the
    # machine's own speed changes more slowly.
    pairs = zip(cpu["installed"], cpu["untraced"], strict=True)
    differences = [(installed - untraced) / 1e3 for installed, untraced in pairs]
    count = result["alternations"]
    extra = [statistics.median(differences[at : at + count]) for at in range(0, len(differences), count)]
    low, high = interval(extra, statistics.median)
    growth = (statistics.median(memory["installed"]) - statistics.median(memory["untraced"])) / 2**20
    lines = [
        ["what", "extra with xray installed"],
        ["CPU per request", f"{statistics.median(extra):.1f} µs [{low:.1f}, {high:.1f}]"],
        ["resident memory", f"{growth:.1f} MiB"],
        [f"wake-ups of its threads in {result['idle_seconds']:.0f} s", str(max(result["wakeups"]))],
    ]
    about = about_samples(result, len(cpu["installed"]))
    return f"## No session, Python {result['python']}\n\n{about}, {len(extra)} pairs of processes.\n\n{rows(*lines)}"


def calls_table(result: dict[str, Any]) -> str:
    """One Python's cost of a wrapped call."""
    lines = [["call", "bare, ns", "wrapped costs more by, ns"]]
    for call, samples in result["cpu_ns"].items():
        extra = [wrapped - bare for wrapped, bare in zip(samples["wrapped"], samples["bare"], strict=True)]
        low, high = interval(extra, statistics.median)
        more = f"{statistics.median(extra):.0f} [{low:.0f}, {high:.0f}]"
        lines.append([call.replace("_", " "), f"{statistics.median(samples['bare']):.0f}", more])
    count = len(next(iter(result["cpu_ns"].values()))["bare"])
    about = f"No session. {count} alternations of {result['calls_per_sample']} calls"
    return f"## A wrapped call, Python {result['python']}\n\n{about}.\n\n{rows(*lines)}"


def peers_table(result: dict[str, Any]) -> str:
    """One Python's cost of agents that nobody looks at."""
    request, statement = result["cpu_ns"], result["statement_cpu_ns"]
    lines = [["agent", "more CPU per request, µs", "more CPU per statement outside of a request, µs"]]
    for mode in request:
        if mode == "untraced":
            continue
        cells = []
        for samples in request, statement:
            pairs = zip(samples[mode], samples["untraced"], strict=True)
            extra = [(with_agent - without) / 1e3 for with_agent, without in pairs]
            low, high = interval(extra, statistics.median)
            digits = 0 if samples is request else 2
            cells.append(f"{statistics.median(extra):.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]")
        lines.append([LABELS[mode], *cells])
    bare = [statistics.median(samples["untraced"]) / 1e3 for samples in (request, statement)]
    about = f"Without an agent a request takes {bare[0]:.0f} µs, a statement {bare[1]:.2f} µs"
    samples = about_samples(result, len(request["untraced"]))
    return f"## Other agents, Python {result['python']}\n\n{samples}. {about}.\n\n{rows(*lines)}"


def asgi_table(result: dict[str, Any]) -> str:
    """One Python's cost of agents that nobody looks at, for the smallest request to Starlette."""
    cpu = result["cpu_ns"]
    lines = [["agent", "more CPU per request, µs", "ratio to untraced"]]
    for mode, samples in cpu.items():
        if mode == "untraced":
            continue
        pairs = list(zip(samples, cpu["untraced"], strict=True))
        extra = [(with_agent - without) / 1e3 for with_agent, without in pairs]
        ratios = [with_agent / without for with_agent, without in pairs]
        more, ratio = interval(extra, statistics.median), interval(ratios, statistics.median)
        lines.append(
            [
                LABELS[mode],
                f"{statistics.median(extra):.1f} [{more[0]:.1f}, {more[1]:.1f}]",
                f"{statistics.median(ratios):.2f} [{ratio[0]:.2f}, {ratio[1]:.2f}]",
            ]
        )
    about = f"Without an agent a request takes {statistics.median(cpu['untraced']) / 1e3:.1f} µs"
    samples = about_samples(result, len(cpu["untraced"]))
    return f"## Other agents on ASGI, Python {result['python']}\n\n{samples}. {about}.\n\n{rows(*lines)}"


def sampler_table(result: dict[str, Any]) -> str:
    """What samplers cost one Python's process with twenty threads."""
    cost = result["cost"]
    columns = [(load, hz) for load, rates in cost["xray"].items() for hz in rates]
    lines = [["core share of the sampler", *(f"{load}, {hz} Hz" for load, hz in columns)]]
    for sampler, loads in cost.items():
        lines.append([SAMPLERS[sampler], *(core_share(loads[load][hz]) for load, hz in columns)])
    ratios = [["sampler", "rate asked for", "throughput with it, ratio"]]
    for sampler, rates in result["throughput"].items():
        for hz, pairs in rates.items():
            speeds = [[window["done"] / window["wall_ns"] for window in pair.values()] for pair in pairs]
            compared = [sampled / without for sampled, without in speeds]
            low, high = interval(compared, statistics.median)
            ratios.append([SAMPLERS[sampler], f"{hz} Hz", f"{statistics.median(compared):.3f} [{low:.3f}, {high:.3f}]"])
    pairs = len(result["throughput"]["xray"]["1000"])
    achieved = [
        f"{SAMPLERS[sampler]} {statistics.median(achieved):.0f} Hz"
        for sampler, achieved in result["achieved_hz"].items()
    ]
    about = (
        f"{result['threads']} threads, {result['cpus']} CPUs of {result['processor']}. In parentheses the rate achieved"
    )
    windows = f"{pairs} pairs of windows; one thread computes in Python, nothing else keeps a core busy"
    return (
        f"## Samplers, Python {result['python']}\n\n{about}, where the sampler says.\n\n{rows(*lines)}\n"
        f"{windows}.\n\n{rows(*ratios)}\n"
        f"Of 1,000 Hz with two threads that keep both cores busy: {', '.join(achieved)}.\n"
    )


def core_share(samples: list[dict[str, Any]]) -> str:
    """CPU time per wall time, and the ticks per second if the sampler says."""
    share = statistics.median(sample["cpu_ns"] / sample["wall_ns"] for sample in samples)
    rates = [sample["hz"] for sample in samples if sample["hz"] is not None]
    return f"{share:.4f} ({statistics.median(rates):.0f})" if rates else f"{share:.4f}"


def about_samples(result: dict[str, Any], alternations: int) -> str:
    """What was measured, how often, and on what."""
    machine = f"{result['cpus']} CPUs of {result['processor']}"
    return f"`{result['path']}`, {alternations} alternations of {result['requests_per_sample']} requests, {machine}"


def main() -> int:
    """Read all results, write the table."""
    parts = [HEAD]
    tables = {
        "request": request_table,
        "workloads": workloads_table,
        "idle": idle_table,
        "calls": calls_table,
        "peers": peers_table,
        "asgi": asgi_table,
        "sampler": sampler_table,
    }
    for name, make in tables.items():
        parts += [make(json.loads(file.read_text())) for file in sorted(RESULTS.glob(f"{name}-*.json"))]
    (RESULTS / "README.md").write_text("\n".join(parts))
    print("\n".join(parts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
