//! Reading a file or part, damaged or not.

use super::assembly::Assembly;
use super::error::{ChunkError, Damage, ReadError};
use super::frame::{self, FORMAT_VERSION, Frames, MAGIC, PREAMBLE_BYTES, Piece};
use crate::model::{Loss, LossKind, Note, NoteCode, SessionData, Severity};

/// What could be read of a file.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// The session. `recovered` is true when something is missing; `loss` and `notes` say what.
    pub data: SessionData,
    /// The bytes that could not be read; `None` when all could.
    pub damage: Option<Damage>,
    /// False when the trailer is missing: the process was killed, or the file's end is cut off.
    pub complete: bool,
    /// Version of the format of the file.
    pub format_version: u16,
}

/// Reads a session file or a part. What is damaged is left out and counted: [`LossKind::FileBytes`] and
/// [`LossKind::FileChunks`]. Any input is safe: time and memory are bounded by the input's length.
///
/// # Errors
/// [`ReadError`] when the bytes are no such file, or when nothing of it can be recovered.
pub fn read(bytes: &[u8]) -> Result<Recovered, ReadError> {
    if bytes.is_empty() {
        return Err(ReadError::Empty);
    }
    let version = frame::preamble_version(bytes);
    if let Some(found) = version.filter(|found| *found != FORMAT_VERSION) {
        return Err(ReadError::Newer { found, newest: FORMAT_VERSION });
    }
    let mut losses = Losses::default();
    let mut assembly = Assembly::new(bytes.len());
    // With a damaged preamble the chunks behind it may be whole; then its bytes are the first gap.
    let start = if version.is_some() { PREAMBLE_BYTES } else { 0 };
    for piece in Frames::new(bytes, start) {
        match piece {
            Piece::Gap(gap) => losses.add(gap.offset, gap.len, &gap.cause),
            Piece::Frame(frame) => {
                losses.chunks_seen += 1;
                if let Err(cause) = assembly.add(&frame, losses.damage.is_some()) {
                    losses.chunks_seen -= 1;
                    losses.add(frame.offset, frame.len(), &cause);
                }
            }
        }
    }
    let any = losses.chunks_seen > 0;
    let has_magic = bytes.starts_with(&MAGIC[..MAGIC.len().min(bytes.len())]);
    let Some((mut data, complete)) = assembly.finish() else {
        if !any && !has_magic {
            return Err(ReadError::Foreign);
        }
        let (offset, chunk, cause) = match losses.damage {
            Some(damage) => (damage.offset, damage.chunk, damage.cause),
            None => (bytes.len() as u64, losses.chunks_seen, "the file ends before the session's header".to_owned()),
        };
        return Err(ReadError::Nothing { offset, chunk, cause });
    };
    losses.tell(&mut data, complete, bytes.len());
    Ok(Recovered { data, damage: losses.damage, complete, format_version: FORMAT_VERSION })
}

/// What was lost so far.
#[derive(Default)]
struct Losses {
    damage: Option<Damage>,
    chunks_seen: u64,
}

impl Losses {
    fn add(&mut self, offset: u64, bytes: u64, cause: &ChunkError) {
        let first =
            || Damage { offset, chunk: self.chunks_seen, cause: cause.to_string(), lost_bytes: 0, lost_chunks: 0 };
        let mut damage = self.damage.take().unwrap_or_else(first);
        damage.lost_bytes += bytes;
        damage.lost_chunks += 1;
        self.damage = Some(damage);
    }

    /// Puts it into the session, so that no later report or merge forgets it.
    fn tell(&self, data: &mut SessionData, complete: bool, file_bytes: usize) {
        data.recovered |= !complete || self.damage.is_some();
        let message = match &self.damage {
            Some(damage) => format!("The file is {damage}."),
            None if !complete => format!("The file ends at offset {file_bytes} without its trailer."),
            None => return,
        };
        let note = Note { code: NoteCode("file_damaged".to_owned()), severity: Severity::Warning, message };
        if let Err(at) = data.notes.binary_search(&note) {
            data.notes.insert(at, note);
        }
        let Some(damage) = &self.damage else { return };
        let mut losses = std::mem::take(&mut data.loss).into_iter().map(|loss| (loss.kind, loss)).collect();
        Loss { kind: LossKind::FileBytes, count: damage.lost_bytes, capacity: 0 }.add_to(&mut losses);
        Loss { kind: LossKind::FileChunks, count: damage.lost_chunks, capacity: 0 }.add_to(&mut losses);
        data.loss = losses.into_values().collect();
    }
}
