//! Who runs where: `$XRAY_SOCKET_DIR` or `/tmp/xray-<uid>`, in it one directory for each application, in that one
//! socket for each process.

use super::private_dir::{DirectoryError, PrivateDir};
use super::socket::AgentListener;
use crate::limits;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// Name of the environment variable that replaces `/tmp/xray-<uid>`.
pub const SOCKET_DIR_VARIABLE: &str = "XRAY_SOCKET_DIR";

/// File with the application's full name.
const APP: &str = "app";
const SOCKET_SUFFIX: &str = ".sock";
/// Longest slug, in bytes; the hash keeps longer names apart.
const SLUG_BYTES: usize = 40;

/// Where this user's agents and controllers meet: `$XRAY_SOCKET_DIR`, else `/tmp/xray-<uid>`.
pub fn base_directory() -> PathBuf {
    base_directory_from(std::env::var_os(SOCKET_DIR_VARIABLE))
}

fn base_directory_from(variable: Option<OsString>) -> PathBuf {
    match variable {
        Some(path) if !path.is_empty() => PathBuf::from(path),
        _ => PathBuf::from(format!("/tmp/xray-{}", rustix::process::geteuid().as_raw())),
    }
}

/// Every base directory this user may look into: the own one, and for root those of all users, also inside
/// containers (`/proc/<pid>/root/tmp/xray-*`), each directory once. Directories that do not exist are left out.
pub fn visible_base_directories() -> Vec<PathBuf> {
    let mut found = vec![base_directory()];
    if rustix::process::geteuid().is_root() && std::env::var_os(SOCKET_DIR_VARIABLE).is_none() {
        found.extend(xray_directories_in(Path::new("/tmp")));
        for process in entries(Path::new("/proc")) {
            let is_process = process.file_name().is_some_and(|n| n.as_encoded_bytes().iter().all(u8::is_ascii_digit));
            if is_process {
                found.extend(xray_directories_in(&process.join("root/tmp")));
            }
        }
    }
    let mut seen = std::collections::HashSet::new();
    found.retain(|path| rustix::fs::lstat(path).is_ok_and(|stat| seen.insert((stat.st_dev, stat.st_ino))));
    found
}

fn xray_directories_in(parent: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    entries(parent).into_iter().filter(|path| {
        path.file_name().and_then(|n| n.to_str()).and_then(|n| n.strip_prefix("xray-")).is_some_and(|user| {
            // Somebody could pretend to be another user's agents: the name must be the owner's.
            user.parse().is_ok_and(|user: u32| rustix::fs::lstat(path).is_ok_and(|stat| stat.st_uid == user))
        })
    })
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// The directory of one application.
#[derive(Debug)]
pub struct AppDirectory {
    pub(super) directory: PrivateDir,
    name: String,
}

/// A socket found in an application's directory. Its process may be gone: connecting shows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AgentSocket {
    /// Process id, as the process itself sees it.
    pub pid: u32,
    /// Name of the socket's file.
    pub(super) file: String,
}

impl AppDirectory {
    /// Opens the directory of the application `name` in `base` (see [`base_directory`]) and creates what is missing,
    /// all with mode 0700.
    ///
    /// # Errors
    /// [`DirectoryError`]: one sentence for the user.
    pub fn open_or_create(base: &Path, name: &str) -> Result<Self, DirectoryError> {
        let directory = PrivateDir::open_or_create(base)?.create_subdirectory(&directory_name(name))?;
        directory.write_new(APP, name.as_bytes())?;
        let app = Self::opened(directory)?;
        if app.name == name {
            Ok(app)
        } else {
            let path = app.directory.path().to_owned();
            Err(DirectoryError::Collision { path, ours: name.to_owned(), theirs: app.name })
        }
    }

