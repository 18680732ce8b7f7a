//! Finished traces of a session, counted over all processes without a server: one byte appended for each.

use super::descriptors::AgentOwned;
use super::private_dir::{DirectoryError, PrivateDir, io_error};
use crate::session::TraceTally;
use rustix::fs::{self, Mode, OFlags};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Name of the file in the session's directory.
pub(super) const TALLY: &str = "tally";

/// The tally file. Appending is atomic, so processes need no lock; the file's size is the count. Where the file cannot
/// be written (a full disk) this process's own traces still count.
#[derive(Debug)]
pub struct TallyFile {
    fd: OwnedFd,
    own: u64,
}

impl TallyFile {
    /// Opens the tally of a session, and creates it if it is missing.
    ///
    /// # Errors
    /// [`DirectoryError::Io`].
    pub fn open(session: &PrivateDir) -> Result<Self, DirectoryError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        fs::openat(session.as_fd(), TALLY, flags, Mode::RUSR | Mode::WUSR)
            .map(|fd| Self { fd, own: 0 })
            .map_err(|e| io_error("open", &session.path().join(TALLY), e))
    }
}

impl AsFd for TallyFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl TraceTally for AgentOwned<TallyFile> {
    fn add(&mut self) -> u64 {
        (**self).add()
    }

    fn total(&self) -> u64 {
        (**self).total()
    }
}

impl TraceTally for TallyFile {
    fn add(&mut self) -> u64 {
        self.own += 1;
        if let Err(error) = rustix::io::write(&self.fd, b".") {
            log::debug!("cannot count a finished trace: {error}");
        }
        self.total()
    }

    fn total(&self) -> u64 {
        fs::fstat(&self.fd).map_or(0, |stat| stat.st_size as u64).max(self.own)
    }
}
