//! The `xray` command as a library: the binary and the Python wheel's console script are one line each.
//!
//! clap's types end in [`args`]; from there on there are validated options. Every failure is a [`errors::CliError`],
//! and `errors.rs` is the only place that knows exit codes.
#![forbid(unsafe_code)]

mod args;
mod console;
mod dump;
mod errors;
mod load;
mod options;
mod output;
mod report;
mod table;
mod units;

#[cfg(target_os = "linux")]
mod apps;
#[cfg(target_os = "linux")]
mod interrupt;
#[cfg(target_os = "linux")]
mod launch;
#[cfg(target_os = "linux")]
mod ps;
#[cfg(target_os = "linux")]
mod session;
#[cfg(target_os = "linux")]
mod transactions;

use errors::{CliError, Outcome};
use options::Command;
use std::ffi::OsString;

/// Runs the command line `argv`, program name included, and returns the exit code. Writes to the process's standard
/// output and error; registers handlers for SIGINT and SIGTERM while a session is watched.
pub fn run(argv: impl IntoIterator<Item = OsString>) -> i32 {
    let result = match args::parse(argv) {
        Ok(command) => execute(command),
        Err(early) => return args::explain(&early),
    };
    errors::exit_code(result)
}

/// `0.1.0 (file format 1, build 3ba3a90123)`. Who builds to give away says what from, in `XRAY_BUILD`.
fn version() -> String {
    let build = option_env!("XRAY_BUILD").map_or("built from source".to_owned(), |from| format!("build {from}"));
    format!("{} (file format {}, {build})", env!("CARGO_PKG_VERSION"), xray_core::format::FORMAT_VERSION)
}

fn execute(command: Command) -> Result<Outcome, CliError> {
    match command {
        Command::Report(options) => report::run(&options),
        Command::Dump(file) => dump::run(&file),
        #[cfg(target_os = "linux")]
        Command::Run(options) => launch::run(&options),
        #[cfg(target_os = "linux")]
        Command::Ps(options) => ps::run(&options),
        #[cfg(target_os = "linux")]
        Command::Transactions(options) => transactions::run(&options),
        #[cfg(target_os = "linux")]
        Command::Session(command) => session::run(command),
        #[cfg(not(target_os = "linux"))]
        Command::Run(_) | Command::Ps(_) | Command::Transactions(_) | Command::Session(_) => {
            Err(CliError::Usage("sessions run on Linux only; here you can read reports: xray report FILE".to_owned()))
        }
    }
}
