//! The chunks of a file, for people: `xray dump`.

use super::codec::{self, Decoder};
use super::frame::{self, Frame, Frames, PREAMBLE_BYTES, Piece};
use super::wire::{self, Kind};

/// One chunk, or a run of bytes that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkInfo {
    /// Offset of its first byte.
    pub offset: u64,
    /// Length in the file, frame included, in bytes.
    pub len: u64,
    /// What it holds; `None` for bytes that are no chunk and for kinds that this version does not know.
    pub kind: Option<Kind>,
    /// Key of the process that it is about; 0 for the session, `None` for bytes that are no chunk.
    pub process: Option<u64>,
    /// Length of its payload before compression, in bytes.
    pub raw_len: u64,
    /// Whether its checksum matches.
    pub crc_ok: bool,
    /// What is in it, or what is wrong with it.
    pub summary: String,
}

/// See [`dump`].
pub struct Dump<'a> {
    frames: Frames<'a>,
    decoder: Decoder,
}

/// All chunks of a file or part, in order, damaged bytes included; together with the preamble they cover the file.
/// Decodes each chunk only as far as its summary needs.
pub fn dump(bytes: &[u8]) -> Dump<'_> {
    let start = if frame::preamble_version(bytes).is_some() { PREAMBLE_BYTES } else { 0 };
    Dump { frames: Frames::new(bytes, start), decoder: Decoder::new() }
}

impl Iterator for Dump<'_> {
    type Item = ChunkInfo;

    fn next(&mut self) -> Option<ChunkInfo> {
        Some(match self.frames.next()? {
            Piece::Gap(gap) => ChunkInfo {
                offset: gap.offset,
                len: gap.len,
                kind: None,
                process: None,
                raw_len: 0,
                crc_ok: false,
                summary: gap.cause.to_string(),
            },
            Piece::Frame(frame) => ChunkInfo {
                offset: frame.offset,
                len: frame.len(),
                kind: codec::kind(&frame),
                process: Some(frame.scope),
                raw_len: u64::from(frame.raw_len),
                crc_ok: true,
                summary: summary(&mut self.decoder, &frame),
            },
        })
    }
}

fn summary(decoder: &mut Decoder, frame: &Frame<'_>) -> String {
    let tree = |first: u32, len: usize| match first {
        0 => format!("{len} nodes"),
        _ => format!("{len} more nodes"),
    };
    let text = match codec::kind(frame) {
        None => return format!("kind {}, which this version does not know", frame.kind),
        Some(Kind::Session) => decoder
            .decode::<wire::Session>(frame)
            .and_then(wire::Session::into_model)
            .map(|h| format!("session {} of {}, transaction {}", h.id.0, h.app, h.target.canonical)),
        Some(Kind::Process) => decoder.decode::<wire::Process>(frame).and_then(wire::Process::into_model).map(|p| {
            format!("pid {} on {}, Python {}, tracer {}", p.pid, p.host, p.python, p.capabilities.tracer.name)
        }),
        Some(Kind::Symbols) => decoder
            .decode::<wire::Symbols>(frame)
            .map(|s| format!("{} symbols from number {} on", s.symbols.len(), s.first)),
        Some(Kind::Trace) => decoder.decode::<wire::Trace>(frame).map(|t| t.summary()),
        Some(Kind::PackedTrace) => {
            decoder.decode(frame).and_then(wire::PackedTrace::unpack).map(|trace| trace.summary())
        }
        Some(Kind::Arguments) => decoder.decode::<wire::Arguments>(frame).map(|a| a.summary()),
        Some(Kind::Delta) => decoder.decode::<wire::Delta>(frame).map(|d| d.summary()),
        Some(Kind::CallTree) => decoder.decode::<wire::CallTree>(frame).map(|t| tree(t.first, t.len())),
        Some(Kind::SampleTree) => decoder.decode::<wire::SampleTree>(frame).map(|t| tree(t.first, t.len())),
        Some(Kind::Waits) => decoder.decode::<wire::Waits>(frame).map(|w| format!("{} waits", w.waits.len())),
        Some(Kind::TraceSamples) => decoder.decode::<wire::TraceSamples>(frame).map(|s| s.summary()),
        Some(Kind::SampleSeconds) => {
            decoder.decode::<wire::SampleSeconds>(frame).map(|s| format!("samples of {} seconds", s.seconds.len()))
        }
        Some(Kind::End) => decoder
            .decode::<wire::End>(frame)
            .and_then(wire::End::into_model)
            .map(|e| format!("stopped by {:?}, process {:?}", e.stopped_by, e.process_end).to_lowercase()),
    };
    text.unwrap_or_else(|cause| cause.to_string())
}
