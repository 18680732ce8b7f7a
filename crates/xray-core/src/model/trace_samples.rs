//! What the sampler saw of one trace.

use super::{SymbolId, ThreadState};

/// One frame of the stacks of a trace's samples; a stack is a frame with those above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SampledFrame {
    /// Index of the caller's frame in the same array, always smaller than the frame's own; `None` for the outermost.
    pub parent: Option<u32>,
    /// The function.
    pub symbol: SymbolId,
    /// The line that ran in it (1-based); 0 when unknown.
    pub line: u32,
}

/// One stack of a trace, at one tick of the sampler or at several in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TraceSample {
    /// The first of the ticks, after the trace's start.
    pub at_ns: u64,
    /// Index of the innermost frame; `None` for a stack that is not known.
    pub frame: Option<u32>,
    /// What the thread did.
    pub state: ThreadState,
    /// Ticks that it stands for; 0 when it only adds CPU time.
    pub count: u64,
    /// Elapsed time that it stands for.
    pub weight_ns: u64,
    /// CPU time that it stands for.
    pub cpu_ns: u64,
}

/// The samples of one trace, of all its threads and tasks, in the order in which they were taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TraceSamples {
    /// The frames of all stacks.
    pub frames: Vec<SampledFrame>,
    /// The samples.
    pub samples: Vec<TraceSample>,
    /// Ticks for which there was no room.
    pub dropped: u64,
}

impl TraceSamples {
    /// Whether the sampler saw nothing of the trace.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty() && self.dropped == 0
    }
}
