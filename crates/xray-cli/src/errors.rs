//! What can go wrong, and the only place that knows exit codes.

use std::io::{self, Write};

/// How a command ended that did its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Done, also when it was ended early by Ctrl-C or `xray session stop`.
    Done,
    /// Done, and the answer is no: nothing matched.
    No,
}

/// Why a command did not do its work: one sentence that says what happened and what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The command line cannot be followed.
    #[error("{0}")]
    Usage(String),
    /// A file cannot be read or written.
    #[error("{0}")]
    File(String),
    /// No application, an unknown transaction, or the agent refused.
    #[error("{0}")]
    Unavailable(String),
    /// Whoever read the output has stopped reading: nobody is there to be told.
    #[error("the output was closed")]
    BrokenPipe,
}

impl CliError {
    /// A failed write to standard output.
    pub(crate) fn output(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            _ => Self::File(format!("cannot write the output: {error}")),
        }
    }
}

/// Exit code of a command line that clap could not follow.
pub(crate) const USAGE: i32 = 2;

/// Tells the user and gives the exit code: 0 done, 1 the answer is no, 2 bad usage or an unreadable file,
/// 3 no application, unknown transaction or refused. (4 is kept for a failed check.)
pub(crate) fn exit_code(result: Result<Outcome, CliError>) -> i32 {
    let code = match &result {
        Ok(Outcome::Done) | Err(CliError::BrokenPipe) => return 0,
        Ok(Outcome::No) => return 1,
        Err(CliError::Usage(_) | CliError::File(_)) => USAGE,
        Err(CliError::Unavailable(_)) => 3,
    };
    if let Err(error) = result {
        // Without standard error there is nobody to tell.
        let _ = writeln!(anstream::stderr(), "xray: {}", crate::units::one_line(&error.to_string()));
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_that_scripts_rely_on() {
        let code = |error| exit_code(Err(error));
        assert_eq!(exit_code(Ok(Outcome::Done)), 0);
        assert_eq!(exit_code(Ok(Outcome::No)), 1);
        assert_eq!(code(CliError::Usage(String::new())), 2);
        assert_eq!(code(CliError::File(String::new())), 2);
        assert_eq!(code(CliError::Unavailable(String::new())), 3);
        assert_eq!(code(CliError::BrokenPipe), 0);
    }
}
