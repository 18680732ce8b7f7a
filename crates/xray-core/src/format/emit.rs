//! From the model to chunks: what parts and whole files have in common, and whole files.

use super::codec::{Encoder, raw_size};
use super::delta::Delta;
use super::error::WriteError;
use super::frame;
use super::wire::{self, Chunk};
use crate::model::{
    CallTreeNode, ProcessEnd, ProcessInfo, ProcessKey, SampleTreeNode, SecondStats, SessionData, SessionHeader, Symbol,
    Trace, TraceId, TraceSamples, Waits,
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;

/// Scope of chunks that are about the session and not about one process.
pub(super) const SESSION_SCOPE: u64 = 0;
/// Lists are split into chunks of about this size before compression, so that damage costs little.
const PIECE_BYTES: u64 = 1 << 20;
/// Trees are split into chunks of this many nodes: about as long.
const PIECE_NODES: usize = 10_000;

/// Makes chunks and keeps their bytes until they are taken.
pub(super) struct Emitter {
    encoder: Encoder,
    out: Vec<u8>,
}

impl Emitter {
    /// Begins with a file's preamble; `level` is zstd's.
    pub(super) fn new(level: i32) -> io::Result<Self> {
        Ok(Self { encoder: Encoder::new(level)?, out: frame::preamble().to_vec() })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.out
    }

    /// Takes back what was made last.
    pub(super) fn truncate(&mut self, bytes: usize) {
        self.out.truncate(bytes);
    }

    /// The first so many bytes were written.
    pub(super) fn forget(&mut self, bytes: usize) {
        self.out.drain(..bytes);
    }

    fn append<T: Chunk>(&mut self, scope: u64, chunk: &T) -> Result<(), WriteError> {
        self.encoder.append(&mut self.out, scope, chunk)
    }

    pub(super) fn session(&mut self, header: &SessionHeader) -> Result<(), WriteError> {
        self.append(SESSION_SCOPE, &wire::Session::from(header))
    }

    pub(super) fn process(&mut self, process: &ProcessInfo) -> Result<(), WriteError> {
        self.append(process.key.0, &wire::Process::from(process))
    }

    pub(super) fn symbols(&mut self, scope: u64, first: u32, symbols: &[Symbol]) -> Result<(), WriteError> {
        let mut first = first;
        for symbols in pieces(symbols.iter().map(wire::Symbol::from)) {
            let next = first + symbols.len() as u32;
            self.append(scope, &wire::Symbols { first, symbols })?;
            first = next;
        }
        Ok(())
    }

    pub(super) fn trace(&mut self, scope: u64, trace: &Trace) -> Result<(), WriteError> {
        match wire::PackedTrace::of(trace) {
            Some(packed) => self.append(scope, &packed)?,
            None => self.append(scope, &wire::Trace::from(trace))?,
        }
        if let Some(arguments) = wire::Arguments::of(trace) {
            self.append(scope, &arguments)?;
        }
        if !trace.samples.is_empty() {
            self.trace_samples(scope, trace.id, trace.process, &trace.samples)?;
        }
        Ok(())
    }

    pub(super) fn trace_samples(
        &mut self,
        scope: u64,
        trace: TraceId,
        process: ProcessKey,
        samples: &TraceSamples,
    ) -> Result<(), WriteError> {
        self.append(scope, &wire::TraceSamples::new(trace, process, samples))
    }

    pub(super) fn delta(&mut self, scope: u64, delta: &Delta) -> Result<(), WriteError> {
        self.call_tree(scope, &delta.call_tree.nodes)?;
        self.sample_tree(scope, &delta.sample_tree.nodes)?;
        self.waits(scope, &delta.waits)?;
        self.sample_seconds(scope, &delta.series)?;
        let mut chunk = wire::Delta::head(delta);
        let seconds = pieces(delta.series.iter().map(|(second, stats)| wire::Second::new(*second, stats)));
        let decisions = pieces(delta.decisions.iter().map(wire::Decision::from));
        let notes = pieces(delta.notes.iter().map(wire::Note::from));
        let (mut seconds, mut decisions, mut notes) = (seconds, decisions, notes);
        loop {
            chunk.seconds = seconds.next().unwrap_or_default();
            chunk.decisions = decisions.next().unwrap_or_default();
            chunk.notes = notes.next().unwrap_or_default();
            self.append(scope, &chunk)?;
            if seconds.done() && decisions.done() && notes.done() {
                return Ok(());
            }
            chunk = wire::Delta::empty(delta.at_unix_ns);
        }
    }

    fn call_tree(&mut self, scope: u64, nodes: &[CallTreeNode]) -> Result<(), WriteError> {
        for (piece, nodes) in nodes.chunks(PIECE_NODES).enumerate() {
            self.append(scope, &wire::CallTree::new((piece * PIECE_NODES) as u32, nodes))?;
        }
        Ok(())
    }

    fn sample_tree(&mut self, scope: u64, nodes: &[SampleTreeNode]) -> Result<(), WriteError> {
        for (piece, nodes) in nodes.chunks(PIECE_NODES).enumerate() {
            self.append(scope, &wire::SampleTree::new((piece * PIECE_NODES) as u32, nodes))?;
        }
        Ok(())
    }

    fn waits(&mut self, scope: u64, waits: &Waits) -> Result<(), WriteError> {
        for waits in pieces(waits.iter().map(wire::Wait::from)) {
            self.append(scope, &wire::Waits { waits })?;
        }
        Ok(())
    }

    fn sample_seconds(&mut self, scope: u64, series: &BTreeMap<u32, SecondStats>) -> Result<(), WriteError> {
        let sampled = series.iter().filter(|(_, stats)| stats.samples.iter().any(|count| *count > 0));
        for seconds in pieces(sampled.map(|(second, stats)| (*second, stats.samples))) {
            self.append(scope, &wire::SampleSeconds { seconds })?;
        }
        Ok(())
    }

    pub(super) fn end(&mut self, scope: u64, end: wire::Ended) -> Result<(), WriteError> {
        self.append(scope, &wire::End::from(end))
    }
}

/// Groups items into pieces of about [`PIECE_BYTES`].
struct Pieces<I: Iterator> {
    items: std::iter::Peekable<I>,
}

fn pieces<I: Iterator>(items: I) -> Pieces<I> {
    Pieces { items: items.peekable() }
}

impl<I: Iterator> Pieces<I> {
    fn done(&mut self) -> bool {
        self.items.peek().is_none()
    }
}

impl<I: Iterator<Item: Serialize>> Iterator for Pieces<I> {
    type Item = Vec<I::Item>;

    fn next(&mut self) -> Option<Vec<I::Item>> {
        let mut piece = Vec::new();
        let mut bytes = 0_u64;
        while let Some(item) = self.items.peek() {
            bytes = bytes.saturating_add(raw_size(item));
            if bytes > PIECE_BYTES && !piece.is_empty() {
                break;
            }
            piece.extend(self.items.next());
        }
        (!piece.is_empty()).then_some(piece)
    }
}

/// The file of a whole session: the same session always gives the same bytes, and [`super::read`] gives the session
/// back. Trees must not have two nodes with the same path, lists must be sorted as the model says.
///
/// # Errors
/// [`WriteError::TooLarge`] when one trace, symbol, decision or note does not fit into a chunk: what was read from a
/// file always fits.
pub fn write(session: &SessionData) -> Result<Vec<u8>, WriteError> {
    let mut emitter = Emitter::new(zstd::DEFAULT_COMPRESSION_LEVEL)?;
    emitter.session(&session.header)?;
    for process in &session.processes {
        emitter.process(process)?;
    }
    emitter.symbols(SESSION_SCOPE, 0, session.symbols.entries())?;
    let delta = Delta {
        at_unix_ns: session.ended_unix_ns,
        requests: session.requests,
        traced: session.traced.clone(),
        control: session.control.clone(),
        series: session.series.clone(),
        call_tree: session.call_tree.clone(),
        sample_tree: session.sample_tree.clone(),
        waits: session.waits.clone(),
        sample_stats: session.sample_stats,
        loss: session.loss.clone(),
        decisions: session.decisions.clone(),
        notes: session.notes.clone(),
        process_cpu_ns: session.process_cpu_ns,
        xray_cpu_ns: session.xray_cpu_ns,
    };
    emitter.delta(SESSION_SCOPE, &delta)?;
    for trace in &session.traces {
        emitter.trace(SESSION_SCOPE, trace)?;
    }
    // Once more: when the first is damaged, nothing could be read without it.
    emitter.session(&session.header)?;
    let end = wire::Ended {
        ended_unix_ns: session.ended_unix_ns,
        stopped_by: session.stopped_by,
        process_end: ProcessEnd::Finished,
        recovered: session.recovered,
    };
    emitter.end(SESSION_SCOPE, end)?;
    Ok(emitter.out)
}