    /// All applications that have a directory in `base`, sorted by name. Directories that are not an application's
    /// are left out; none at all when `base` does not exist.
    ///
    /// # Errors
    /// [`DirectoryError`] when `base` cannot be used.
    pub fn list_apps(base: &Path) -> Result<Vec<Self>, DirectoryError> {
        let base = match PrivateDir::open(base) {
            Err(DirectoryError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let names = base.names(limits::APPLICATIONS)?;
        let opened = names.iter().filter_map(|name| base.subdirectory(name).ok());
        let mut apps: Vec<Self> = opened.filter_map(|directory| Self::opened(directory).ok()).collect();
        apps.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(apps)
    }

    fn opened(directory: PrivateDir) -> Result<Self, DirectoryError> {
        let damaged = || DirectoryError::Damaged(directory.path().join(APP));
        let bytes = directory.read(APP, limits::APP_NAME_BYTES)?.ok_or_else(damaged)?;
        let name = String::from_utf8(bytes).map_err(|_| damaged())?;
        Ok(Self { directory, name })
    }

    /// The application's full name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// User id of the application's user.
    pub fn owner(&self) -> u32 {
        self.directory.owner()
    }

    /// The directory as the application's own processes see it: without the way into their container.
    pub fn path_for_agents(&self) -> PathBuf {
        let path = self.path();
        let mut parts = path.components();
        let head: Vec<_> = parts.by_ref().take(4).map(|c| c.as_os_str()).collect();
        match head.as_slice() {
            [root, proc, _pid, inside] if *root == "/" && *proc == "proc" && *inside == "root" => {
                Path::new("/").join(parts.as_path())
            }
            _ => path.to_owned(),
        }
    }

    /// Creates this process's socket, `<pid>.sock` with mode 0600. A socket that a dead process with the same pid left
    /// is replaced; a living one (of another pid namespace) is kept, and this one gets a number.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn bind(&self) -> Result<AgentListener, DirectoryError> {
        let pid = std::process::id();
        let mut last = None;
        for attempt in 1..=limits::SOCKETS_OF_ONE_PID {
            let file =
                if attempt == 1 { format!("{pid}{SOCKET_SUFFIX}") } else { format!("{pid}-{attempt}{SOCKET_SUFFIX}") };
            // Connecting removes it when nobody listens.
            let _ = super::client::connect(self, &AgentSocket { pid, file: file.clone() });
            match AgentListener::bind(PrivateDir::open(self.path())?, file) {
                Err(DirectoryError::Io { source, action, path }) if source.kind() == io::ErrorKind::AlreadyExists => {
                    last = Some(DirectoryError::Io { source, action, path });
                }
                other => return other,
            }
        }
        Err(last.expect("at least one attempt was made"))
    }

    /// The sockets of the application's processes, sorted by pid, stale ones included.
    ///
    /// # Errors
    /// [`DirectoryError::Io`].
    pub fn sockets(&self) -> Result<Vec<AgentSocket>, DirectoryError> {
        let names = self.directory.names(limits::DIRECTORY_ENTRIES)?;
        let mut sockets: Vec<_> = names.into_iter().filter_map(AgentSocket::from_file).collect();
        sockets.sort_unstable();
        Ok(sockets)
    }
}

impl AsFd for AppDirectory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

impl AgentSocket {
    fn from_file(file: String) -> Option<Self> {
        let stem = file.strip_suffix(SOCKET_SUFFIX)?;
        let pid = stem.split_once('-').map_or(stem, |(pid, _)| pid).parse().ok()?;
        Some(Self { pid, file })
    }
}

/// `<slug>-<hash8>`: readable, and different for names with the same slug.
pub fn directory_name(app: &str) -> String {
    format!("{}-{:08x}", slug(app), crc32fast::hash(app.as_bytes()))
}

/// Lower-case letters, digits and single dashes of a name, at most 40; `app` when nothing is left.
pub fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars() {
        match c {
            _ if slug.len() >= SLUG_BYTES => break,
            c if c.is_ascii_alphanumeric() => slug.push(c.to_ascii_lowercase()),
            _ if slug.ends_with('-') || slug.is_empty() => {}
            _ => slug.push('-'),
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "app".to_owned() } else { slug.to_owned() }
}
