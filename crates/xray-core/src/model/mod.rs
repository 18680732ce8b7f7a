//! What a session knows, in memory: the one vocabulary that the agent fills, the file keeps and the report reads.
//!
//! These types are not the file's: [`crate::format::wire`] has its own, so that the model can change without
//! breaking old files. Every duration is integer nanoseconds (`_ns`), every instant is nanoseconds since the Unix
//! epoch (`_unix_ns`) or since the session's start (`at_ns`). Trees are flat arrays in preorder with parent indexes.

mod aggregate;
mod process;
mod sample;
mod session;
mod symbol;
mod trace;
mod trace_samples;
mod tree_sum;
mod wait;

pub use aggregate::{ArmStats, CallTree, CallTreeNode, RequestCounts, SecondStats};
pub use process::{Capabilities, Mechanism, ProcessEnd, ProcessInfo, ProcessKey};
pub use sample::{SampleStats, SampleTree, SampleTreeNode, ThreadKind, ThreadState};
pub use session::{
    Decision, Limits, Loss, LossKind, Note, NoteCode, SessionData, SessionHeader, SessionId, Severity, StoppedBy,
    Target, TargetKind,
};
pub use symbol::{Symbol, SymbolId, SymbolKind, SymbolTable};
pub use trace::{ContextId, TimelineEntry, Trace, TraceId, TraceNode, TransactionKind};
pub use trace_samples::{SampledFrame, TraceSample, TraceSamples};
pub use tree_sum::{FlatNode, PathNode, TreeSum, preorder, preorder_by};
pub use wait::{GilHolder, Wait, WaitedOn, Waits};
