//! The part that one process writes while a session runs.

use super::delta::{Delta, PartEnd};
use super::emit::Emitter;
use super::error::WriteError;
use super::wire;
use crate::model::{ProcessEnd, ProcessInfo, SessionHeader, Symbol, Trace};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

/// zstd's level in the agent: a fifth of the default's time for a tenth more bytes.
const LEVEL: i32 = 1;

/// Appends to a part. Each call is one write to the file, so that a process that is killed loses at most what it was
/// writing; nothing is kept in a buffer between calls. After a failed write further calls may succeed: a reader finds
/// the chunks behind the damage.
pub struct PartWriter<W: Write = File> {
    to: W,
    emitter: Emitter,
    header: SessionHeader,
    scope: u64,
}

impl PartWriter {
    /// Creates the file, which must not exist, readable by its owner only, and writes who writes it.
    ///
    /// # Errors
    /// [`WriteError::Io`] when the file exists or cannot be created or written.
    pub fn create(path: &Path, header: &SessionHeader, process: &ProcessInfo) -> Result<Self, WriteError> {
        let mut options = OpenOptions::new();
        options.append(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Self::new(options.open(path)?, header, process)
    }
}

impl<W: Write> PartWriter<W> {
    /// Writes to anything.
    ///
    /// # Errors
    /// [`WriteError::Io`] when `to` cannot be written.
    pub fn new(to: W, header: &SessionHeader, process: &ProcessInfo) -> Result<Self, WriteError> {
        let emitter = Emitter::new(LEVEL)?;
        let mut writer = Self { to, emitter, header: header.clone(), scope: process.key.0 };
        writer.emitter.session(header)?;
        // True until the trailer says otherwise.
        writer.emitter.process(&ProcessInfo { end: ProcessEnd::Lost, ..process.clone() })?;
        writer.flush()?;
        Ok(writer)
    }

    /// Names the symbols `first`, `first + 1`, ..., which later calls may use.
    ///
    /// # Errors
    /// See [`WriteError`]; the symbols are not written then.
    pub fn symbols(&mut self, first: u32, symbols: &[Symbol]) -> Result<(), WriteError> {
        let made = self.emitter.symbols(self.scope, first, symbols);
        self.commit(made)
    }

    /// Adds a trace.
    ///
    /// # Errors
    /// See [`WriteError`]; the trace is not written then.
    pub fn trace(&mut self, trace: &Trace) -> Result<(), WriteError> {
        let made = self.emitter.trace(self.scope, trace);
        self.commit(made)
    }

    /// Adds to everything else.
    ///
    /// # Errors
    /// See [`WriteError`]; the delta is not written then.
    pub fn delta(&mut self, delta: &Delta) -> Result<(), WriteError> {
        let made = self.emitter.delta(self.scope, delta);
        self.commit(made)
    }

    /// Completes the part.
    ///
    /// # Errors
    /// [`WriteError::Io`] when the part cannot be written; it reads as that of a lost process then.
    pub fn finish(mut self, end: &PartEnd) -> Result<(), WriteError> {
        let end = wire::Ended {
            ended_unix_ns: end.left_unix_ns,
            stopped_by: end.stopped_by,
            process_end: end.end,
            recovered: false,
        };
        // The header once more: when the first is damaged, nothing could be read without it.
        let made = self.emitter.session(&self.header).and_then(|()| self.emitter.end(self.scope, end));
        self.commit(made)
    }

    fn commit(&mut self, made: Result<(), WriteError>) -> Result<(), WriteError> {
        if made.is_err() {
            self.emitter.clear();
            return made;
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        let written = self.to.write_all(self.emitter.bytes());
        self.emitter.clear();
        Ok(written?)
    }
}
