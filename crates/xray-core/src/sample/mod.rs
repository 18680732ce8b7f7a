//! The statistical half: the stacks of all threads, taken at even intervals.

mod batch;
mod deadlines;
mod sampler;
mod tree;

pub use batch::{FrameAt, Sample, SampleBatch};
pub use sampler::{Sleeper, ThreadSleeper, run_sampler};
pub use tree::{Placed, SampleTreeBuilder};

/// Who can read the stacks of all threads.
pub trait StackSource: Send {
    /// Adds one sample of each thread of the process to `into`, xray's own left out (and counted there). The weight
    /// is set by the sampler.
    ///
    /// # Errors
    /// [`SourceClosed`] when no sample can be taken any more: the interpreter is ending.
    fn sample(&mut self, now_ns: u64, into: &mut SampleBatch) -> Result<(), SourceClosed>;
}

/// The process is ending: no more samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the interpreter is ending")]
pub struct SourceClosed;
