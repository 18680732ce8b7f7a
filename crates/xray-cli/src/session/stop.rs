//! `xray session stop`.

use crate::console;
use crate::errors::{CliError, Outcome};
use crate::options::Selection;
use xray_core::control::unix_now_ns;
use xray_core::model::StoppedBy;

/// Ends recording in all processes. Who watches the session writes its file; a detached one is fetched.
///
/// # Errors
/// [`CliError`].
pub(crate) fn run(selection: &Selection) -> Result<Outcome, CliError> {
    let mut session = super::select(selection)?;
    let id = session.directory().id().0.clone();
    if !session.file().recording(unix_now_ns()) {
        console::note(&format!("session {id} has ended already; get it with: xray session fetch {id} -o FILE"));
        return Ok(Outcome::Done);
    }
    session.stop(StoppedBy::User)?;
    console::note(&format!("stopped session {id}; if nobody watches it: xray session fetch {id} -o FILE"));
    Ok(Outcome::Done)
}
