//! `xray session`: start, watch, stop and fetch.

mod fetch;
mod file;
mod list;
mod live;
mod start;
mod status;
mod stop;

use crate::apps;
use crate::errors::{CliError, Outcome};
use crate::options::{Selection, SessionCommand};
use xray_core::control::coordinator::AppSession;
use xray_core::control::directory::AppDirectory;
use xray_core::control::protocol::SessionFile;
use xray_core::control::unix_now_ns;
use xray_core::model::SessionId;

/// Runs one of the subcommands.
///
/// # Errors
/// [`CliError`].
pub(crate) fn run(command: SessionCommand) -> Result<Outcome, CliError> {
    match command {
        SessionCommand::Start(options) => start::run(&options),
        SessionCommand::List { json } => list::run(json),
        SessionCommand::Status { selection, json } => status::run(&selection, json),
        SessionCommand::Stop { selection } => stop::run(&selection),
        SessionCommand::Fetch { id, output, json } => fetch::run(id, &output, json),
    }
}

/// The session that a user means: by its identity, else the one that an application is in now.
fn select(selection: &Selection) -> Result<AppSession, CliError> {
    if let Some(id) = &selection.id {
        return attach(SessionId(id.clone()));
    }
    let mut running: Vec<(AppDirectory, SessionFile)> = Vec::new();
    for app in apps::all()? {
        let wanted = selection.app.as_deref().is_none_or(|name| app.name().contains(name));
        if let Some(file) = app.current()?.filter(|_| wanted) {
            running.push((app, file));
        }
    }
    match (running.pop(), running.is_empty()) {
        (None, _) => {
            Err(CliError::Unavailable("no session is running: `xray session list` shows the last ones".to_owned()))
        }
        (Some((app, file)), true) => attach_in(app, &file.spec.header.id),
        (Some(_), false) => Err(CliError::Unavailable(
            "several sessions are running: give the id of one, `xray session list` shows them".to_owned(),
        )),
    }
}

fn attach(id: SessionId) -> Result<AppSession, CliError> {
    attach_in(apps::with_session(&id)?, &id)
}

fn attach_in(app: AppDirectory, id: &SessionId) -> Result<AppSession, CliError> {
    AppSession::attach(app, id)?
        .ok_or_else(|| CliError::Unavailable(format!("the files of session {} are damaged or gone", id.0)))
}

/// What a session's files say of its state, without asking its processes.
fn state_on_disk(file: &SessionFile, is_current: bool) -> &'static str {
    if file.recording(unix_now_ns()) {
        "recording"
    } else if is_current {
        "draining"
    } else {
        "finished"
    }
}
