//! One traced transaction: the exact call tree and the timeline.

use super::{ProcessKey, SymbolId, TraceSamples};

/// The kind of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TransactionKind {
    /// A web request.
    Web,
    /// A task: Celery, cron, a background job.
    Background,
    /// A marked block: `xray.transaction(...)`.
    Other,
}

/// Whose code runs: the context of a thread, task or greenlet. Unique while it lives, within one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContextId(pub u64);

/// A trace's identity, unique in its session: a hash of the process and a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(pub u64);

/// One node of a call tree: all calls of one function on one path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TraceNode {
    /// Index of the parent in the same array, always smaller than the node's own; `None` for a root. Node 0 is the
    /// transaction; further roots (kind [`super::SymbolKind::Thread`]) are the threads it started, running beside it.
    pub parent: Option<u32>,
    /// The function or segment.
    pub symbol: SymbolId,
    /// How often it was called. A generator counts once, when its body first runs.
    pub calls: u64,
    /// How often a generator or coroutine was resumed (also by `throw` or `close`) after its first run.
    pub resumes: u64,
    /// How many of the calls (or resumptions) ended by an exception.
    pub errors: u64,
    /// Wall time inside, callees included; folded recursion counts once.
    pub total_ns: u64,
    /// Wall time inside, callees excluded.
    pub self_ns: u64,
    /// Shortest call; of a generator or coroutine, shortest run between two suspensions.
    pub min_ns: u64,
    /// Longest call, or run.
    pub max_ns: u64,
    /// Deepest direct recursion folded into this node; 1 = none, 0 for nodes that were never called.
    pub recursion_depth: u32,
    /// Rows returned or changed, for SQL; 0 otherwise.
    pub rows: u64,
}

/// One call of a node, or one run of a generator or coroutine, with its own start. Roots always have one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimelineEntry {
    /// Index of the node.
    pub node: u32,
    /// Start after the trace's start.
    pub start_ns: u64,
    /// Wall time.
    pub duration_ns: u64,
    /// Calls made inside this one that have no entry of their own, directly or under another call without an entry.
    pub folded: u64,
    /// What a function marked by `@xray.trace` was called with: `tag='django', limit=10`, cut and with secrets left
    /// out.
    pub arguments: Option<String>,
}

/// One traced transaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trace {
    /// Identity.
    pub id: TraceId,
    /// The process that ran it.
    pub process: ProcessKey,
    /// Name of the thread that ran it.
    pub thread: String,
    /// Start.
    pub started_unix_ns: u64,
    /// Wall time from begin to end.
    pub duration_ns: u64,
    /// CPU time of its thread from begin to end.
    pub cpu_ns: u64,
    /// HTTP status; `None` for what has none.
    pub status: Option<u16>,
    /// Type of the exception that ended it (`builtins.ValueError`), if any.
    pub error: Option<String>,
    /// Calls in all nodes together (resumptions not counted), also those whose path was folded.
    pub calls: u64,
    /// False when something of this trace is missing (the reason is in `attributes["incomplete"]`).
    pub complete: bool,
    /// Calls whose own path did not fit and which are counted under an `Other` node by function.
    pub paths_folded: u64,
    /// Calls shorter than this have no timeline entry.
    pub timeline_threshold_ns: u64,
    /// `method`, `path` (without query), `route`, `handler`, ...; sorted by key.
    pub attributes: Vec<(String, String)>,
    /// The exact call tree, preorder.
    pub nodes: Vec<TraceNode>,
    /// The timeline, sorted by start, then by descending duration.
    pub timeline: Vec<TimelineEntry>,
    /// What the sampler saw of it.
    pub samples: TraceSamples,
}
