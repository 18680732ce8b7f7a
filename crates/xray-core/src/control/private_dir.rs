//! A directory that belongs to one user, and file operations in it that cannot be led astray.
//!
//! Everything goes through the directory's descriptor and follows no symbolic link, because root's command line works
//! in directories whose owner could swap names under it. What root creates there is given to the owner, so that the
//! owner's agents can use it.

use super::descriptors::AgentOwned;
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::geteuid;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Why a directory of sockets or sessions cannot be used. Each is one sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// A symbolic link or a file where a directory belongs.
    #[error("{} is not a directory: remove it, or set XRAY_SOCKET_DIR to a directory of your own", .0.display())]
    NotADirectory(PathBuf),
    /// Somebody else could answer for the agents.
    #[error("{} belongs to user {owner}, not to you (user {user}): set XRAY_SOCKET_DIR to a directory of your own", .path.display())]
    Owner {
        /// The directory.
        path: PathBuf,
        /// Its owner's user id.
        owner: u32,
        /// This process's user id.
        user: u32,
    },
    /// Somebody else could put sockets there.
    #[error("{} can be written by others (mode {mode:03o}): run `chmod 700` on it, or set XRAY_SOCKET_DIR to another directory", .path.display())]
    Writable {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The eight hash digits of two names are equal.
    #[error("the applications {ours:?} and {theirs:?} collide in {}: give one of them another name (XRAY_APP)", .path.display())]
    Collision {
        /// The directory.
        path: PathBuf,
        /// The name asked for.
        ours: String,
        /// The name found.
        theirs: String,
    },
    /// A session's file is not what xray writes.
    #[error("{} is damaged: remove it and start the session again", .0.display())]
    Damaged(PathBuf),
    /// Another process holds the directory's lock.
    #[error("{} is locked by another xray process: try again", .0.display())]
    Locked(PathBuf),
    /// The system refused.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// `create`, `read`, ...
        action: &'static str,
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// An open directory of one owner, writable by nobody else.
#[derive(Debug)]
pub struct PrivateDir {
    fd: AgentOwned<OwnedFd>,
    path: PathBuf,
    owner: rustix::fs::Uid,
    group: rustix::fs::Gid,
}

/// Held while a change of more than one step is made.
#[derive(Debug)]
pub struct DirectoryLock {
    _fd: AgentOwned<OwnedFd>,
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Longer than any holder needs, also on a machine that is overloaded.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

impl PrivateDir {
    /// Opens an existing directory and checks that it belongs to this user (root may use anybody's) and that nobody
    /// else can write to it.
    ///
    /// # Errors
    /// [`DirectoryError`]; a missing directory is `Io` with `NotFound`.
    pub fn open(path: &Path) -> Result<Self, DirectoryError> {
        let opened = fs::openat(fs::CWD, path, DIRECTORY, Mode::empty());
        Self::checked(opened, path.to_owned(), None)
    }

    /// Creates the directory with mode 0700 unless it exists, then opens it as [`Self::open`] does. Missing parents
    /// are created with the same mode.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn open_or_create(path: &Path) -> Result<Self, DirectoryError> {
        use std::os::unix::fs::DirBuilderExt;
        if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty() && !p.exists()) {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(parent)
                .map_err(|source| DirectoryError::Io { action: "create", path: parent.to_owned(), source })?;
        }
        match fs::mkdirat(fs::CWD, path, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => Self::open(path),
            Err(error) => Err(io_error("create", path, error)),
        }
    }

    /// Opens a directory below this one; it must have the same owner.
    ///
    /// # Errors
    /// [`DirectoryError`]; a missing directory is `Io` with `NotFound`.
    pub fn subdirectory(&self, name: &str) -> Result<Self, DirectoryError> {
        let opened = fs::openat(&self.fd, name, DIRECTORY, Mode::empty());
        Self::checked(opened, self.path.join(name), Some(self.owner))
    }

    /// As [`Self::subdirectory`], after creating it with mode 0700 if it is missing.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn create_subdirectory(&self, name: &str) -> Result<Self, DirectoryError> {
        let path = || self.path.join(name);
        match fs::mkdirat(&self.fd, name, Mode::RWXU) {
            Ok(()) => self.hand_over(name).map_err(|e| io_error("create", &path(), e))?,
            Err(Errno::EXIST) => {}
            Err(error) => return Err(io_error("create", &path(), error)),
        }
        self.subdirectory(name)
    }

    fn checked(
        opened: rustix::io::Result<OwnedFd>,
        path: PathBuf,
        owner: Option<rustix::fs::Uid>,
    ) -> Result<Self, DirectoryError> {
        let fd = match opened {
            Ok(fd) => AgentOwned::by_thread(fd),
            Err(Errno::NOTDIR | Errno::LOOP) => return Err(DirectoryError::NotADirectory(path)),
            Err(error) => return Err(io_error("open", &path, error)),
        };
        let stat = fs::fstat(&fd).map_err(|e| io_error("open", &path, e))?;
        let user = geteuid();
        let allowed = match owner {
            Some(owner) => stat.st_uid == owner.as_raw(),
            None => stat.st_uid == user.as_raw() || user.is_root(),
        };
        if !allowed {
            return Err(DirectoryError::Owner { path, owner: stat.st_uid, user: user.as_raw() });
        }
        let mode = stat.st_mode & 0o777;
        if mode & 0o022 != 0 {
            return Err(DirectoryError::Writable { path, mode });
        }
        let (owner, group) = (rustix::fs::Uid::from_raw(stat.st_uid), rustix::fs::Gid::from_raw(stat.st_gid));
        Ok(Self { fd, path, owner, group })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// User id of its owner.
    pub fn owner(&self) -> u32 {
        self.owner.as_raw()
    }

    /// Names of its entries in byte order, at most `limit`; names that are not UTF-8 are nobody's and left out.
    ///
    /// # Errors
    /// [`DirectoryError::Io`].
    pub fn names(&self, limit: usize) -> Result<Vec<String>, DirectoryError> {
        let fail = |e| io_error("list", &self.path, e);
        let mut names = Vec::new();
        for entry in fs::Dir::read_from(&self.fd).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            match entry.file_name().to_str() {
                Ok("." | "..") | Err(_) => {}
                Ok(name) => names.push(name.to_owned()),
            }
            if names.len() >= limit {
                break;
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The content of a regular file of the same owner, or `None` if there is none.
    ///
    /// # Errors
    /// [`DirectoryError::Io`]; [`DirectoryError::Damaged`] when it is longer than `limit` bytes, not a regular file,
    /// or somebody else's.
    pub fn read(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, DirectoryError> {
        let path = self.path.join(name);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fd = match fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => AgentOwned::by_thread(File::from(fd)),
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(DirectoryError::Damaged(path)),
            Err(error) => return Err(io_error("read", &path, error)),
        };
        let stat = fs::fstat(&fd).map_err(|e| io_error("read", &path, e))?;
        let regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        if !regular || (stat.st_uid != self.owner.as_raw() && stat.st_uid != 0) {
            return Err(DirectoryError::Damaged(path));
        }
        let mut bytes = Vec::new();
        fd.take(limit + 1).read_to_end(&mut bytes).map_err(|source| DirectoryError::Io {
            action: "read",
            path: path.clone(),
            source,
        })?;
        if bytes.len() as u64 > limit {
            return Err(DirectoryError::Damaged(path));
        }
        Ok(Some(bytes))
    }

    /// Creates the file with this content, 0600, all at once; false when the name is taken.
    ///
    /// # Errors
    /// [`DirectoryError::Io`].
    pub fn write_new(&self, name: &str, content: &[u8]) -> Result<bool, DirectoryError> {
        let temporary = self.write_temporary(name, content)?;
        let linked = fs::linkat(&self.fd, &*temporary, &self.fd, name, AtFlags::empty());
        self.remove(&temporary)?;
        match linked {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(error) => Err(io_error("create", &self.path.join(name), error)),
        }
    }

    /// Gives the file this content, 0600, all at once, whether it exists or not.
    ///
    /// # Errors
    /// [`DirectoryError::Io`].
    pub fn replace(&self, name: &str, content: &[u8]) -> Result<(), DirectoryError> {
        let temporary = self.write_temporary(name, content)?;
        fs::renameat(&self.fd, &*temporary, &self.fd, name).map_err(|error| {
            // The temporary file is useless now; that it cannot be removed either adds nothing to the first error.
            let _ = self.remove(&temporary);
            io_error("replace", &self.path.join(name), error)
        })
    }

    /// Removes a file; a missing one is fine.
    ///
    /// # Errors
    /// [`DirectoryError::Io`].
    pub fn remove(&self, name: &str) -> Result<(), DirectoryError> {
        self.unlink(name, AtFlags::empty())
    }

    /// Removes a subdirectory with the files in it (not deeper); a missing one is fine.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn remove_subdirectory(&self, name: &str) -> Result<(), DirectoryError> {
        match self.subdirectory(name) {
            Ok(inner) => {
                for file in inner.names(usize::MAX)? {
                    inner.remove(&file)?;
                }
            }
            Err(DirectoryError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        }
        self.unlink(name, AtFlags::REMOVEDIR)
    }

    fn unlink(&self, name: &str, flags: AtFlags) -> Result<(), DirectoryError> {
        match fs::unlinkat(&self.fd, name, flags) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(io_error("remove", &self.path.join(name), error)),
        }
    }

    /// Keeps others from changing the directory's files until the lock is dropped. Waits at most ten seconds: a process
    /// that is stopped with the lock held must not stop an application with it.
    ///
    /// # Errors
    /// [`DirectoryError::Locked`] after ten seconds.
    pub fn lock(&self) -> Result<DirectoryLock, DirectoryError> {
        // A descriptor of its own: locks belong to the open file, and two threads may share `self`.
        let fd = fs::openat(&self.fd, ".", DIRECTORY, Mode::empty()).map_err(|e| io_error("lock", &self.path, e))?;
        let fd = AgentOwned::by_thread(fd);
        let give_up = Instant::now() + LOCK_PATIENCE;
        loop {
            match fs::flock(&fd, fs::FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(DirectoryLock { _fd: fd }),
                Err(Errno::AGAIN | Errno::INTR) if Instant::now() < give_up => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(Errno::AGAIN | Errno::INTR) => return Err(DirectoryError::Locked(self.path.clone())),
                Err(error) => return Err(io_error("lock", &self.path, error)),
            }
        }
    }

    fn write_temporary(&self, name: &str, content: &[u8]) -> Result<String, DirectoryError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let unique = std::hash::BuildHasher::hash_one(
            &std::hash::RandomState::new(),
            (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)),
        );
        let temporary = format!(".{name}.{unique:016x}.tmp");
        let path = self.path.join(&temporary);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = fs::openat(&self.fd, &*temporary, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|e| io_error("create", &path, e))?;
        let mut file = AgentOwned::by_thread(File::from(fd));
        let written = self.give_to_owner(&file).map_err(io::Error::from).and_then(|()| file.write_all(content));
        if let Err(source) = written {
            let _ = self.remove(&temporary);
            return Err(DirectoryError::Io { action: "write", path, source });
        }
        Ok(temporary)
    }

    fn give_to_owner(&self, fd: impl AsFd) -> rustix::io::Result<()> {
        if geteuid() == self.owner { Ok(()) } else { fs::fchown(fd, Some(self.owner), Some(self.group)) }
    }

    fn hand_over(&self, subdirectory: &str) -> rustix::io::Result<()> {
        let fd = fs::openat(&self.fd, subdirectory, DIRECTORY, Mode::empty())?;
        self.give_to_owner(&fd)
    }
}

impl AsFd for PrivateDir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

pub(super) fn io_error(action: &'static str, path: &Path, error: Errno) -> DirectoryError {
    DirectoryError::Io { action, path: path.to_owned(), source: error.into() }
}
