//! `xray session list`.

use crate::errors::{CliError, Outcome};
use crate::table::{self, Align};
use crate::{apps, console, units};
use serde::Serialize;
use xray_core::control::protocol::SessionFile;
use xray_core::model::StoppedBy;

/// `xray.sessions/1`.
#[derive(Serialize)]
struct Sessions {
    schema: &'static str,
    sessions: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    id: String,
    app: String,
    transaction: String,
    state: &'static str,
    started_at: String,
    duration_ns: u64,
    stopped_by: Option<StoppedBy>,
    parts: usize,
}

/// Lists all sessions whose files are still there, oldest first.
///
/// # Errors
/// [`CliError`].
pub(crate) fn run(json: bool) -> Result<Outcome, CliError> {
    let mut rows = Vec::new();
    for app in apps::all()? {
        let current = app.current().ok().flatten().map(|file| file.spec.header.id);
        for file in app.sessions()? {
            let is_current = current.as_ref() == Some(&file.spec.header.id);
            let parts = app.session(&file.spec.header.id)?.and_then(|session| session.parts().ok());
            rows.push(row(file, is_current, parts.map_or(0, |parts| parts.len())));
        }
    }
    if json {
        console::write_json(&Sessions { schema: "xray.sessions/1", sessions: rows })?;
        return Ok(Outcome::Done);
    }
    if rows.is_empty() {
        console::note("no session yet: xray session start --transaction NAME");
        return Ok(Outcome::Done);
    }
    let columns = [
        ("ID", Align::Left),
        ("APPLICATION", Align::Left),
        ("TRANSACTION", Align::Left),
        ("STATE", Align::Left),
        ("STARTED", Align::Left),
        ("TIME", Align::Right),
        ("PARTS", Align::Right),
    ];
    table::write(&columns, rows.into_iter().map(cells).collect())?;
    Ok(Outcome::Done)
}

fn row(file: SessionFile, is_current: bool, parts: usize) -> Row {
    let state = super::state_on_disk(&file, is_current);
    let header = file.spec.header;
    Row {
        id: header.id.0,
        app: header.app,
        transaction: header.target.given,
        state,
        started_at: instant(header.started_unix_ns),
        duration_ns: header.limits.duration_ns,
        stopped_by: file.stopped_by,
        parts,
    }
}

fn cells(row: Row) -> Vec<String> {
    let time = units::clock(row.duration_ns);
    vec![row.id, row.app, row.transaction, row.state.to_owned(), row.started_at, time, row.parts.to_string()]
}

/// RFC 3339, UTC, whole seconds.
fn instant(unix_ns: u64) -> String {
    let seconds = i64::try_from(unix_ns / 1_000_000_000).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| "?".to_owned(), |t| t.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}
