//! The statistical half: the stacks of all threads, taken at even intervals.

mod batch;
mod deadlines;
mod sampler;
mod tree;

pub use batch::{FrameAt, Sample, SampleBatch};
pub use sampler::{Sleeper, ThreadSleeper, run_sampler};
pub use tree::{Placed, SampleTreeBuilder};

use crate::clock::Clock;

/// Who can read the stacks of all threads.
pub trait StackSource: Send {
    /// Adds one sample of each thread of the process to `into`, xray's own left out (and counted there). The weight
    /// is set by the sampler. Returns the instant on `clock` at which the stacks were read: a reader that has to wait
    /// for the GIL reads them later than it was asked to, and the wait belongs to what was running then.
    ///
    /// # Errors
    /// [`SourceClosed`] when no sample can be taken any more: the interpreter is ending.
    fn sample(&mut self, clock: &dyn Clock, into: &mut SampleBatch) -> Result<u64, SourceClosed>;
}

/// The process is ending: no more samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the interpreter is ending")]
pub struct SourceClosed;
