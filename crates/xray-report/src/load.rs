//! From files and parts to one session.

use crate::merge::{self, DifferentSessions};
use std::path::{Path, PathBuf};
use xray_core::format::{ReadError, read};
use xray_core::model::{Note, NoteCode, SessionData, Severity};

/// Why there is no session to report on. Each is one sentence that names the file and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Nothing was given.
    #[error("no file given: name a session file or the parts of a session")]
    NoFiles,
    /// The system refuses.
    #[error("cannot read {}: {cause}", .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// The file holds nothing that can be read.
    #[error("cannot read {name}: {cause}")]
    Unreadable {
        /// Which file.
        name: String,
        /// Why.
        cause: ReadError,
    },
    /// The files are of different sessions.
    #[error("{name} is of another session than the files before it: {cause}")]
    Different {
        /// Which file.
        name: String,
        /// Which sessions.
        cause: DifferentSessions,
    },
}

/// Reads session files or parts and merges them. Of several, one in which nothing can be read is left out, and the
/// session says so in a note.
///
/// # Errors
/// [`LoadError`] when a file cannot be opened, when nothing can be read in any, or when they are of different sessions.
pub fn load<P: AsRef<Path>>(paths: &[P]) -> Result<SessionData, LoadError> {
    let mut files = Vec::new();
    for path in paths {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|cause| LoadError::Io { path: path.to_owned(), cause })?;
        files.push((path.display().to_string(), bytes));
    }
    load_bytes(&files)
}

/// As [`load`], of files that are in memory already: `(name for messages, bytes)`.
///
/// # Errors
/// See [`load`].
pub fn load_bytes<B: AsRef<[u8]>>(files: &[(String, B)]) -> Result<SessionData, LoadError> {
    let mut session: Option<SessionData> = None;
    let mut unreadable = Vec::new();
    for (name, bytes) in files {
        let data = match read(bytes.as_ref()) {
            Ok(recovered) => recovered.data,
            Err(cause) => {
                unreadable.push((name.clone(), cause));
                continue;
            }
        };
        session = Some(match session {
            None => data,
            Some(before) => {
                merge::merge(before, data).map_err(|cause| LoadError::Different { name: name.clone(), cause })?
            }
        });
    }
    let Some(mut session) = session else {
        let first = unreadable.into_iter().next();
        return Err(first.map_or(LoadError::NoFiles, |(name, cause)| LoadError::Unreadable { name, cause }));
    };
    session.recovered |= !unreadable.is_empty();
    session.notes.extend(unreadable.into_iter().map(|(name, cause)| Note {
        code: NoteCode("part_unreadable".to_owned()),
        severity: Severity::Warning,
        message: format!("{name} is left out: {cause}."),
    }));
    Ok(merge::canonical(session))
}
