//! What the user wants, validated.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;
use xray_core::model::Limits;

/// One command.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Run(RunOptions),
    Ps(PsOptions),
    Transactions(TransactionsOptions),
    Session(SessionCommand),
    Report(ReportOptions),
    Dump(PathBuf),
}

#[derive(Debug, PartialEq)]
pub(crate) struct RunOptions {
    pub(crate) app: Option<String>,
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
}

#[derive(Debug, PartialEq)]
pub(crate) struct PsOptions {
    pub(crate) json: bool,
}

#[derive(Debug, PartialEq)]
pub(crate) struct TransactionsOptions {
    pub(crate) app: Option<String>,
    pub(crate) json: bool,
}

#[derive(Debug, PartialEq)]
pub(crate) enum SessionCommand {
    Start(StartOptions),
    List { json: bool },
    Status { selection: Selection, json: bool },
    Stop { selection: Selection },
    Fetch { id: String, output: FileOptions, json: bool },
}

/// Which session: by its identity, or the current one of an application.
#[derive(Debug, PartialEq)]
pub(crate) struct Selection {
    pub(crate) id: Option<String>,
    pub(crate) app: Option<String>,
}

#[derive(Debug, PartialEq)]
pub(crate) struct StartOptions {
    pub(crate) transaction: String,
    pub(crate) app: Option<String>,
    pub(crate) limits: Limits,
    pub(crate) seed: Option<u64>,
    pub(crate) unseen: bool,
    pub(crate) output: FileOptions,
    pub(crate) detach: bool,
    pub(crate) json: bool,
}

/// Where a session file goes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FileOptions {
    /// `None`: a name made of the transaction and the time.
    pub(crate) path: Option<PathBuf>,
    pub(crate) force: bool,
}

impl FileOptions {
    /// Whether the file goes to standard output.
    pub(crate) fn is_stdout(&self) -> bool {
        self.path.as_deref().is_some_and(|path| path.as_os_str() == "-")
    }
}

#[derive(Debug, PartialEq)]
pub(crate) struct ReportOptions {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) view: View,
    pub(crate) json: bool,
    pub(crate) full: bool,
    pub(crate) html: Option<FileOptions>,
    pub(crate) width: Option<usize>,
    pub(crate) color: Color,
}

/// What of the session is shown.
#[derive(Debug, PartialEq)]
pub(crate) enum View {
    Report,
    Trace(String),
    Tree { source: TreeSource, bottom_up: bool, by_cpu: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TreeSource {
    Samples,
    Calls,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

/// A duration of some minutes or seconds.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
