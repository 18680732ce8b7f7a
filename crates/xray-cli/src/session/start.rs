//! `xray session start`.

use super::file;
use super::live::{self, End};
use crate::errors::{CliError, Outcome};
use crate::interrupt::Interrupts;
use crate::options::StartOptions;
use crate::output::Destination;
use crate::{apps, console, units};
use serde::Serialize;
use xray_core::control::coordinator::{AppSession, StartError, start};
use xray_core::control::protocol::{SessionRequest, TransactionSummary};

/// `xray.session/1`, of a session that was left running.
#[derive(Serialize)]
struct Detached<'a> {
    schema: &'static str,
    id: &'a str,
    app: &'a str,
    transaction: &'a str,
    canonical: &'a str,
    state: &'static str,
}

/// Starts a session, watches it, writes its file.
///
/// # Errors
/// [`CliError`].
pub(crate) fn run(options: &StartOptions) -> Result<Outcome, CliError> {
    // Before the session starts: whoever cannot keep the result should not pay for it.
    let destination = match options.detach {
        true => None,
        false => Some(Destination::check(&options.output, || xray_report::default_file_name(&options.transaction))?),
    };
    let app = apps::choose(options.app.as_deref())?;
    let request = SessionRequest {
        transaction: options.transaction.clone(),
        limits: options.limits.clone(),
        seed: options.seed,
        unseen: options.unseen,
    };
    let interrupts = Interrupts::watch()?;
    let app_name = app.name().to_owned();
    let mut session = start(app, &request).map_err(|error| explain(error, &app_name))?;
    let Some(destination) = destination else {
        return detach(&session, options.json);
    };
    if live::watch(&mut session, &interrupts)? == End::GivenUp {
        // A second Ctrl-C: what there is, without waiting for the rest.
        session.end()?;
    }
    file::deliver(&session, &destination, options.json)
}

fn detach(session: &AppSession, json: bool) -> Result<Outcome, CliError> {
    let header = &session.file().spec.header;
    let id = &header.id.0;
    if json {
        console::write_json(&Detached {
            schema: "xray.session/1",
            id,
            app: &header.app,
            transaction: &header.target.given,
            canonical: &header.target.canonical,
            state: "recording",
        })?;
    } else {
        let time = units::clock(header.limits.duration_ns);
        console::note(&format!(
            "recording {} for {time}; get it with: xray session fetch {id} -o FILE",
            header.target.given
        ));
        console::write_stdout(format!("{id}\n").as_bytes())?;
    }
    Ok(Outcome::Done)
}

fn explain(error: StartError, app: &str) -> CliError {
    CliError::Unavailable(match error {
        StartError::UnknownTransaction { given, nearest } => {
            let near = match nearest.as_slice() {
                [] => "it has served none yet".to_owned(),
                names => format!("nearest: {}", names.iter().map(with_rate).collect::<Vec<_>>().join(", ")),
            };
            format!("{app:?} knows no transaction {given:?}; {near}; --unseen waits for it all the same")
        }
        StartError::Running(file) => {
            let header = &file.spec.header;
            let left = file.ends_unix_ns.saturating_sub(xray_core::control::unix_now_ns());
            format!(
                "{app:?} is already in session {} on {} ({} left): wait, or end it with `xray session stop {}`",
                header.id.0,
                header.target.given,
                units::clock(left),
                header.id.0
            )
        }
        other => other.to_string(),
    })
}

fn with_rate(transaction: &TransactionSummary) -> String {
    format!("{} ({}/min)", transaction.name, units::rate(transaction.per_minute))
}

#[cfg(test)]
mod tests {}
