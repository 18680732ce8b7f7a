//! Samples on their way from the sampler to the collector.

use super::stacks::{StackId, StackNode};
use crate::model::{Symbol, ThreadKind, ThreadState, TraceId};
use crate::trace::CallKey;

/// One thread as a reader has seen it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The thread; unique while it lives.
    pub thread: u64,
    /// For whom it is counted.
    pub kind: ThreadKind,
    /// What it did.
    pub state: ThreadState,
    /// The trace it was in, if any.
    pub trace: Option<TraceId>,
    /// CPU time of the thread since it was seen last; 0 when unknown.
    pub cpu_ns: u64,
    /// The stack was cut or could not be read whole.
    pub torn: bool,
    /// Its stack.
    pub stack: StackId,
}

/// One thread at one instant, or at several in a row that show the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// What was seen. Its CPU time is what the samples stand for.
    pub seen: Seen,
    /// Ticks that it stands for; 0 when it only adds CPU time.
    pub count: u64,
    /// Elapsed time that it stands for.
    pub weight_ns: u64,
    /// The first of its ticks, on the agent's clock.
    pub at_ns: u64,
}

/// What a thread waits for at the instant of its sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WaitsFor {
    /// The GIL.
    Gil(GilOwner),
    /// The end of this system call.
    Call(&'static str),
}

/// Who has the GIL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GilOwner {
    /// Nobody: it is free, and who gets it is not awake yet.
    Nobody,
    /// One of xray's threads.
    Xray,
    /// Another one.
    Thread {
        /// What `threading.get_ident()` says of it.
        ident: u64,
        /// For whom it works.
        kind: ThreadKind,
        /// Its stack at the same instant.
        stack: StackId,
    },
}

/// Time that threads of one kind waited for one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waited {
    /// Who waited.
    pub kind: ThreadKind,
    /// For what.
    pub on: WaitsFor,
    /// Elapsed time that their samples stand for.
    pub ns: u64,
}

/// The samples of one tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// When the stacks were read, on the agent's clock.
    pub at_ns: u64,
    /// How many, by [`ThreadKind`].
    pub kinds: [u64; ThreadKind::COUNT],
}

/// Samples of one or more ticks, and the nodes of their stacks that were not sent before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampleBatch {
    /// Epoch of the stacks' numbers.
    pub epoch: u64,
    /// Number of the first new node in this epoch.
    pub first_node: u32,
    /// New nodes.
    pub nodes: Vec<StackNode>,
    /// Names of keys that only the reader knows.
    pub names: Vec<(CallKey, Symbol)>,
    /// The samples.
    pub samples: Vec<Sample>,
    /// What the threads waited for in them.
    pub waits: Vec<Waited>,
    /// How many samples each tick had: those above stand for several.
    pub ticks: Vec<Counted>,
}
