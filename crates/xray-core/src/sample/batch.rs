//! Samples on their way from the sampler to the collector, in flat arenas.

use crate::limits::SAMPLE_DEPTH;
use crate::model::{ThreadKind, ThreadState, TraceId};
use crate::trace::CallKey;
use std::ops::Range;

/// One function on a sampled stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameAt {
    /// Its code.
    pub code: CallKey,
    /// Where in it, in the code's own units; [`crate::session::SymbolSource::lines`] knows the line.
    pub offset: u32,
}

/// One thread at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The thread; unique while it lives.
    pub thread: u64,
    /// For whom it is counted.
    pub kind: ThreadKind,
    /// What it did.
    pub state: ThreadState,
    /// The trace it was in, if any.
    pub trace: Option<TraceId>,
    /// Time that the sample stands for; set by the sampler.
    pub weight_ns: u64,
    /// CPU time of the thread since its last sample; 0 when unknown.
    pub cpu_ns: u64,
    /// The stack was cut or could not be read whole.
    pub torn: bool,
    /// Its frames in the batch, innermost first.
    pub frames: Range<usize>,
}

/// Samples of one or more ticks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampleBatch {
    samples: Vec<Sample>,
    frames: Vec<FrameAt>,
    own: u64,
}

impl SampleBatch {
    /// Adds a thread; `stack` gives its frames, innermost first. Frames beyond [`SAMPLE_DEPTH`] are cut and the
    /// sample is marked torn: the outermost ones, which say least about what ran.
    pub fn push(&mut self, sample: Sample, stack: impl IntoIterator<Item = FrameAt>) {
        let start = self.frames.len();
        let mut stack = stack.into_iter();
        self.frames.extend(stack.by_ref().take(SAMPLE_DEPTH));
        let torn = sample.torn || stack.next().is_some();
        self.samples.push(Sample { torn, frames: start..self.frames.len(), ..sample });
    }

    /// Counts a stack of one of xray's own threads, left out.
    pub fn skip_own(&mut self) {
        self.own += 1;
    }

    /// The samples.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// A sample's frames, innermost first.
    pub fn stack(&self, sample: &Sample) -> &[FrameAt] {
        self.frames.get(sample.frames.clone()).unwrap_or_default()
    }

    /// All frames.
    pub fn frames(&self) -> &[FrameAt] {
        &self.frames
    }

    /// Stacks of xray's own threads, left out.
    pub fn own(&self) -> u64 {
        self.own
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    pub(super) fn samples_from(&mut self, first: usize) -> &mut [Sample] {
        self.samples.get_mut(first..).unwrap_or_default()
    }
}
