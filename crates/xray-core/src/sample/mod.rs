//! The statistical half: the stacks of all threads, taken at even intervals.

mod batch;
mod call_sites;
mod deadlines;
mod sampler;
mod stacks;
mod tick;
mod tree;

pub use batch::{Counted, GilOwner, Sample, SampleBatch, Seen, Waited, WaitsFor};
pub use call_sites::{CallSite, CallSites};
pub use sampler::{Sleeper, ThreadSleeper, run_sampler};
pub use stacks::{FrameAt, StackId, StackNode, Stacks};
pub use tick::Tick;
pub use tree::{Placed, SampleTreeBuilder};

use crate::clock::Clock;

/// Who can read the stacks of all threads.
pub trait StackSource: Send {
    /// Gives each thread of the process to `tick`, xray's own left out (and counted there), after it has said when the
    /// stacks were read: a reader that has to wait for the GIL reads them later than it was asked to, and the wait
    /// belongs to what was running then.
    ///
    /// # Errors
    /// [`SourceClosed`] when no sample can be taken any more: the interpreter is ending.
    fn sample(&mut self, clock: &dyn Clock, tick: &mut Tick<'_>) -> Result<(), SourceClosed>;
}

/// The process is ending: no more samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the interpreter is ending")]
pub struct SourceClosed;
