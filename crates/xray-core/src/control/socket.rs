//! Binding and reaching a Unix socket in a directory, however long the directory's path is.

use super::descriptors::AgentOwned;
use super::private_dir::{DirectoryError, PrivateDir, io_error};
use rustix::fs::{AtFlags, Mode};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 16;

/// The listening socket of one agent. Dropping it removes the socket's file, but only in the process that bound it: a
/// forked child drops its copy without harm.
#[derive(Debug)]
pub struct AgentListener {
    listener: AgentOwned<UnixListener>,
    directory: PrivateDir,
    name: String,
    process: u32,
}

impl AgentListener {
    /// Binds and listens, mode 0600, and only then shows the socket as `name`: whoever finds it is answered.
    ///
    /// # Errors
    /// [`DirectoryError::Io`]; kind `AlreadyExists` when the name is taken.
    pub(super) fn bind(directory: PrivateDir, name: String) -> Result<Self, DirectoryError> {
        let path = directory.path().join(&name);
        let fail = |error| io_error("create", &path, error);
        let process = std::process::id();
        // Not ending in `.sock`: nobody looks for it. It can only be there if a dead process left it.
        let hidden = format!(".{name}.{process}.new");
        directory.remove(&hidden)?;
        let fd = AgentOwned::new(UnixListener::from(stream_socket().map_err(fail)?));
        net::bind(&fd, &address(&directory, &hidden).map_err(fail)?).map_err(fail)?;
        let shown = rustix::fs::chmodat(directory.as_fd(), &*hidden, Mode::RUSR | Mode::WUSR, AtFlags::empty())
            .and_then(|()| net::listen(&fd, BACKLOG))
            .and_then(|()| {
                rustix::fs::linkat(directory.as_fd(), &*hidden, directory.as_fd(), &*name, AtFlags::empty())
            });
        directory.remove(&hidden)?;
        shown.map_err(fail)?;
        Ok(Self { listener: fd, directory, name, process })
    }

    /// The socket.
    pub fn listener(&self) -> &UnixListener {
        &self.listener
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.directory.path().join(&self.name)
    }
}

impl Drop for AgentListener {
    fn drop(&mut self) {
        if std::process::id() == self.process {
            // What cannot be removed is found stale by the next one who connects.
            let _ = self.directory.remove(&self.name);
        }
    }
}

/// Connects to `name` in `directory`; waits at most `patience` when the backlog is full.
pub(super) fn connect(directory: &PrivateDir, name: &str, patience: Duration) -> rustix::io::Result<UnixStream> {
    let fd = AgentOwned::by_thread(stream_socket()?);
    // A send timeout bounds connect() on Unix sockets, too.
    net::sockopt::set_socket_timeout(&fd, net::sockopt::Timeout::Send, Some(patience))?;
    net::connect(&fd, &address(directory, name)?)?;
    Ok(fd.into_inner().into())
}

/// User id of the process at the other end.
pub(super) fn peer_user(stream: impl AsFd) -> rustix::io::Result<u32> {
    Ok(net::sockopt::socket_peercred(stream)?.uid.as_raw())
}

fn stream_socket() -> rustix::io::Result<OwnedFd> {
    net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
}

/// An address holds 107 bytes of path. A longer one is reached through the directory's descriptor.
fn address(directory: &PrivateDir, name: &str) -> Result<SocketAddrUnix, Errno> {
    SocketAddrUnix::new(directory.path().join(name)).or_else(|_| {
        let descriptor = directory.as_fd().as_raw_fd();
        SocketAddrUnix::new(format!("/proc/self/fd/{descriptor}/{name}"))
    })
}
