//! `xray session fetch`: the file of a session whose command is gone.

use super::file;
use super::live::{self, End};
use crate::console;
use crate::errors::{CliError, Outcome};
use crate::interrupt::Interrupts;
use crate::options::FileOptions;
use crate::output::Destination;
use xray_core::model::SessionId;

/// Waits for the end of the session if it still runs, and writes its file.
///
/// # Errors
/// [`CliError`].
pub(crate) fn run(id: String, output: &FileOptions, json: bool) -> Result<Outcome, CliError> {
    let mut session = super::attach(SessionId(id))?;
    let transaction = session.file().spec.header.target.given.clone();
    let destination = Destination::check(output, || xray_report::default_file_name(&transaction))?;
    let interrupts = Interrupts::watch()?;
    if live::wait(&mut session, &interrupts)? == End::GivenUp {
        console::note("the session goes on; fetch it again, or end it with `xray session stop`");
        return Ok(Outcome::No);
    }
    file::deliver(&session, &destination, json)
}
