//! The session an application is in, and the files of each session.
//!
//! `current` is created exclusively and all at once (a hard link to a finished file), so that there is one session
//! for each application. Changes of a session's state are made under the directory's lock.

use super::directory::AppDirectory;
use super::private_dir::{DirectoryError, PrivateDir};
use super::protocol::SessionFile;
use super::tally::{TALLY, TallyFile};
use super::unix_now_ns;
use crate::limits;
use crate::model::{SessionId, StoppedBy};
use std::path::{Path, PathBuf};

const CURRENT: &str = "current";
const SESSIONS: &str = "sessions";
const SESSION: &str = "session.json";
const PART_SUFFIX: &str = ".xr.part";
/// Longest session file, in bytes.
const SESSION_FILE_BYTES: u64 = 64 << 10;

/// Why a session cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// The application is in another one.
    #[error("a session is already running: {}", .0.spec.header.id.0)]
    Running(Box<SessionFile>),
    /// The directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

/// The directory of one session.
#[derive(Debug)]
pub struct SessionDirectory {
    directory: PrivateDir,
    id: SessionId,
}

impl AppDirectory {
    /// The session that the application is in now, or `None`. One whose time, draining included, is over does not
    /// count; whether new processes may still join says [`SessionFile::joinable`].
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn current(&self) -> Result<Option<SessionFile>, DirectoryError> {
        Ok(self.read_session_file(&self.directory, CURRENT)?.filter(|file| !file.over(unix_now_ns())))
    }

    /// Makes `file` the application's session and creates its directory. Finished sessions beyond the newest
    /// [`limits::KEPT_SESSIONS`] are removed.
    ///
    /// # Errors
    /// [`BeginError::Running`] with the session the application is in.
    pub fn begin_session(&self, file: &SessionFile) -> Result<SessionDirectory, BeginError> {
        let _lock = self.directory.lock()?;
        if let Some(running) = self.current_or_damaged()? {
            return Err(BeginError::Running(Box::new(running)));
        }
        self.directory.remove(CURRENT)?;
        self.prune();
        let id = &file.spec.header.id;
        let directory = self.directory.create_subdirectory(SESSIONS)?.create_subdirectory(&id.0)?;
        let session = SessionDirectory { directory, id: id.clone() };
        let content = to_json(file);
        session.directory.replace(SESSION, &content)?;
        session.directory.write_new(TALLY, b"")?;
        if self.directory.write_new(CURRENT, &content)? {
            Ok(session)
        } else {
            // Only a program that ignores the lock gets here; its session stands.
            let running = self.current_or_damaged()?;
            Err(running.map_or_else(
                || BeginError::Directory(DirectoryError::Locked(self.path().to_owned())),
                |running| BeginError::Running(Box::new(running)),
            ))
        }
    }

    /// Notes that nobody may join the session any more. The first reason stays; returns the one that holds. For an
    /// unknown session this is `by`.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn mark_stopped(&self, id: &SessionId, by: StoppedBy) -> Result<StoppedBy, DirectoryError> {
        let _lock = self.directory.lock()?;
        let Some(session) = self.session(id)? else { return Ok(by) };
        let Some(mut file) = self.read_session_file(&session.directory, SESSION)? else { return Ok(by) };
        let reason = *file.stopped_by.get_or_insert(by);
        let content = to_json(&file);
        session.directory.replace(SESSION, &content)?;
        if self.read_session_file(&self.directory, CURRENT)?.is_some_and(|c| c.spec.header.id == *id) {
            self.directory.replace(CURRENT, &content)?;
        }
        Ok(reason)
    }

    /// Ends the session: the application is free for the next one. The session's own directory stays.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn end_session(&self, id: &SessionId) -> Result<(), DirectoryError> {
        let _lock = self.directory.lock()?;
        match self.read_session_file(&self.directory, CURRENT) {
            Ok(Some(current)) if current.spec.header.id != *id => Ok(()),
            Ok(_) | Err(DirectoryError::Damaged(_)) => self.directory.remove(CURRENT),
            Err(error) => Err(error),
        }
    }

    /// All sessions whose files are still there, oldest first.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn sessions(&self) -> Result<Vec<SessionFile>, DirectoryError> {
        let Some(all) = optional(self.directory.subdirectory(SESSIONS))? else { return Ok(Vec::new()) };
        let mut files: Vec<_> = all
            .names(limits::DIRECTORY_ENTRIES)?
            .iter()
            .filter_map(|id| self.read_session_file(&all.subdirectory(id).ok()?, SESSION).ok()?)
            .collect();
        files.sort_by_key(|f| (f.spec.header.started_unix_ns, f.spec.header.id.0.clone()));
        Ok(files)
    }

    /// The directory of a session, or `None` for an unknown one.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn session(&self, id: &SessionId) -> Result<Option<SessionDirectory>, DirectoryError> {
        if id.0.is_empty() || !id.0.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Ok(None);
        }
        let Some(all) = optional(self.directory.subdirectory(SESSIONS))? else { return Ok(None) };
        let directory = optional(all.subdirectory(&id.0))?;
        Ok(directory.map(|directory| SessionDirectory { directory, id: id.clone() }))
    }

    /// Where the files of a session are, as the application's own processes see it.
    pub fn session_path_for_agents(&self, id: &SessionId) -> PathBuf {
        self.path_for_agents().join(SESSIONS).join(&id.0)
    }

    fn current_or_damaged(&self) -> Result<Option<SessionFile>, DirectoryError> {
        match self.current() {
            Err(DirectoryError::Damaged(_)) => Ok(None),
            other => other,
        }
    }

    fn read_session_file(&self, from: &PrivateDir, name: &str) -> Result<Option<SessionFile>, DirectoryError> {
        let Some(bytes) = from.read(name, SESSION_FILE_BYTES)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|_| DirectoryError::Damaged(from.path().join(name)))
    }

    /// Old sessions go; what cannot be removed stays and does not keep the next session from beginning.
    fn prune(&self) {
        let (Ok(all), Ok(mut files)) = (self.directory.subdirectory(SESSIONS), self.sessions()) else { return };
        let now = unix_now_ns();
        files.retain(|f| f.over(now) || f.stopped_by.is_some());
        let surplus = files.len().saturating_sub(limits::KEPT_SESSIONS);
        for file in &files[..surplus] {
            if let Err(error) = all.remove_subdirectory(&file.spec.header.id.0) {
                log::warn!("cannot remove an old session: {error}");
            }
        }
    }
}

