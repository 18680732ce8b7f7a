//! What a part is fed with.

use crate::model::{
    ArmStats, CallTree, Decision, Loss, Note, ProcessEnd, RequestCounts, SampleStats, SampleTree, SecondStats,
    StoppedBy, Waits,
};
use std::collections::BTreeMap;

/// What one process added to its session since its last delta. Everything is a difference: numbers are added, trees
/// are added by path, notes that are already there are not repeated.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delta {
    /// Now: when the process is lost later, this is the last that is known of it.
    pub at_unix_ns: u64,
    /// Requests that ended.
    pub requests: RequestCounts,
    /// The traced arm.
    pub traced: ArmStats,
    /// The control arm.
    pub control: ArmStats,
    /// By second after the session's start.
    pub series: BTreeMap<u32, SecondStats>,
    /// Calls in finished traces. Only what changed, and the nodes above it. Symbols are the numbers given to
    /// [`super::PartWriter::symbols`].
    pub call_tree: CallTree,
    /// Samples; as for `call_tree`.
    pub sample_tree: SampleTree,
    /// What the sampled threads waited for; symbols as for `call_tree`.
    pub waits: Waits,
    /// Counts and times are differences; `threads` and `rate_hz` are maxima.
    pub sample_stats: SampleStats,
    /// Counts are differences; capacities are the bounds.
    pub loss: Vec<Loss>,
    /// New ones.
    pub decisions: Vec<Decision>,
    /// New ones.
    pub notes: Vec<Note>,
    /// CPU time of the process.
    pub process_cpu_ns: u64,
    /// Of that, xray's.
    pub xray_cpu_ns: u64,
}

/// The last that a process says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartEnd {
    /// When it left the session.
    pub left_unix_ns: u64,
    /// How it left.
    pub end: ProcessEnd,
    /// Why it stopped recording.
    pub stopped_by: StoppedBy,
}
