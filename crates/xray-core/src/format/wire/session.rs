//! What concerns the session as a whole: header, trailer, decisions, notes.

use super::code::Code;
use super::{Chunk, Kind, finite};
use crate::format::error::ChunkError;
use crate::model::{self, Limits, NoteCode, ProcessEnd, ProcessKey, SessionHeader, SessionId, StoppedBy, Target};
use serde::{Deserialize, Serialize};

/// See [`SessionHeader`].
#[derive(Serialize, Deserialize)]
pub(in crate::format) struct Session {
    id: String,
    app: String,
    given: String,
    canonical: String,
    target_kind: u8,
    duration_ns: u64,
    traces: u32,
    stop_after: Option<u64>,
    min_ns: u64,
    share: f64,
    max_overhead: f64,
    hz: u32,
    seed: u64,
    started_unix_ns: u64,
}

impl Chunk for Session {
    const KIND: Kind = Kind::Session;
}

impl From<&SessionHeader> for Session {
    fn from(header: &SessionHeader) -> Self {
        let SessionHeader { id, app, target, limits, seed, started_unix_ns } = header;
        Self {
            id: id.0.clone(),
            app: app.clone(),
            given: target.given.clone(),
            canonical: target.canonical.clone(),
            target_kind: target.kind.code(),
            duration_ns: limits.duration_ns,
            traces: limits.traces,
            stop_after: limits.stop_after,
            min_ns: limits.min_ns,
            share: limits.share,
            max_overhead: limits.max_overhead,
            hz: limits.hz,
            seed: *seed,
            started_unix_ns: *started_unix_ns,
        }
    }
}

impl Session {
    pub(in crate::format) fn into_model(self) -> Result<SessionHeader, ChunkError> {
        Ok(SessionHeader {
            id: SessionId(self.id),
            app: self.app,
            target: Target { given: self.given, canonical: self.canonical, kind: Code::from_code(self.target_kind)? },
            limits: Limits {
                duration_ns: self.duration_ns,
                traces: self.traces,
                stop_after: self.stop_after,
                min_ns: self.min_ns,
                share: finite(self.share)?,
                max_overhead: finite(self.max_overhead)?,
                hz: self.hz,
            },
            seed: self.seed,
            started_unix_ns: self.started_unix_ns,
        })
    }
}

/// The trailer: of one process's part, or (scope 0) of the whole session.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(in crate::format) struct End {
    ended_unix_ns: u64,
    stopped_by: u8,
    process_end: u8,
    recovered: bool,
}

impl Chunk for End {
    const KIND: Kind = Kind::End;
}

/// [`End`], checked.
#[derive(Clone, Copy, Debug)]
pub(in crate::format) struct Ended {
    pub(in crate::format) ended_unix_ns: u64,
    pub(in crate::format) stopped_by: StoppedBy,
    pub(in crate::format) process_end: ProcessEnd,
    pub(in crate::format) recovered: bool,
}

impl From<Ended> for End {
    fn from(end: Ended) -> Self {
        Self {
            ended_unix_ns: end.ended_unix_ns,
            stopped_by: end.stopped_by.code(),
            process_end: end.process_end.code(),
            recovered: end.recovered,
        }
    }
}

impl End {
    pub(in crate::format) fn into_model(self) -> Result<Ended, ChunkError> {
        Ok(Ended {
            ended_unix_ns: self.ended_unix_ns,
            stopped_by: Code::from_code(self.stopped_by)?,
            process_end: Code::from_code(self.process_end)?,
            recovered: self.recovered,
        })
    }
}

/// See [`model::Decision`].
#[derive(Serialize, Deserialize)]
pub(in crate::format) struct Decision {
    process: u64,
    at_ns: u64,
    what: String,
    from: f64,
    to: f64,
    because: String,
}

impl From<&model::Decision> for Decision {
    fn from(decision: &model::Decision) -> Self {
        let model::Decision { process, at_ns, what, from, to, because } = decision;
        let (what, because) = (what.clone(), because.clone());
        Self { process: process.0, at_ns: *at_ns, what, from: *from, to: *to, because }
    }
}

impl Decision {
    pub(super) fn into_model(self) -> Result<model::Decision, ChunkError> {
        Ok(model::Decision {
            process: ProcessKey(self.process),
            at_ns: self.at_ns,
            what: self.what,
            from: finite(self.from)?,
            to: finite(self.to)?,
            because: self.because,
        })
    }
}

/// See [`model::Note`].
#[derive(Serialize, Deserialize)]
pub(in crate::format) struct Note {
    code: String,
    severity: u8,
    message: String,
}

impl From<&model::Note> for Note {
    fn from(note: &model::Note) -> Self {
        Self { code: note.code.0.clone(), severity: note.severity.code(), message: note.message.clone() }
    }
}

impl Note {
    pub(super) fn into_model(self) -> Result<model::Note, ChunkError> {
        Ok(model::Note { code: NoteCode(self.code), severity: Code::from_code(self.severity)?, message: self.message })
    }
}
