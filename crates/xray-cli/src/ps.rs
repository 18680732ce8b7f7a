//! `xray ps`: the processes that have an agent.

use crate::errors::{CliError, Outcome};
use crate::options::PsOptions;
use crate::table::{self, Align};
use crate::{apps, console, units};
use serde::Serialize;
use xray_core::control::protocol::AgentState;
use xray_core::control::survey::{self, Process};
use xray_core::control::unix_now_ns;
use xray_core::model::SessionId;

/// `xray.processes/1`.
#[derive(Serialize)]
struct Processes<'a> {
    schema: &'static str,
    processes: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    app: &'a str,
    pid: u32,
    python: Option<&'a str>,
    framework: Option<&'a str>,
    xray_version: Option<&'a str>,
    uptime_ns: Option<u64>,
    state: Option<AgentState>,
    session: Option<&'a SessionId>,
    /// Why the process says nothing.
    problem: Option<String>,
}

/// Lists the processes; no application at all is an answer, too.
///
/// # Errors
/// [`CliError`].
pub(crate) fn run(options: &PsOptions) -> Result<Outcome, CliError> {
    let mut found: Vec<(String, Process)> = Vec::new();
    for app in apps::all()? {
        found.extend(survey::processes(&app)?.into_iter().map(|process| (app.name().to_owned(), process)));
    }
    let rows: Vec<Row<'_>> = found.iter().map(|(app, process)| row(app, process)).collect();
    if options.json {
        console::write_json(&Processes { schema: "xray.processes/1", processes: rows })?;
        return Ok(Outcome::Done);
    }
    if rows.is_empty() {
        console::note("no process has an agent; it starts with the first request of `xray run -- PROGRAM`");
        return Ok(Outcome::Done);
    }
    let columns = [
        ("APPLICATION", Align::Left),
        ("PID", Align::Right),
        ("PYTHON", Align::Left),
        ("FRAMEWORK", Align::Left),
        ("UP", Align::Right),
        ("STATE", Align::Left),
        ("SESSION", Align::Left),
    ];
    table::write(&columns, rows.iter().map(cells).collect())?;
    Ok(Outcome::Done)
}

fn row<'a>(app: &'a str, process: &'a Process) -> Row<'a> {
    let info = process.info.as_ref().ok();
    Row {
        app,
        pid: process.pid,
        python: info.map(|i| i.python.as_str()),
        framework: info.and_then(|i| i.framework.as_deref()),
        xray_version: info.map(|i| i.version.as_str()),
        uptime_ns: info.map(|i| unix_now_ns().saturating_sub(i.started_unix_ns)),
        state: process.state,
        session: info.and_then(|i| i.session.as_ref()),
        problem: process.info.as_ref().err().map(ToString::to_string),
    }
}

fn cells(row: &Row<'_>) -> Vec<String> {
    let text = |value: Option<&str>| value.unwrap_or("-").to_owned();
    let state = match (&row.problem, row.state) {
        (Some(problem), _) => problem.clone(),
        (None, Some(state)) => state_name(state).to_owned(),
        (None, None) => "-".to_owned(),
    };
    vec![
        row.app.to_owned(),
        row.pid.to_string(),
        text(row.python),
        text(row.framework),
        row.uptime_ns.map_or_else(|| "-".to_owned(), units::clock),
        state,
        text(row.session.map(|id| id.0.as_str())),
    ]
}

/// As in JSON.
pub(crate) fn state_name(state: AgentState) -> &'static str {
    match state {
        AgentState::Idle => "idle",
        AgentState::Armed => "armed",
        AgentState::Recording => "recording",
        AgentState::Draining => "draining",
        AgentState::Finished => "finished",
    }
}
