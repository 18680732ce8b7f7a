//! Bytes of a chunk's payload: bincode 1.3.3, then zstd. The only place that names either, so that both can be
//! exchanged.
//!
//! bincode is unmaintained (RUSTSEC-2025-0141) and complete. It is used with fixed-size integers, a limit and no
//! trailing bytes. Two things it does not protect from are ruled out by the wire structs: recursive types (they
//! overflow the stack) and elements without a size (no limit counts them).

use super::error::{ChunkError, WriteError};
use super::frame::{self, Encoding, Frame};
use super::wire::{Chunk, Kind};
use crate::limits::{CHUNK_EXPANSION, CHUNK_RAW_BYTES};
use bincode::Options;
use serde::Serialize;
use std::io;

fn options() -> impl Options {
    bincode::DefaultOptions::new().with_fixint_encoding().with_limit(CHUNK_RAW_BYTES as u64).reject_trailing_bytes()
}

/// Length of a value in a payload before compression, in bytes.
pub(super) fn raw_size<T: Serialize>(value: &T) -> u64 {
    options().with_no_limit().serialized_size(value).unwrap_or(u64::MAX)
}

/// Turns chunks into frames.
pub(super) struct Encoder {
    zstd: zstd::bulk::Compressor<'static>,
    /// Memory that is used again.
    raw: Vec<u8>,
    packed: Vec<u8>,
}

/// Memory of an encoder that it does not give back.
const KEPT_BYTES: usize = 1 << 20;

impl Encoder {
    /// `level` is zstd's.
    pub(super) fn new(level: i32) -> io::Result<Self> {
        Ok(Self { zstd: zstd::bulk::Compressor::new(level)?, raw: Vec::new(), packed: Vec::new() })
    }

    /// Appends the chunk's frame to `out`.
    pub(super) fn append<T: Chunk>(&mut self, out: &mut Vec<u8>, scope: u64, chunk: &T) -> Result<(), WriteError> {
        let (raw, packed) = (&mut self.raw, &mut self.packed);
        raw.clear();
        // Without the limit, for which bincode would go over the whole chunk once more, before: what is too long by then
        // has been made from a value that is as long.
        let made = options().with_no_limit().serialize_into(&mut *raw, chunk);
        if made.is_err() || raw.len() > CHUNK_RAW_BYTES {
            let bytes = raw_size(chunk);
            *raw = Vec::new();
            return Err(WriteError::TooLarge { kind: T::KIND.name(), bytes });
        }
        packed.clear();
        packed.reserve(zstd::zstd_safe::compress_bound(raw.len()));
        self.zstd.compress_to_buffer(raw, packed)?;
        // Below a fraction of its size a reader would take it for an attack; above its size it helps nobody.
        let worth_it = packed.len() < raw.len() && raw.len() <= packed.len() * CHUNK_EXPANSION;
        let (encoding, payload) = if worth_it { (Encoding::Zstd, &*packed) } else { (Encoding::Stored, &*raw) };
        frame::append(out, T::KIND as u8, encoding, scope, raw.len() as u32, payload);
        for buffer in [raw, packed] {
            buffer.clear();
            buffer.shrink_to(KEPT_BYTES);
        }
        Ok(())
    }
}

/// Turns frames into chunks.
pub(super) struct Decoder {
    zstd: zstd::bulk::Decompressor<'static>,
    raw: Vec<u8>,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self { zstd: zstd::bulk::Decompressor::default(), raw: Vec::new() }
    }

    /// Decodes a frame of the kind of `T`. Values inside are not checked yet.
    pub(super) fn decode<T: Chunk>(&mut self, frame: &Frame<'_>) -> Result<T, ChunkError> {
        let raw = match frame.encoding {
            Encoding::Stored => frame.payload,
            Encoding::Zstd => {
                // `Frames` has refused lengths over the limits, so this stays below them.
                self.raw.clear();
                self.raw.reserve_exact(frame.raw_len as usize);
                self.zstd.decompress_to_buffer(frame.payload, &mut self.raw).map_err(|_| ChunkError::Compression)?;
                &self.raw
            }
        };
        if raw.len() != frame.raw_len as usize {
            return Err(ChunkError::Compression);
        }
        options().deserialize(raw).map_err(|_| ChunkError::Layout(T::KIND.name()))
    }
}

/// The kind of a frame, `None` for one that this version does not know.
pub(super) fn kind(frame: &Frame<'_>) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| *kind as u8 == frame.kind)
}
