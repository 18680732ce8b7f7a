//! The report: what `--format json` prints, and what the terminal and the page draw. One model, three views.
//!
//! Durations are integer nanoseconds (`_ns`), instants RFC 3339 UTC, shares 0 to 1. Keys are always present; `None`
//! (JSON `null`) where a value cannot be known. `docs/report.schema.json` is the contract; keys are only added
//! within `/1`.

mod trace_samples;

pub use trace_samples::{SampledFrame, SampledLine, SampledStack, TraceSamples};

use serde::Serialize;

/// `xray.report/1`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Always `xray.report/1`.
    pub schema: &'static str,
    /// Version of the program that made the report.
    pub xray_version: String,
    /// Version of the file's format.
    pub format_version: u16,
    /// True when the file was damaged or cut.
    pub recovered: bool,
    /// The answer in words, most important sentence first.
    pub verdict: Verdict,
    /// The session.
    pub session: Session,
    /// Counts.
    pub requests: Requests,
    /// Latency by arm.
    pub latency: Latencies,
    /// What tracing cost, traced compared with control.
    pub tracing_cost: TracingCost,
    /// Slowest components by self time over all traced transactions, the last one the remainder.
    pub components: Vec<Component>,
    /// Kept traces, slowest first.
    pub traces: Vec<TraceSummary>,
    /// The sampler.
    pub samples: Samples,
    /// What the sampled threads waited for, longest first.
    pub waits: Vec<Wait>,
    /// By second.
    pub series: Vec<Second>,
    /// What is missing.
    pub loss: Vec<LossEntry>,
    /// Changes of probability and rate.
    pub decisions: Vec<DecisionEntry>,
    /// Sentences for the reader.
    pub notes: Vec<NoteEntry>,
}

/// The answer in words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// One or two sentences.
    pub text: String,
    /// What stands out, in order; empty when nothing does.
    pub findings: Vec<Finding>,
}

/// One thing that stands out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// `n_plus_one`, `slow_query`, `hot_function`, `slow_c_call`, `gil_contention`, `slow_template`, `slow_component`.
    pub code: &'static str,
    /// One sentence that names the culprit with its place.
    pub text: String,
    /// Component it is about, an id of [`Component`], if one.
    pub component: Option<String>,
    /// Share of the traced time it stands for.
    pub share: f64,
}

/// The session.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct Session {
    pub id: String,
    pub app: String,
    pub target: Target,
    pub limits: Limits,
    pub state: &'static str,
    pub started_at: String,
    pub ended_at: String,
    pub duration_ns: u64,
    pub stopped_by: &'static str,
    pub processes: Vec<Process>,
}

/// The target.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct Target {
    pub given: String,
    pub canonical: String,
    pub kind: &'static str,
}

/// The limits.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct Limits {
    pub duration_ns: u64,
    pub traces: u32,
    pub stop_after: Option<u64>,
    pub min_ns: u64,
    pub share: f64,
    pub max_overhead: f64,
    pub hz: u32,
}

/// One process.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct Process {
    pub host: String,
    pub pid: u32,
    pub python: String,
    pub framework: Option<String>,
    pub joined_at: String,
    pub left_at: String,
    pub end: &'static str,
    pub tracer: Tracer,
    pub sampler: Sampler,
}

/// How calls were traced.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct Tracer {
    pub mechanism: String,
    pub reason: String,
    pub clock: String,
}

/// How threads were sampled.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct Sampler {
    pub mechanism: String,
    pub reason: String,
}

/// Counts; `matched = traced + control`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct Requests {
    pub matched: u64,
    pub traced: u64,
    pub control: u64,
    pub discarded: u64,
    pub incomplete: u64,
    pub other: u64,
    pub errors: u64,
}

/// Latency of the arms.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct Latencies {
    pub traced: Latency,
    pub control: Latency,
    pub all: Latency,
}

/// One latency distribution. A percentile is `None` when there are too few values for it (p99 below 100, p99.9 below
/// 1000) or none at all.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct Latency {
    pub count: u64,
    pub min_ns: Option<u64>,
    pub mean_ns: Option<u64>,
    pub p50_ns: Option<u64>,
    pub p75_ns: Option<u64>,
    pub p90_ns: Option<u64>,
    pub p95_ns: Option<u64>,
    pub p99_ns: Option<u64>,
    pub p999_ns: Option<u64>,
    pub max_ns: Option<u64>,
    pub hdr_v2_base64: String,
}

/// What tracing cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct TracingCost {
    pub cpu: Option<Difference>,
    pub wall: Option<Difference>,
    /// xray's own share of the processes' CPU time: tracer, sampler and agent together.
    pub process_share: Option<f64>,
    /// `None` without a comparison of CPU times, or with traces without a call.
    pub event: Option<EventCost>,
    /// Why there is no comparison; `None` when there is one.
    pub reason: Option<String>,
}

/// Mean of traced over mean of control, minus 1: 0.12 = 12 % more.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct Difference {
    pub difference: f64,
    pub ci95: [f64; 2],
}

/// What one event of the tracer costs, in nanoseconds: what the budget counts with, and what the arms say.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct EventCost {
    pub measured_ns: f64,
    pub arms_ns: f64,
    pub ci95_ns: [f64; 2],
}

