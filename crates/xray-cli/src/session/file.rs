//! From the parts of a session to its file.

use crate::console;
use crate::errors::{CliError, Outcome};
use crate::load;
use crate::output::Destination;
use crate::units::count;
use serde::Serialize;
use std::path::PathBuf;
use xray_core::control::coordinator::AppSession;
use xray_core::model::{ProcessEnd, SessionData};

/// `xray.session/1`: what `--json` prints of a session at its end.
#[derive(Serialize)]
struct Finished<'a> {
    schema: &'static str,
    id: &'a str,
    app: &'a str,
    transaction: &'a str,
    file: Option<PathBuf>,
    stopped_by: &'static str,
    processes: usize,
    matched: u64,
    traced: u64,
    control: u64,
    other: u64,
    errors: u64,
    traces: usize,
    samples: u64,
    recovered: bool,
}

/// Merges the parts, writes the file, and says in two lines what is in it.
///
/// # Errors
/// [`CliError`] that says how to fetch the file later.
pub(crate) fn deliver(session: &AppSession, destination: &Destination, json: bool) -> Result<Outcome, CliError> {
    let data = merged(session)?;
    let id = &session.directory().id().0;
    let later = |error: CliError| match error {
        CliError::File(problem) => {
            CliError::File(format!("{problem}; the session is kept: xray session fetch {id} -o FILE"))
        }
        other => other,
    };
    let bytes = xray_core::format::write(&data)
        .map_err(|error| later(CliError::File(format!("cannot write the session: {error}"))))?;
    let path = destination.write(&bytes).map_err(later)?;
    tell(&data, path, json)?;
    Ok(if data.requests.matched() == 0 { Outcome::No } else { Outcome::Done })
}

fn merged(session: &AppSession) -> Result<SessionData, CliError> {
    let id = &session.directory().id().0;
    let mut parts = Vec::new();
    for path in session.parts()? {
        match load::bytes(&path) {
            Ok(bytes) => parts.push((path.display().to_string(), bytes)),
            Err(problem) => console::note(&format!("xray: a part is left out: {problem}")),
        }
    }
    // A process that was killed while it began its part left nothing that can be read.
    load::session(&parts).map_err(|problem| {
        CliError::Unavailable(format!(
            "no process has recorded anything in session {id}: look at `xray ps`, start again ({problem})"
        ))
    })
}

fn tell(data: &SessionData, path: Option<PathBuf>, json: bool) -> Result<(), CliError> {
    let requests = &data.requests;
    if json {
        return console::write_json(&Finished {
            schema: "xray.session/1",
            id: &data.header.id.0,
            app: &data.header.app,
            transaction: &data.header.target.given,
            file: path,
            stopped_by: super::status::reason_name(data.stopped_by),
            processes: data.processes.len(),
            matched: requests.matched(),
            traced: requests.traced,
            control: requests.control,
            other: requests.other,
            errors: requests.errors,
            traces: data.traces.len(),
            samples: data.sample_stats.count,
            recovered: data.recovered,
        });
    }
    let lost = data.processes.iter().filter(|p| p.end == ProcessEnd::Lost).count();
    let lost = if lost > 0 { format!(" ({lost} killed)") } else { String::new() };
    let processes = format!("{}{lost}", count(data.processes.len() as u64, "process", "processes"));
    let target = &data.header.target.given;
    if requests.matched() == 0 {
        let other = count(requests.other, "other transaction", "other transactions");
        console::note(&format!("nothing matched {target}: {other} in {processes}"));
    } else {
        console::note(&format!(
            "{target}: {} matched ({} traced, {} only timed, {}), {} other; kept {} and {} of {processes}",
            requests.matched(),
            requests.traced,
            requests.control,
            count(requests.errors, "error", "errors"),
            requests.other,
            count(data.traces.len() as u64, "trace", "traces"),
            count(data.sample_stats.count, "sample", "samples"),
        ));
    }
    match path {
        Some(path) => console::note(&format!("wrote {0}: xray report {0}", path.display())),
        None => console::note("wrote the session to standard output"),
    }
    Ok(())
}
