//! One session: its header, and everything its file holds.

use super::{
    ArmStats, CallTree, ProcessInfo, RequestCounts, SampleStats, SampleTree, SecondStats, SymbolTable, Trace, Waits,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A session's identity: twelve lower-case letters and digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub String);

/// How a target's name was understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// A route template, perhaps with methods.
    Route,
    /// A handler: `blog.views.tag_detail`.
    Handler,
    /// A url name or endpoint.
    UrlName,
    /// A plain name: a task, a marked block.
    Plain,
    /// A glob.
    Glob,
    /// A regular expression.
    Regex,
}

/// What a session is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// As the user wrote it.
    pub given: String,
    /// Canonical: `/tags/{}/`, `GET /tags/{}/`, a handler, a plain name.
    pub canonical: String,
    /// How it was understood.
    pub kind: TargetKind,
}

/// When a session ends, what it keeps, how much it may cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Longest time recording.
    pub duration_ns: u64,
    /// Traces kept.
    pub traces: u32,
    /// Traces after which the session ends, over all processes.
    pub stop_after: Option<u64>,
    /// Only traces at least this long are kept.
    pub min_ns: u64,
    /// Share of matching transactions to trace, 0 to 1.
    pub share: f64,
    /// Share of the process's CPU time that xray may use, 0 to 1.
    pub max_overhead: f64,
    /// Samples a second.
    pub hz: u32,
}

/// What is known when the session starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionHeader {
    /// Identity.
    pub id: SessionId,
    /// Application name.
    pub app: String,
    /// Target.
    pub target: Target,
    /// Limits.
    pub limits: Limits,
    /// Seed of every random choice.
    pub seed: u64,
    /// Start.
    pub started_unix_ns: u64,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoppedBy {
    /// Its time was up.
    Time,
    /// It had its number of traces (`--stop-after`).
    Traces,
    /// Ctrl-C, `xray session stop`, `Session.stop()`.
    User,
    /// The application exited.
    Exit,
    /// xray switched itself off; a note says why.
    Refused,
    /// Not known: no process lived to write it.
    Lost,
}

impl StoppedBy {
    /// The cause of the whole session, when two of its processes say different ones: a decision about the session
    /// before the end of one process.
    pub fn of_both(self, other: Self) -> Self {
        let rank = |cause| match cause {
            Self::User => 0,
            Self::Traces => 1,
            Self::Time => 2,
            Self::Refused => 3,
            Self::Exit => 4,
            Self::Lost => 5,
        };
        if rank(self) <= rank(other) { self } else { other }
    }
}

/// What can be lost, each counted on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossKind {
    /// Finished traces that found the channel full.
    TraceChannel,
    /// Sample batches that found the channel full.
    SampleChannel,
    /// Calls whose path did not fit the node pool (their function's totals are exact).
    PathsFolded,
    /// Samples put under "other" because the sample tree was full.
    SampleTreeFull,
    /// Call-tree nodes put under "other" because the aggregate was full.
    CallTreeFull,
    /// Return events that matched no call.
    UnmatchedReturns,
    /// Distinct functions over the symbol limit.
    SymbolsFull,
    /// Matching transactions that were timed and not traced because as many as may be were being traced.
    Recorders,
    /// Transaction records that found the channel full: counted, but missing in latency and series.
    RecordChannel,
    /// Bytes of damaged or cut file.
    FileBytes,
    /// Chunks of the file that could not be read.
    FileChunks,
    /// Writes of the part file that failed (disk full, ...).
    WriteErrors,
    /// Calls of marked functions whose arguments did not fit.
    Arguments,
}

/// Something that is missing, and the bound that cut it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// What.
    pub kind: LossKind,
    /// How many.
    pub count: u64,
    /// The bound; 0 where there is none.
    pub capacity: u64,
}

impl Loss {
    /// Adds it to the losses of the same kind; of two bounds the larger is kept.
    pub fn add_to(&self, losses: &mut BTreeMap<LossKind, Loss>) {
        let sum = losses.entry(self.kind).or_insert(Self { count: 0, ..*self });
        sum.count = sum.count.saturating_add(self.count);
        sum.capacity = sum.capacity.max(self.capacity);
    }
}

/// A change of a probability or rate, with its cause.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Process that decided.
    pub process: super::ProcessKey,
    /// When, after the session's start.
    pub at_ns: u64,
    /// `traced_share`, `sample_rate`, `tracer`.
    pub what: String,
    /// Before.
    pub from: f64,
    /// After.
    pub to: f64,
    /// In words: `overhead 7.1 % of CPU over 5 s, budget 5 %`.
    pub because: String,
}

impl Decision {
    /// The order in a session: by time, then by everything else, so that it is the same in every merge.
    pub fn order(&self, other: &Self) -> std::cmp::Ordering {
        (self.at_ns, self.process, &self.what)
            .cmp(&(other.at_ns, other.process, &other.what))
            .then_with(|| self.from.total_cmp(&other.from))
            .then_with(|| self.to.total_cmp(&other.to))
            .then_with(|| self.because.cmp(&other.because))
    }
}

/// How much a note matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// The report may mislead without it.
    Warning,
}

/// Stable identifier of a note, in snake case: `sampled_under_gil`, `other_tool_present`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NoteCode(pub String);

/// A sentence for the reader of the report.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// What it is about.
    pub code: NoteCode,
    /// How much it matters.
    pub severity: Severity,
    /// One sentence.
    pub message: String,
}

/// Everything a session's file holds. A part holds the same for one process.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionData {
    /// What was known at the start.
    pub header: SessionHeader,
    /// End; the latest process's.
    pub ended_unix_ns: u64,
    /// Why it ended.
    pub stopped_by: StoppedBy,
    /// True when a file was damaged or cut and this is what could be read.
    pub recovered: bool,
    /// The processes, sorted by key.
    pub processes: Vec<ProcessInfo>,
    /// Names.
    pub symbols: SymbolTable,
    /// Counts.
    pub requests: RequestCounts,
    /// The traced arm.
    pub traced: ArmStats,
    /// The control arm.
    pub control: ArmStats,
    /// Kept traces.
    pub traces: Vec<Trace>,
    /// Sum over all traced transactions.
    pub call_tree: CallTree,
    /// Samples.
    pub sample_tree: SampleTree,
    /// What the sampled threads waited for.
    pub waits: Waits,
    /// How the sampler did; rates are those of one process, counts are sums.
    pub sample_stats: SampleStats,
    /// By second after the start.
    pub series: BTreeMap<u32, SecondStats>,
    /// What is missing, sorted by kind.
    pub loss: Vec<Loss>,
    /// Changes of probability or rate, sorted by time.
    pub decisions: Vec<Decision>,
    /// Sentences for the reader, sorted.
    pub notes: Vec<Note>,
    /// CPU time of the process while it recorded, and of xray in it: `(process, tracer + sampler + agent)`, summed.
    pub process_cpu_ns: u64,
    /// See `process_cpu_ns`.
    pub xray_cpu_ns: u64,
}