/// One component: all calls of one function or segment over all traced transactions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Component {
    /// Stable within a report: `c1`, `c2`, ...; `remainder` for the last.
    pub id: String,
    /// Name.
    pub name: String,
    /// `function`, `sql`, `template`, `external`, `cache`, `queue`, `gc`, `remainder`.
    pub kind: &'static str,
    /// Source file, if any.
    pub file: Option<String>,
    /// First line or call site, if any.
    pub line: Option<u32>,
    /// Obfuscated SQL and the like.
    pub detail: Option<String>,
    /// Calls in all traced transactions.
    pub calls: u64,
    /// Calls per traced transaction.
    pub calls_per_request: f64,
    /// Wall time, callees included.
    pub total_ns: u64,
    /// Wall time, callees excluded.
    pub self_ns: u64,
    /// Share of `self_ns` in the traced transactions' wall time.
    pub share: f64,
    /// `traced`.
    pub source: &'static str,
    /// For the remainder: how many components it holds; else `None`.
    pub members: Option<u64>,
}

/// One kept trace, without its tree.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct TraceSummary {
    pub id: String,
    pub process: String,
    pub thread: String,
    pub started_at: String,
    pub duration_ns: u64,
    pub cpu_ns: u64,
    pub status: Option<u16>,
    pub error: Option<String>,
    pub calls: u64,
    pub timeline_entries: u64,
    pub complete: bool,
    pub attributes: std::collections::BTreeMap<String, String>,
}

/// `xray.trace/1`: one trace with its tree and timeline.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct TraceReport {
    pub schema: &'static str,
    pub trace: TraceDetail,
}

/// A trace in full.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct TraceDetail {
    #[serde(flatten)]
    pub summary: TraceSummary,
    pub paths_folded: u64,
    pub timeline_threshold_ns: u64,
    pub nodes: Vec<TraceNode>,
    pub timeline: Vec<TimelineEntry>,
    pub samples: TraceSamples,
}

/// One node of a trace; `parent` is -1 for a root.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct TraceNode {
    pub parent: i64,
    pub name: String,
    pub kind: &'static str,
    pub file: Option<String>,
    pub line: Option<u32>,
    pub detail: Option<String>,
    pub calls: u64,
    pub resumes: u64,
    pub errors: u64,
    pub total_ns: u64,
    pub self_ns: u64,
    pub min_ns: u64,
    pub max_ns: u64,
    pub recursion_depth: u32,
    pub rows: u64,
}

/// One timeline entry.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct TimelineEntry {
    pub node: u64,
    pub start_ns: u64,
    pub duration_ns: u64,
    pub folded: u64,
    pub arguments: Option<String>,
}

/// `xray.tree/1`: samples or calls as one flat preorder tree; `parent` is -1 for a root.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct TreeReport {
    pub schema: &'static str,
    /// `samples` or `calls`.
    pub source: &'static str,
    pub nodes: Vec<TreeNode>,
}

/// One node of a tree.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct TreeNode {
    pub parent: i64,
    pub name: String,
    pub file: Option<String>,
    pub line: Option<u32>,
    /// `target`, `web`, `background`, `other`; `None` in a call tree.
    pub thread_kind: Option<&'static str>,
    pub count: u64,
    pub weight_ns: u64,
    pub self_ns: u64,
    /// CPU times and states; `None` in a call tree.
    pub cpu_ns: Option<u64>,
    pub self_cpu_ns: Option<u64>,
    pub self_states_ns: Option<States>,
}

impl TreeReport {
    /// The same tree, drawn by CPU time instead of elapsed time.
    #[must_use]
    pub fn by_cpu(mut self) -> Self {
        for node in &mut self.nodes {
            node.weight_ns = node.cpu_ns.unwrap_or(0);
            node.self_ns = node.self_cpu_ns.unwrap_or(0);
        }
        self
    }
}

/// Time by what the thread did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct States {
    pub on_cpu: u64,
    pub waiting_for_gil: u64,
    pub waiting_for_core: u64,
    pub blocked: u64,
    pub unknown: u64,
}

/// The sampler.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct Samples {
    pub count: u64,
    pub on_target: u64,
    pub threads: u64,
    pub rate_hz: u32,
    pub achieved_hz: Option<f64>,
    pub missed: u64,
    pub torn: u64,
    pub sampler_cpu_ns: u64,
}

/// What threads of one kind waited for, as samples tell.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct Wait {
    pub thread_kind: &'static str,
    /// `gil` or `system_call`.
    pub on: &'static str,
    pub ns: u64,
    /// Who had the GIL; `None` while nobody had it, and for a system call.
    pub holder: Option<GilHolder>,
    /// The system call's name.
    pub call: Option<String>,
    /// Whether it was a thread in no transaction that waited for work.
    pub idle: bool,
}

/// Who had the GIL.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct GilHolder {
    pub thread_kind: &'static str,
    pub thread: String,
    pub function: String,
    pub file: Option<String>,
    pub line: Option<u32>,
}

/// One second.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct Second {
    pub t_s: u32,
    pub matched: u64,
    pub other: u64,
    pub p50_ns: Option<u64>,
    pub p95_ns: Option<u64>,
    pub samples: SampledThreads,
}

/// Samples by whom they are counted for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct SampledThreads {
    pub target: u64,
    pub web: u64,
    pub background: u64,
    pub other: u64,
}

/// Something missing.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct LossEntry {
    pub kind: &'static str,
    pub count: u64,
    pub capacity: u64,
}

/// A change of probability or rate.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct DecisionEntry {
    pub at_ns: u64,
    pub what: String,
    pub from: f64,
    pub to: f64,
    pub because: String,
}

/// A sentence for the reader.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct NoteEntry {
    pub code: String,
    pub severity: &'static str,
    pub message: String,
}
