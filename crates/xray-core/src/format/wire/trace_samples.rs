//! What the sampler saw of one trace.

use super::code::Code;
use super::{Chunk, Kind, parent_from_wire, parent_to_wire};
use crate::format::error::ChunkError;
use crate::model::{self, ProcessKey, SymbolId, TraceId};
use serde::{Deserialize, Serialize};

/// See [`model::TraceSamples`]. Follows the trace's own chunk, not always at once.
#[derive(Serialize, Deserialize)]
pub(in crate::format) struct TraceSamples {
    trace: u64,
    process: u64,
    frames: Vec<Frame>,
    samples: Vec<Sample>,
    dropped: u64,
}

impl Chunk for TraceSamples {
    const KIND: Kind = Kind::TraceSamples;
}

/// See [`model::SampledFrame`].
#[derive(Serialize, Deserialize)]
struct Frame {
    parent: u32,
    symbol: u32,
    line: u32,
}

/// See [`model::TraceSample`].
#[derive(Serialize, Deserialize)]
struct Sample {
    at_ns: u64,
    frame: u32,
    state: u8,
    count: u64,
    weight_ns: u64,
    cpu_ns: u64,
}

impl TraceSamples {
    pub(in crate::format) fn new(trace: TraceId, process: ProcessKey, samples: &model::TraceSamples) -> Self {
        let frame = |frame: &model::SampledFrame| Frame {
            parent: parent_to_wire(frame.parent),
            symbol: frame.symbol.0,
            line: frame.line,
        };
        let sample = |sample: &model::TraceSample| Sample {
            at_ns: sample.at_ns,
            frame: parent_to_wire(sample.frame),
            state: sample.state.code(),
            count: sample.count,
            weight_ns: sample.weight_ns,
            cpu_ns: sample.cpu_ns,
        };
        Self {
            trace: trace.0,
            process: process.0,
            frames: samples.frames.iter().map(frame).collect(),
            samples: samples.samples.iter().map(sample).collect(),
            dropped: samples.dropped,
        }
    }

    /// Of which trace they are.
    pub(in crate::format) fn trace(&self) -> (TraceId, ProcessKey) {
        (TraceId(self.trace), ProcessKey(self.process))
    }

    /// Memory that the model's samples take, in bytes.
    pub(in crate::format) fn memory(&self) -> u64 {
        let frames = self.frames.len() * size_of::<model::SampledFrame>();
        (frames + self.samples.len() * size_of::<model::TraceSample>()) as u64
    }

    pub(in crate::format) fn into_model(
        self,
        symbol: impl Fn(u32) -> Result<SymbolId, ChunkError>,
    ) -> Result<model::TraceSamples, ChunkError> {
        let known = self.frames.len();
        let frame = |(own, frame): (usize, Frame)| {
            let parent = parent_from_wire(frame.parent, own)?;
            Ok(model::SampledFrame { parent, symbol: symbol(frame.symbol)?, line: frame.line })
        };
        let sample = |sample: Sample| {
            Ok(model::TraceSample {
                at_ns: sample.at_ns,
                frame: parent_from_wire(sample.frame, known)?,
                state: Code::from_code(sample.state)?,
                count: sample.count,
                weight_ns: sample.weight_ns,
                cpu_ns: sample.cpu_ns,
            })
        };
        Ok(model::TraceSamples {
            frames: self.frames.into_iter().enumerate().map(frame).collect::<Result<_, ChunkError>>()?,
            samples: self.samples.into_iter().map(sample).collect::<Result<_, ChunkError>>()?,
            dropped: self.dropped,
        })
    }

    /// For a person.
    pub(in crate::format) fn summary(&self) -> String {
        format!("{:016x} {} samples, {} frames", self.trace, self.samples.len(), self.frames.len())
    }
}
