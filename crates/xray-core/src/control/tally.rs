//! Finished traces of a session, counted over all processes without a server: one byte appended for each.

use super::private_dir::{DirectoryError, PrivateDir, io_error};
use rustix::fs::{self, Mode, OFlags};
use std::os::fd::OwnedFd;

/// Name of the file in the session's directory.
pub(super) const TALLY: &str = "tally";

/// The tally file. Appending is atomic, so processes need no lock; the file's size is the count.
#[derive(Debug)]
pub struct TallyFile {
    fd: OwnedFd,
}

impl TallyFile {
    /// Opens the tally of a session, and creates it if it is missing.
    ///
    /// # Errors
    /// [`DirectoryError::Io`].
    pub fn open(session: &PrivateDir) -> Result<Self, DirectoryError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        fs::openat(session.as_fd(), TALLY, flags, Mode::RUSR | Mode::WUSR)
            .map(|fd| Self { fd })
            .map_err(|e| io_error("open", &session.path().join(TALLY), e))
    }

    /// Counts one more finished trace; returns how many there are now in all processes, this one included. Under
    /// concurrent calls two processes may see the same number, never one below their own.
    ///
    /// # Errors
    /// The system's, for instance a full disk.
    pub fn add(&self) -> std::io::Result<u64> {
        rustix::io::write(&self.fd, b".")?;
        self.count()
    }

    /// How many traces have finished in all processes.
    ///
    /// # Errors
    /// The system's.
    pub fn count(&self) -> std::io::Result<u64> {
        Ok(fs::fstat(&self.fd)?.st_size as u64)
    }
}
