//! Files that appear whole or not at all, readable by their owner only, and never over another one unasked.

use crate::console;
use crate::errors::CliError;
use crate::options::FileOptions;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Where a file goes; checked before the work that fills it.
#[derive(Debug)]
pub(crate) enum Destination {
    Stdout,
    File { path: PathBuf, force: bool },
}

impl Destination {
    /// Checks that the file can be written: not there (without `--force`), in a directory that exists.
    ///
    /// # Errors
    /// [`CliError::File`] with what to do.
    pub(crate) fn check(options: &FileOptions, default_name: impl FnOnce() -> String) -> Result<Self, CliError> {
        if options.is_stdout() {
            return Ok(Self::Stdout);
        }
        let path = options.path.clone().unwrap_or_else(|| PathBuf::from(default_name()));
        let shown = path.display();
        if path.is_dir() {
            return Err(CliError::File(format!("{shown} is a directory: give a file name with it")));
        }
        if !options.force && path.symlink_metadata().is_ok() {
            return Err(CliError::File(format!("{shown} exists: choose another name, or overwrite it with --force")));
        }
        // Trying is the only sure answer, on read-only and network file systems, too.
        let (temporary, file) = create_temporary(&path).map_err(|error| {
            CliError::File(format!("cannot write {shown}: {error}: choose another directory with -o"))
        })?;
        drop(file);
        let _ = std::fs::remove_file(temporary);
        Ok(Self::File { path, force: options.force })
    }

    /// Writes the content; returns where it is, `None` for standard output. A file that appeared since
    /// [`Self::check`] is not overwritten: the name gets a number.
    ///
    /// # Errors
    /// [`CliError`].
    pub(crate) fn write(&self, content: &[u8]) -> Result<Option<PathBuf>, CliError> {
        match self {
            Self::Stdout => console::write_stdout(content).map(|()| None),
            Self::File { path, force } => write_file(path, *force, content)
                .map(Some)
                .map_err(|error| CliError::File(format!("cannot write {}: {error}", path.display()))),
        }
    }
}

fn write_file(path: &Path, force: bool, content: &[u8]) -> io::Result<PathBuf> {
    let (temporary, mut file) = create_temporary(path)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    let placed = written.and_then(|()| if force { replace(&temporary, path) } else { place(&temporary, path) });
    // After a rename there is none; otherwise it must not stay.
    let _ = std::fs::remove_file(&temporary);
    placed
}

fn replace(temporary: &Path, path: &Path) -> io::Result<PathBuf> {
    std::fs::rename(temporary, path)?;
    Ok(path.to_owned())
}

fn place(temporary: &Path, path: &Path) -> io::Result<PathBuf> {
    for candidate in std::iter::once(path.to_owned()).chain((2..1_000).map(|n| numbered(path, n))) {
        match std::fs::hard_link(temporary, &candidate) {
            Ok(()) => return Ok(candidate),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // No hard links on this file system: the check and the rename are not one step, but nearly.
            Err(_) if candidate.symlink_metadata().is_err() => return replace(temporary, &candidate),
            Err(_) => {}
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn numbered(path: &Path, n: u32) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
    path.with_file_name(format!("{stem}-{n}{extension}"))
}

fn create_temporary(path: &Path) -> io::Result<(PathBuf, File)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut attempt = 0;
    loop {
        // The name of a long file name must fit, too.
        let short: String = name.chars().take(40).collect();
        let temporary = path.with_file_name(format!(".{short}.{}.{attempt}.tmp", std::process::id()));
        match options.open(&temporary) {
            Ok(file) => return Ok((temporary, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 100 => attempt += 1,
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination(path: &Path, force: bool) -> Result<Destination, CliError> {
        Destination::check(&FileOptions { path: Some(path.to_owned()), force }, String::new)
    }

    #[test]
    fn a_file_is_private_and_leaves_nothing_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.xr");
        assert_eq!(destination(&path, false).unwrap().write(b"content").unwrap(), Some(path.clone()));
        assert_eq!(std::fs::read(&path).unwrap(), b"content");
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn nothing_is_overwritten_unless_forced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.xr");
        std::fs::write(&path, "old").unwrap();
        let refused = destination(&path, false).unwrap_err().to_string();
        assert!(refused.contains("exists") && refused.contains("--force"), "{refused}");
        destination(&path, true).unwrap().write(b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn a_file_that_appears_meanwhile_is_spared() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.xr");
        let checked = destination(&path, false).unwrap();
        std::fs::write(&path, "somebody else's").unwrap();
        let written = checked.write(b"ours").unwrap().unwrap();
        assert_eq!(written, directory.path().join("a-2.xr"));
        assert_eq!(std::fs::read(&path).unwrap(), b"somebody else's");
        assert_eq!(std::fs::read(written).unwrap(), b"ours");
    }

    #[test]
    fn a_missing_directory_is_found_before_the_work() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(destination(&directory.path().join("no/a.xr"), false), Err(CliError::File(_))));
        assert!(matches!(destination(directory.path(), true), Err(CliError::File(_))));
    }
}
