//! What can be wrong with a file, and with one chunk of it.

use std::io;

/// Why nothing of a file could be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No bytes at all.
    #[error("the file is empty")]
    Empty,
    /// Neither the magic bytes nor a single chunk.
    #[error("not an xray session file: no magic bytes at offset 0 and no readable chunk after it")]
    Foreign,
    /// Written by a later xray.
    #[error("format version {found} is newer than the newest this xray reads ({newest}); upgrade xray to read it")]
    Newer {
        /// Version in the file.
        found: u16,
        /// [`super::FORMAT_VERSION`].
        newest: u16,
    },
    /// An xray file of which not even the session's header is left.
    #[error("nothing can be recovered: chunk {chunk} at offset {offset}: {cause}")]
    Nothing {
        /// Offset of the first damage, in bytes.
        offset: u64,
        /// Number of the damaged chunk, from 0.
        chunk: u64,
        /// What is wrong with it.
        cause: String,
    },
}

/// What is wrong with one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// The file ends inside it.
    #[error("cut: {needed} bytes were written and {present} are there")]
    Cut {
        /// Length of the chunk.
        needed: u64,
        /// What is left of the file.
        present: u64,
    },
    /// No chunk begins here.
    #[error("no chunk begins here")]
    Marker,
    /// The bytes are not those that were written.
    #[error("its checksum does not match")]
    Checksum,
    /// It claims to be larger than any chunk is.
    #[error("it claims {0} bytes, more than a chunk may have")]
    Size(u64),
    /// It cannot be decompressed.
    #[error("it cannot be decompressed")]
    Compression,
    /// The bytes do not have the chunk's layout.
    #[error("it does not have the layout of a {0} chunk")]
    Layout(&'static str),
    /// The layout is right and a value is not.
    #[error("{0}")]
    Invalid(&'static str),
    /// A chunk of another session's file.
    #[error("it belongs to another session")]
    OtherSession,
    /// The file would take too much memory.
    #[error("the file holds more than fits into the memory its size allows")]
    Memory,
    /// Too much was searched already.
    #[error("too much damage to search further")]
    Hopeless,
}

/// Why a chunk was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Disk full, file exists, ...
    #[error(transparent)]
    Io(#[from] io::Error),
    /// One trace, symbol, note or decision over [`crate::limits::CHUNK_RAW_BYTES`].
    #[error("a {kind} of {bytes} bytes does not fit into a chunk")]
    TooLarge {
        /// What.
        kind: &'static str,
        /// Its size.
        bytes: u64,
    },
}

/// What is missing in what could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Offset of the first damage, in bytes; the file's length when only its end is missing.
    pub offset: u64,
    /// Number of the first damaged chunk, from 0.
    pub chunk: u64,
    /// What is wrong there.
    pub cause: String,
    /// Bytes that could not be read.
    pub lost_bytes: u64,
    /// Runs of bytes or whole chunks that could not be read: at least this many chunks are lost.
    pub lost_chunks: u64,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "damaged at offset {} (chunk {}): {}", self.offset, self.chunk, self.cause)?;
        if self.lost_bytes > 0 {
            let chunks = if self.lost_chunks == 1 { "chunk" } else { "chunks" };
            write!(f, "; {} {chunks}, {} bytes lost", self.lost_chunks, self.lost_bytes)?;
        }
        Ok(())
    }
}