impl SessionDirectory {
    /// The session's identity.
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The session's state, or `None` when its file is missing.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn file(&self) -> Result<Option<SessionFile>, DirectoryError> {
        let Some(bytes) = self.directory.read(SESSION, SESSION_FILE_BYTES)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|_| DirectoryError::Damaged(self.path().join(SESSION)))
    }

    /// A path for this process's part, `<id>.<pid>.xr.part`, that no file has yet. A process that joins twice, or
    /// gets the pid of a dead one, gets a numbered name.
    pub fn new_part_path(&self) -> PathBuf {
        let (id, pid) = (&self.id.0, std::process::id());
        let name = |n: u32| {
            self.path().join(if n == 1 {
                format!("{id}.{pid}{PART_SUFFIX}")
            } else {
                format!("{id}.{pid}-{n}{PART_SUFFIX}")
            })
        };
        (1..).map(name).find(|path| rustix::fs::lstat(path).is_err()).unwrap_or_else(|| name(u32::MAX))
    }

    /// The parts written so far, by any process, sorted by name.
    ///
    /// # Errors
    /// [`DirectoryError::Io`].
    pub fn parts(&self) -> Result<Vec<PathBuf>, DirectoryError> {
        let names = self.directory.names(limits::DIRECTORY_ENTRIES)?;
        let parts = names.into_iter().filter(|n| n.ends_with(PART_SUFFIX) && !n.starts_with('.'));
        Ok(parts.map(|name| self.path().join(name)).collect())
    }

    /// The session's tally of finished traces.
    ///
    /// # Errors
    /// [`DirectoryError::Io`].
    pub fn tally(&self) -> Result<TallyFile, DirectoryError> {
        TallyFile::open(&self.directory)
    }
}

impl SessionFile {
    /// Whether recording goes on at this instant: not stopped, and the deadline is ahead.
    pub fn recording(&self, now_unix_ns: u64) -> bool {
        self.stopped_by.is_none() && now_unix_ns < self.ends_unix_ns
    }

    /// Whether a process may join at this instant: recording, and open to all.
    pub fn joinable(&self, now_unix_ns: u64) -> bool {
        self.only_pid.is_none() && self.recording(now_unix_ns)
    }

    /// Whether no process can be in the session any more: the deadline, the time for draining and some more for
    /// writing are over.
    pub fn over(&self, now_unix_ns: u64) -> bool {
        now_unix_ns > self.ends_unix_ns.saturating_add(limits::DRAIN_NS).saturating_add(limits::PART_GRACE_NS)
    }
}

fn to_json(file: &SessionFile) -> Vec<u8> {
    serde_json::to_vec_pretty(file).expect("a session file has only string keys and finite numbers or null")
}

fn optional<T>(result: Result<T, DirectoryError>) -> Result<Option<T>, DirectoryError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(DirectoryError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
