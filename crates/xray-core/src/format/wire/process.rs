//! One process.

use super::code::Code;
use super::{Chunk, Kind};
use crate::format::error::ChunkError;
use crate::model::{Capabilities, Mechanism, ProcessInfo, ProcessKey};
use serde::{Deserialize, Serialize};

/// See [`ProcessInfo`].
#[derive(Serialize, Deserialize)]
pub(in crate::format) struct Process {
    key: u64,
    host: String,
    pid: u32,
    python: String,
    framework: Option<String>,
    joined_unix_ns: u64,
    left_unix_ns: u64,
    end: u8,
    tracer: String,
    tracer_reason: String,
    sampler: String,
    sampler_reason: String,
    clock: String,
    event_cost_ns: u32,
}

impl Chunk for Process {
    const KIND: Kind = Kind::Process;
}

impl From<&ProcessInfo> for Process {
    fn from(process: &ProcessInfo) -> Self {
        let Capabilities { tracer, sampler, clock, event_cost_ns } = &process.capabilities;
        Self {
            key: process.key.0,
            host: process.host.clone(),
            pid: process.pid,
            python: process.python.clone(),
            framework: process.framework.clone(),
            joined_unix_ns: process.joined_unix_ns,
            left_unix_ns: process.left_unix_ns,
            end: process.end.code(),
            tracer: tracer.name.clone(),
            tracer_reason: tracer.reason.clone(),
            sampler: sampler.name.clone(),
            sampler_reason: sampler.reason.clone(),
            clock: clock.clone(),
            event_cost_ns: *event_cost_ns,
        }
    }
}

impl Process {
    pub(in crate::format) fn into_model(self) -> Result<ProcessInfo, ChunkError> {
        Ok(ProcessInfo {
            key: ProcessKey(self.key),
            host: self.host,
            pid: self.pid,
            python: self.python,
            framework: self.framework,
            joined_unix_ns: self.joined_unix_ns,
            left_unix_ns: self.left_unix_ns,
            end: Code::from_code(self.end)?,
            capabilities: Capabilities {
                tracer: Mechanism { name: self.tracer, reason: self.tracer_reason },
                sampler: Mechanism { name: self.sampler, reason: self.sampler_reason },
                clock: self.clock,
                event_cost_ns: self.event_cost_ns,
            },
        })
    }
}
