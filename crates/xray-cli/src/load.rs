//! Session files and parts, from the disk or standard input.

use crate::errors::CliError;
use std::io::Read;
use std::path::Path;
use xray_core::model::SessionData;
use xray_report::LoadError;

/// Longest file that is read, in bytes.
const LONGEST: u64 = 4 << 30;

/// The bytes of a file, or of standard input for `-`.
///
/// # Errors
/// [`CliError::File`].
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>, CliError> {
    let problem = |error: std::io::Error| CliError::File(format!("cannot read {}: {error}", path.display()));
    let mut bytes = Vec::new();
    let read = match path.as_os_str() == "-" {
        true => std::io::stdin().lock().take(LONGEST + 1).read_to_end(&mut bytes),
        false => std::fs::File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes)),
    };
    read.map_err(problem)?;
    if bytes.len() as u64 > LONGEST {
        let gibibytes = LONGEST >> 30;
        return Err(CliError::File(format!("{} is longer than {gibibytes} GiB: not a session file", path.display())));
    }
    Ok(bytes)
}

/// The session in files or parts, merged; damaged ones as far as they can be read.
///
/// # Errors
/// [`CliError::File`] when nothing can be recovered, or the files are of different sessions.
pub(crate) fn session(files: &[(String, Vec<u8>)]) -> Result<SessionData, CliError> {
    xray_report::load_bytes(files).map_err(|error: LoadError| CliError::File(error.to_string()))
}
