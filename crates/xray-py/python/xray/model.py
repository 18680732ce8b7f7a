"""What a report holds; the fields are those of docs/report.schema.json.

Durations are integer nanoseconds (``_ns``), instants RFC 3339 in UTC, shares 0 to 1. None stands for what cannot be
known.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that stands out."""

    code: str
    text: str
    component: str | None
    share: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer in words."""

    text: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """What ``--transaction`` was given, and what it was taken for."""

    given: str
    canonical: str
    kind: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounded the session."""

    duration_ns: int
    traces: int
    stop_after: int | None
    min_ns: int
    share: float
    max_overhead: float
    hz: int


@dataclass(frozen=True, slots=True)
class Tracer:
    """How calls were traced."""

    mechanism: str
    reason: str
    clock: str


@dataclass(frozen=True, slots=True)
class Sampler:
    """How threads were sampled."""

    mechanism: str
    reason: str


@dataclass(frozen=True, slots=True)
class Process:
    """One process of the application."""

    host: str
    pid: int
    python: str
    framework: str | None
    joined_at: str
    left_at: str
    end: str
    tracer: Tracer
    sampler: Sampler


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """The session."""

    id: str
    app: str
    target: Target
    limits: Limits
    state: str
    started_at: str
    ended_at: str
    duration_ns: int
    stopped_by: str
    processes: tuple[Process, ...]


@dataclass(frozen=True, slots=True)
class Requests:
    """Counts of transactions; ``matched = traced + control``."""

    matched: int
    traced: int
    control: int
    discarded: int
    incomplete: int
    other: int
    errors: int


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """One latency distribution."""

    count: int
    min_ns: int | None
    mean_ns: int | None
    p50_ns: int | None
    p75_ns: int | None
    p90_ns: int | None
    p95_ns: int | None
    p99_ns: int | None
    p999_ns: int | None
    max_ns: int | None
    hdr_v2_base64: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean of traced over mean of control, minus 1, with its 95 % interval."""

    difference: float
    ci95: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class TracingCost:
    """What tracing cost."""

    cpu: Difference | None
    wall: Difference | None
    process_share: float | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Component:
    """All calls of one function or segment in all traced transactions."""

    id: str
    name: str
    kind: str
    file: str | None
    line: int | None
    detail: str | None
    calls: int
    calls_per_request: float
    total_ns: int
    self_ns: int
    share: float
    source: str
    members: int | None


@dataclass(frozen=True, slots=True)
class TraceSummary:
    """One kept trace, without its calls."""

    id: str
    process: str
    thread: str
    started_at: str
    duration_ns: int
    cpu_ns: int
    status: int | None
    error: str | None
    calls: int
    timeline_entries: int
    complete: bool
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class TraceNode:
    """One function or segment of a trace, at one place of its call tree; ``parent`` is -1 for the root."""

    parent: int
    name: str
    kind: str
    file: str | None
    line: int | None
    detail: str | None
    calls: int
    resumes: int
    errors: int
    total_ns: int
    self_ns: int
    min_ns: int
    max_ns: int
    recursion_depth: int
    rows: int


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One call with its own start, relative to the start of the trace; ``node`` is an index of the trace's nodes.

    ``arguments`` are those of a function marked by ``@xray.trace``.
    """

    node: int
    start_ns: int
    duration_ns: int
    folded: int
    arguments: str | None


@dataclass(frozen=True, slots=True)
class TraceDetail(TraceSummary):
    """One kept trace with its calls."""

    paths_folded: int
    timeline_threshold_ns: int
    nodes: tuple[TraceNode, ...]
    timeline: tuple[TimelineEntry, ...]
    samples: TraceSamples


@dataclass(frozen=True, slots=True)
class SampledLine:
    """One line of one function, in all stacks of a trace's samples; ``self_*`` is of those in which it ran itself."""

    name: str
    file: str | None
    line: int | None
    count: int
    self_count: int
    ns: int
    self_ns: int
    self_cpu_ns: int
    self_states_ns: States


@dataclass(frozen=True, slots=True)
class SampledFrame:
    """One frame of a trace's sampled stacks; ``parent`` is an index of its frames, -1 for the outermost."""

    parent: int
    name: str
    file: str | None
    line: int | None


@dataclass(frozen=True, slots=True)
class SampledStack:
    """One stack, at one tick of the sampler or at several in a row, relative to the start of the trace.

    ``frame`` is the innermost one, -1 for a stack that is not known; ``state`` is a field of :class:`States`.
    """

    at_ns: int
    frame: int
    state: str
    count: int
    ns: int
    cpu_ns: int


@dataclass(frozen=True, slots=True)
class TraceSamples:
    """What the sampler saw of one trace: estimates. ``dropped`` samples did not fit."""

    count: int
    ns: int
    cpu_ns: int
    dropped: int
    lines: tuple[SampledLine, ...]
    frames: tuple[SampledFrame, ...]
    stacks: tuple[SampledStack, ...]


@dataclass(frozen=True, slots=True)
class States:
    """Time by what the thread did, in nanoseconds."""

    on_cpu: int
    waiting_for_gil: int
    waiting_for_core: int
    blocked: int
    unknown: int


@dataclass(frozen=True, slots=True)
class TreeNode:
    """One stack of a tree, in preorder; ``parent`` is -1 for a root."""

    parent: int
    name: str
    file: str | None
    line: int | None
    thread_kind: str | None
    count: int
    weight_ns: int
    self_ns: int
    cpu_ns: int | None
    self_cpu_ns: int | None
    self_states_ns: States | None


@dataclass(frozen=True, slots=True)
class Tree:
    """Samples or calls by stack."""

    source: str
    nodes: tuple[TreeNode, ...]


@dataclass(frozen=True, slots=True)
class Samples:
    """What the sampler did."""

    count: int
    on_target: int
    threads: int
    rate_hz: int
    achieved_hz: float | None
    missed: int
    torn: int
    sampler_cpu_ns: int


@dataclass(frozen=True, slots=True)
class GilHolder:
    """Who had the GIL while others waited for it: a thread by its name, and what it ran."""

    thread_kind: str
    thread: str
    function: str
    file: str | None
    line: int | None


@dataclass(frozen=True, slots=True)
class Wait:
    """Time that threads of one kind waited ``on`` the ``gil`` or a ``system_call``.

    ``holder`` is ``None`` while the GIL was free and its next owner not awake yet. ``idle`` are threads in no
    transaction that waited for work.
    """

    thread_kind: str
    on: str
    ns: int
    holder: GilHolder | None
    call: str | None
    idle: bool


@dataclass(frozen=True, slots=True)
class SampledThreads:
    """Samples by whom they are counted for."""

    target: int
    web: int
    background: int
    other: int


@dataclass(frozen=True, slots=True)
class Second:
    """One second of the session: transactions that ended in it, samples that were taken in it."""

    t_s: int
    matched: int
    other: int
    p50_ns: int | None
    p95_ns: int | None
    samples: SampledThreads


@dataclass(frozen=True, slots=True)
class Loss:
    """What a bound cut."""

    kind: str
    count: int
    capacity: int


@dataclass(frozen=True, slots=True)
class Decision:
    """A change of the traced share or of the sampling rate."""

    at_ns: int
    what: str
    # The JSON's key, which is a word of Python.
    from_: float
    to: float
    because: str


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence for the reader."""

    code: str
    severity: str
    message: str
