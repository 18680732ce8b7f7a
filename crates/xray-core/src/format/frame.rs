//! The outermost layer: the preamble of a file, and the frame around each chunk.
//!
//! Everything is little-endian. `docs/format-xr.md` draws the bytes.

use super::error::ChunkError;
use crate::limits::{CHUNK_EXPANSION, CHUNK_RAW_BYTES, FILE_RESYNC_PER_BYTE};

/// First bytes of every file. Like PNG's they show when a transfer changed line ends or cut the eighth bit.
pub const MAGIC: [u8; 8] = *b"\x89XRAY\r\n\x1a";
/// Version that this program writes, and the newest that it reads.
pub const FORMAT_VERSION: u16 = 1;
/// Magic, version, two bytes of zero, CRC-32 of these twelve bytes.
pub(super) const PREAMBLE_BYTES: usize = 16;

/// First bytes of every frame: what a reader looks for after damage.
const MARKER: [u8; 4] = *b"\xc7xr\n";
/// Marker, kind, encoding, two bytes of zero, scope, two lengths, CRC-32.
pub(super) const FRAME_BYTES: usize = 28;

/// How a chunk's bytes are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Encoding {
    /// As they are.
    Stored = 0,
    /// One zstd frame.
    Zstd = 1,
}

/// One chunk in its file, checksum verified, not decoded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    /// Offset of its first byte in the file.
    pub(super) offset: u64,
    /// What it holds: a [`super::wire::Kind`], or a number that this version does not know.
    pub(super) kind: u8,
    /// How the payload is stored.
    pub(super) encoding: Encoding,
    /// Key of the process that it is about; 0 for the session.
    pub(super) scope: u64,
    /// Length before compression.
    pub(super) raw_len: u32,
    /// As stored.
    pub(super) payload: &'a [u8],
}

impl Frame<'_> {
    /// Length in the file, in bytes.
    pub(super) fn len(&self) -> u64 {
        (FRAME_BYTES + self.payload.len()) as u64
    }
}

/// What [`Frames`] finds: a whole chunk, or bytes that are none.
#[derive(Clone, Copy, Debug)]
pub(super) enum Piece<'a> {
    /// A chunk with a matching checksum.
    Frame(Frame<'a>),
    /// Bytes that are no chunk.
    Gap(Gap),
}

/// Bytes that are no chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gap {
    /// Offset of the first of them.
    pub(super) offset: u64,
    /// How many.
    pub(super) len: u64,
    /// What is wrong with the first of them.
    pub(super) cause: ChunkError,
}

/// The preamble of a file of this version.
pub(super) fn preamble() -> [u8; PREAMBLE_BYTES] {
    let mut bytes = [0; PREAMBLE_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..12]);
    bytes[12..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// The version that a whole preamble names; `None` when there is none or it is damaged.
pub(super) fn preamble_version(bytes: &[u8]) -> Option<u16> {
    let bytes = bytes.first_chunk::<PREAMBLE_BYTES>()?;
    let whole = bytes[..8] == MAGIC && crc32fast::hash(&bytes[..12]).to_le_bytes() == bytes[12..];
    whole.then(|| u16::from_le_bytes([bytes[8], bytes[9]]))
}

/// Appends one frame to `out`.
pub(super) fn append(out: &mut Vec<u8>, kind: u8, encoding: Encoding, scope: u64, raw_len: u32, payload: &[u8]) {
    let start = out.len();
    out.extend_from_slice(&MARKER);
    out.extend_from_slice(&[kind, encoding as u8, 0, 0]);
    out.extend_from_slice(&scope.to_le_bytes());
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&raw_len.to_le_bytes());
    let crc = checksum(&out[start..], payload);
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(payload);
}

/// Of the frame's fields up to the checksum, and the payload.
fn checksum(fields: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(fields);
    hasher.update(payload);
    hasher.finalize()
}

/// All pieces of a file, in order, without a byte left out.
#[derive(Debug)]
pub(super) struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Found behind a gap, which was returned first.
    pending: Option<Frame<'a>>,
    /// Bytes that may still be checksummed in vain: an attacker's markers must not make reading quadratic.
    resync_left: u64,
}

impl<'a> Frames<'a> {
    /// The pieces of `bytes` from `start` on.
    pub(super) fn new(bytes: &'a [u8], start: usize) -> Self {
        let resync_left = (bytes.len() as u64).saturating_mul(FILE_RESYNC_PER_BYTE);
        Self { bytes, at: start, pending: None, resync_left }
    }

