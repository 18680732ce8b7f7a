//! What chunks hold, as it stands in the file. Separate from the model, so that the model can change and old files
//! stay readable: the layout of a kind never changes; a new layout is a new kind.
//!
//! Flat: no recursive types, no elements without a size, trees as arrays with parent indexes, enums as numbers.
//! Decoding checks nothing; `into_model` checks every number and index.

mod aggregate;
mod arguments;
mod code;
mod packed_trace;
mod process;
mod sample;
mod session;
mod symbol;
mod trace;
mod trace_samples;
mod wait;

pub(super) use aggregate::{CallTree, Delta, Second};
pub(super) use arguments::Arguments;
pub(super) use packed_trace::PackedTrace;
pub(super) use process::Process;
pub(super) use sample::{SampleSeconds, SampleTree};
pub(super) use session::{Decision, End, Ended, Note, Session};
pub(super) use symbol::{Symbol, Symbols};
pub(super) use trace::Trace;
pub(super) use trace_samples::TraceSamples;
pub(super) use wait::{Wait, Waits};

use super::error::ChunkError;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a chunk holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// Id, target and limits; at the start and again at the end.
    Session = 1,
    /// One process.
    Process = 2,
    /// Names, numbered from `first` within the scope.
    Symbols = 3,
    /// One trace.
    Trace = 4,
    /// What was added to counts, latencies, losses, ...
    Delta = 5,
    /// What was added to the call tree, or a continuation of it.
    CallTree = 6,
    /// What was added to the sample tree, or a continuation of it.
    SampleTree = 7,
    /// The trailer.
    End = 8,
    /// What marked functions were called with, in the trace before it.
    Arguments = 9,
    /// What was added to what threads waited for.
    Waits = 10,
    /// What the sampler saw of one trace.
    TraceSamples = 11,
    /// How many samples were added, by second.
    SampleSeconds = 12,
    /// One trace, packed.
    PackedTrace = 13,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 13] = [
        Self::Session,
        Self::Process,
        Self::Symbols,
        Self::Trace,
        Self::Delta,
        Self::CallTree,
        Self::SampleTree,
        Self::End,
        Self::Arguments,
        Self::Waits,
        Self::TraceSamples,
        Self::SampleSeconds,
        Self::PackedTrace,
    ];

    /// As `xray dump` prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Process => "process",
            Self::Symbols => "symbols",
            Self::Trace => "trace",
            Self::Delta => "delta",
            Self::CallTree => "call_tree",
            Self::SampleTree => "sample_tree",
            Self::End => "end",
            Self::Arguments => "arguments",
            Self::Waits => "waits",
            Self::TraceSamples => "trace_samples",
            Self::SampleSeconds => "sample_seconds",
            Self::PackedTrace => "packed_trace",
        }
    }
}

/// A payload.
pub(super) trait Chunk: Serialize + DeserializeOwned {
    /// Its kind.
    const KIND: Kind;
}

/// Stands for "no parent" where an index of a parent is expected.
const NO_PARENT: u32 = u32::MAX;

fn parent_to_wire(parent: Option<u32>) -> u32 {
    parent.unwrap_or(NO_PARENT)
}

/// The parent of the node at index `own`.
fn parent_from_wire(parent: u32, own: usize) -> Result<Option<u32>, ChunkError> {
    match parent {
        NO_PARENT => Ok(None),
        parent if (parent as usize) < own => Ok(Some(parent)),
        _ => Err(ChunkError::Invalid("a tree node's parent does not come before it")),
    }
}

/// A float that is one.
fn finite(value: f64) -> Result<f64, ChunkError> {
    if value.is_finite() { Ok(value) } else { Err(ChunkError::Invalid("a number is not finite")) }
}
