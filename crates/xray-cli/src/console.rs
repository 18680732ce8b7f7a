//! Standard output and error.

use crate::errors::CliError;
use std::io::{IsTerminal, Write};

/// Writes to standard output as it is, colours included.
///
/// # Errors
/// [`CliError`], also for a closed pipe.
pub(crate) fn write_stdout(bytes: &[u8]) -> Result<(), CliError> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|error| CliError::output(&error))
}

/// Writes a value as JSON, for people's eyes and programs alike.
///
/// # Errors
/// [`CliError`], also for a closed pipe.
pub(crate) fn write_json(value: &impl serde::Serialize) -> Result<(), CliError> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|error| CliError::File(format!("cannot write the output as JSON: {error}")))?;
    text.push('\n');
    write_stdout(text.as_bytes())
}

/// One line for the user on standard error; a closed one is nobody to tell.
pub(crate) fn note(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", crate::units::one_line(line));
}

/// Columns of the terminal on standard output, `None` when it is not one.
pub(crate) fn stdout_width() -> Option<usize> {
    let (width, _) = terminal_size::terminal_size_of(std::io::stdout())?;
    Some(usize::from(width.0)).filter(|width| *width > 0)
}

/// Whether the user watches standard error.
pub(crate) fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal()
}
