//! The part that one process writes while a session runs.

use super::delta::{Delta, PartEnd};
use super::emit::Emitter;
use super::error::WriteError;
use super::wire;
use crate::model::{ProcessEnd, ProcessInfo, ProcessKey, SessionHeader, Symbol, Trace, TraceId, TraceSamples};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// zstd's level in the agent, whose files are compressed once more when they are merged: half of the default's time for a
/// tenth more bytes.
const LEVEL: i32 = -2;

/// Appends to a part. Each call is one write to the file, so that a process that is killed loses at most what it was
/// writing. What a failed write (disk full) did not write is kept, and is written before anything else by the next
/// call: nothing is missing and nothing is there twice once a write succeeds. Ask [`Self::retry`] before giving more.
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
        Self::new(Self::create_file(path)?, header, process)
    }

    /// Creates the file alone, for [`Self::new`].
    ///
    /// # Errors
    /// When the file exists or cannot be created.
    pub fn create_file(path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.append(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path)
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

    /// Writes what the last call could not, if there is something.
    ///
    /// # Errors
    /// [`WriteError::Io`] when it still cannot be written.
    pub fn retry(&mut self) -> Result<(), WriteError> {
        self.flush()
    }

    /// Names the symbols `first`, `first + 1`, ..., which later calls may use.
    ///
    /// # Errors
    /// See [`WriteError`]; after [`WriteError::Io`] they are still to be written, after any other they are not.
    pub fn symbols(&mut self, first: u32, symbols: &[Symbol]) -> Result<(), WriteError> {
        self.commit(|emitter, scope| emitter.symbols(scope, first, symbols))
    }

    /// Adds a trace.
    ///
    /// # Errors
    /// See [`WriteError`] and [`Self::symbols`].
    pub fn trace(&mut self, trace: &Trace) -> Result<(), WriteError> {
        self.commit(|emitter, scope| emitter.trace(scope, trace))
    }

    /// Adds what the sampler saw of a trace that was added before, once.
    ///
    /// # Errors
    /// See [`WriteError`] and [`Self::symbols`].
    pub fn trace_samples(&mut self, trace: TraceId, samples: &TraceSamples) -> Result<(), WriteError> {
        self.commit(|emitter, scope| emitter.trace_samples(scope, trace, ProcessKey(scope), samples))
    }

    /// Adds to everything else.
    ///
    /// # Errors
    /// See [`WriteError`] and [`Self::symbols`].
    pub fn delta(&mut self, delta: &Delta) -> Result<(), WriteError> {
        self.commit(|emitter, scope| emitter.delta(scope, delta))
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
        let header = self.header.clone();
        self.commit(|emitter, scope| emitter.session(&header).and_then(|()| emitter.end(scope, end)))
    }

    fn commit(&mut self, make: impl FnOnce(&mut Emitter, u64) -> Result<(), WriteError>) -> Result<(), WriteError> {
        let before = self.emitter.bytes().len();
        if let Err(error) = make(&mut self.emitter, self.scope) {
            self.emitter.truncate(before);
            return Err(error);
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        let bytes = self.emitter.bytes();
        let mut written = 0;
        let mut result = Ok(());
        while written < bytes.len() && result.is_ok() {
            match self.to.write(&bytes[written..]) {
                Ok(0) => result = Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(more) => written += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => result = Err(error.into()),
            }
        }
        self.emitter.forget(written);
        result
    }
}
