//! What marked functions were called with.

use super::{Chunk, Kind};
use crate::format::error::ChunkError;
use crate::model;
use serde::{Deserialize, Serialize};

/// The arguments of a trace's timeline entries, where there are some. Follows the trace's own chunk.
#[derive(Serialize, Deserialize)]
pub(in crate::format) struct Arguments {
    trace: u64,
    process: u64,
    /// Position in the timeline as the trace's chunk has it, and text.
    calls: Vec<(u32, String)>,
}

impl Chunk for Arguments {
    const KIND: Kind = Kind::Arguments;
}

impl Arguments {
    /// Those of a trace; `None` when no call of it has any.
    pub(in crate::format) fn of(trace: &model::Trace) -> Option<Self> {
        let calls: Vec<_> =
            (0..).zip(&trace.timeline).filter_map(|(at, entry)| Some((at, entry.arguments.clone()?))).collect();
        (!calls.is_empty()).then_some(Self { trace: trace.id.0, process: trace.process.0, calls })
    }

    pub(in crate::format) fn belong_to(&self, trace: &model::Trace) -> bool {
        (self.trace, self.process) == (trace.id.0, trace.process.0)
    }

    /// Gives them to the entries of their trace, all or none.
    pub(in crate::format) fn add_to(self, trace: &mut model::Trace) -> Result<(), ChunkError> {
        if self.calls.iter().any(|(at, _)| *at as usize >= trace.timeline.len()) {
            return Err(ChunkError::Invalid("arguments of a timeline entry that does not exist"));
        }
        for (at, text) in self.calls {
            trace.timeline[at as usize].arguments = Some(text);
        }
        Ok(())
    }

    /// For a person.
    pub(in crate::format) fn summary(&self) -> String {
        format!("{:016x} arguments of {} calls", self.trace, self.calls.len())
    }
}
