//! What the sampler saw, aggregated.

use super::SymbolId;

/// Whom a sample is counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ThreadKind {
    /// In a matching transaction.
    Target,
    /// In another web transaction.
    Web,
    /// In another background transaction.
    Background,
    /// In no transaction.
    Other,
}

impl ThreadKind {
    /// How many there are.
    pub const COUNT: usize = 4;
}

/// What a thread was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ThreadState {
    /// It was on the CPU. (A reader that cannot see the instant says so of one that was for most of the time since its
    /// last sample.)
    OnCpu,
    /// It wanted to run but did not: it waited for a core. (Also for the GIL, if the reader cannot tell.)
    Waiting,
    /// It slept: in a system call, a lock, `sleep`.
    Blocked,
    /// The reader cannot tell.
    Unknown,
    /// It slept until it gets the GIL.
    WaitingForGil,
}

impl ThreadState {
    /// How many there are.
    pub const COUNT: usize = 5;
}

/// One node of the sample tree: all samples whose stack goes through this path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleTreeNode {
    /// Index of the parent, smaller than the node's own; `None` for a root.
    pub parent: Option<u32>,
    /// The function.
    pub symbol: SymbolId,
    /// Line that was running in this function (1-based); 0 when unknown. Nodes of one function with different lines
    /// are siblings.
    pub line: u32,
    /// For whom.
    pub kind: ThreadKind,
    /// Samples through this node.
    pub count: u64,
    /// Samples that ended here (this function was running).
    pub self_count: u64,
    /// Elapsed time that the samples through this node stand for.
    pub weight_ns: u64,
    /// Elapsed time of the samples that ended here.
    pub self_ns: u64,
    /// CPU time of the samples that ended here.
    pub self_cpu_ns: u64,
    /// `self_ns` by [`ThreadState`]: time, because ticks are missed more often in some states than in others.
    pub self_states: [u64; ThreadState::COUNT],
}

/// Samples aggregated by stack, preorder. Roots are the outermost frames; each kind has its own roots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampleTree {
    /// The nodes.
    pub nodes: Vec<SampleTreeNode>,
}

/// How the sampler did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampleStats {
    /// Thread stacks taken.
    pub count: u64,
    /// Of these, stacks of threads in a matching transaction.
    pub on_target: u64,
    /// Stacks that were cut or could not be read whole.
    pub torn: u64,
    /// Stacks of xray's own threads, left out.
    pub own: u64,
    /// Ticks done.
    pub ticks: u64,
    /// Ticks that were due but not done.
    pub missed: u64,
    /// Most threads seen in one tick.
    pub threads: u64,
    /// Rate asked for, in ticks a second.
    pub rate_hz: u32,
    /// Time the sampler was on, for the achieved rate.
    pub active_ns: u64,
    /// CPU time of the sampler thread.
    pub sampler_cpu_ns: u64,
}

impl SampleStats {
    /// Adds what was sampled later, or by another process. Counts and times are sums; `threads` and `rate_hz` stay
    /// those of one process.
    pub fn add(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.on_target = self.on_target.saturating_add(other.on_target);
        self.torn = self.torn.saturating_add(other.torn);
        self.own = self.own.saturating_add(other.own);
        self.ticks = self.ticks.saturating_add(other.ticks);
        self.missed = self.missed.saturating_add(other.missed);
        self.threads = self.threads.max(other.threads);
        self.rate_hz = self.rate_hz.max(other.rate_hz);
        self.active_ns = self.active_ns.saturating_add(other.active_ns);
        self.sampler_cpu_ns = self.sampler_cpu_ns.saturating_add(other.sampler_cpu_ns);
    }
}