    /// The frame at this offset.
    fn parse(&mut self, at: usize) -> Result<Frame<'a>, ChunkError> {
        let rest = &self.bytes[at..];
        if !rest.starts_with(&MARKER) {
            // A file may also end inside the marker.
            let cut = rest.len() < MARKER.len() && MARKER.starts_with(rest);
            let present = rest.len() as u64;
            return Err(if cut { ChunkError::Cut { needed: FRAME_BYTES as u64, present } } else { ChunkError::Marker });
        }
        let Some(header) = rest.first_chunk::<FRAME_BYTES>() else {
            return Err(ChunkError::Cut { needed: FRAME_BYTES as u64, present: rest.len() as u64 });
        };
        let word = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("four bytes"));
        let (stored_len, raw_len, crc) = (word(16), word(20), word(24));
        let encoding = match header[5] {
            0 => Encoding::Stored,
            1 => Encoding::Zstd,
            _ => return Err(ChunkError::Checksum),
        };
        if raw_len as usize > CHUNK_RAW_BYTES || stored_len as usize > CHUNK_RAW_BYTES {
            return Err(ChunkError::Size(u64::from(raw_len.max(stored_len))));
        }
        let Some(payload) = rest[FRAME_BYTES..].get(..stored_len as usize) else {
            let needed = FRAME_BYTES as u64 + u64::from(stored_len);
            return Err(ChunkError::Cut { needed, present: rest.len() as u64 });
        };
        if checksum(&header[..24], payload) != crc {
            self.resync_left = self.resync_left.saturating_sub(payload.len() as u64);
            return Err(if self.resync_left == 0 { ChunkError::Hopeless } else { ChunkError::Checksum });
        }
        if raw_len as usize > payload.len().saturating_mul(CHUNK_EXPANSION) {
            return Err(ChunkError::Size(u64::from(raw_len)));
        }
        let scope = u64::from_le_bytes(header[8..16].try_into().expect("eight bytes"));
        Ok(Frame { offset: at as u64, kind: header[4], encoding, scope, raw_len, payload })
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        if let Some(frame) = self.pending.take() {
            return Some(Piece::Frame(frame));
        }
        let start = self.at;
        if start >= self.bytes.len() {
            return None;
        }
        let cause = match self.parse(start) {
            Ok(frame) => {
                self.at = (frame.offset + frame.len()) as usize;
                return Some(Piece::Frame(frame));
            }
            Err(cause) => cause,
        };
        let mut end = start + 1;
        loop {
            let found = self.bytes[end..].windows(MARKER.len()).position(|window| window == MARKER);
            let Some(found) = found.filter(|_| self.resync_left > 0) else {
                self.at = self.bytes.len();
                break;
            };
            end += found;
            if let Ok(frame) = self.parse(end) {
                self.at = (frame.offset + frame.len()) as usize;
                self.pending = Some(frame);
                break;
            }
            end += 1;
        }
        let stop = self.pending.map_or(self.bytes.len(), |frame| frame.offset as usize);
        Some(Piece::Gap(Gap { offset: start as u64, len: (stop - start) as u64, cause }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(payloads: &[&[u8]]) -> Vec<u8> {
        let mut bytes = preamble().to_vec();
        for payload in payloads {
            append(&mut bytes, 4, Encoding::Stored, 7, payload.len() as u32, payload);
        }
        bytes
    }

    fn payloads(bytes: &[u8]) -> (Vec<Vec<u8>>, u64) {
        let mut lost = 0;
        let mut found = Vec::new();
        for piece in Frames::new(bytes, PREAMBLE_BYTES) {
            match piece {
                Piece::Frame(frame) => found.push(frame.payload.to_vec()),
                Piece::Gap(gap) => lost += gap.len,
            }
        }
        (found, lost)
    }

    #[test]
    fn a_damaged_chunk_does_not_hide_the_next() {
        let mut bytes = file(&[b"first", b"second", b"third"]);
        bytes[PREAMBLE_BYTES + FRAME_BYTES + 5 + FRAME_BYTES + 2] ^= 1;
        let (found, lost) = payloads(&bytes);
        assert_eq!(found, [b"first".to_vec(), b"third".to_vec()]);
        assert_eq!(lost, FRAME_BYTES as u64 + 6);
    }

    #[test]
    fn removed_and_inserted_bytes_are_survived() {
        let whole = file(&[b"first", b"second", b"third"]);
        let mut removed = whole.clone();
        removed.drain(30..40);
        assert_eq!(payloads(&removed).0.len(), 2);
        let mut inserted = whole;
        inserted.splice(PREAMBLE_BYTES..PREAMBLE_BYTES, MARKER.repeat(9));
        assert_eq!(payloads(&inserted), (vec![b"first".to_vec(), b"second".to_vec(), b"third".to_vec()], 36));
    }

    #[test]
    fn every_byte_is_in_exactly_one_piece() {
        let bytes = file(&[b"first", b"second", &[0xc7; 100]]);
        for cut in PREAMBLE_BYTES..bytes.len() {
            let mut at = PREAMBLE_BYTES as u64;
            for piece in Frames::new(&bytes[..cut], PREAMBLE_BYTES) {
                let (offset, len) = match piece {
                    Piece::Frame(frame) => (frame.offset, frame.len()),
                    Piece::Gap(gap) => (gap.offset, gap.len),
                };
                assert_eq!(offset, at);
                at += len;
            }
            assert_eq!(at, cut as u64);
        }
    }

    #[test]
    fn a_field_of_markers_is_not_quadratic() {
        let mut frame = Vec::new();
        append(&mut frame, 4, Encoding::Stored, 7, 400_000, &vec![0; 400_000]);
        let bytes = frame[..FRAME_BYTES].repeat(1_000_000 / FRAME_BYTES);
        let started = std::time::Instant::now();
        assert!(payloads(&bytes).0.is_empty());
        assert!(started.elapsed().as_secs_f64() < 2.0);
    }
}
