//! `xray session status`.

use crate::console;
use crate::errors::{CliError, Outcome};
use crate::options::Selection;
use crate::ps::state_name;
use serde::Serialize;
use xray_core::control::coordinator::AppSession;
use xray_core::control::progress::AppProgress;
use xray_core::control::protocol::CapabilitiesMessage;
use xray_core::model::StoppedBy;

/// `xray.session/1`, of a session that may still run.
#[derive(Serialize)]
struct Status<'a> {
    schema: &'static str,
    id: &'a str,
    app: &'a str,
    transaction: &'a str,
    canonical: &'a str,
    state: &'static str,
    stopped_by: Option<&'static str>,
    elapsed_ns: u64,
    duration_ns: u64,
    matched: u64,
    traced: u64,
    control: u64,
    other: u64,
    errors: u64,
    in_flight: u32,
    samples: u64,
    lost: u64,
    p50_ns: Option<u64>,
    p95_ns: Option<u64>,
    overhead: f64,
    share: f64,
    processes: usize,
    gone: usize,
    silent: usize,
    capabilities: &'a [CapabilitiesMessage],
    refused: &'a [String],
    parts: usize,
}

/// Shows how a session goes.
///
/// # Errors
/// [`CliError`].
pub(crate) fn run(selection: &Selection, json: bool) -> Result<Outcome, CliError> {
    let mut session = super::select(selection)?;
    let progress = session.poll()?;
    let capabilities = session.capabilities();
    let status = status(&session, &progress, &capabilities);
    if json {
        console::write_json(&status)?;
    } else {
        console::write_stdout(text(&status, &progress).as_bytes())?;
    }
    Ok(Outcome::Done)
}

fn status<'a>(
    session: &'a AppSession,
    progress: &'a AppProgress,
    capabilities: &'a [CapabilitiesMessage],
) -> Status<'a> {
    let header = &session.file().spec.header;
    let percentile = |p| (progress.latency.count() > 0).then(|| progress.latency.percentile(p));
    Status {
        schema: "xray.session/1",
        id: &header.id.0,
        app: &header.app,
        transaction: &header.target.given,
        canonical: &header.target.canonical,
        state: state_name(progress.state),
        stopped_by: progress.stopped_by.map(reason_name),
        elapsed_ns: progress.elapsed_ns,
        duration_ns: header.limits.duration_ns,
        matched: progress.matched(),
        traced: progress.traced,
        control: progress.control,
        other: progress.other,
        errors: progress.errors,
        in_flight: progress.in_flight,
        samples: progress.samples,
        lost: progress.lost,
        p50_ns: percentile(50.0),
        p95_ns: percentile(95.0),
        overhead: progress.overhead,
        share: progress.share,
        processes: progress.processes,
        gone: progress.gone,
        silent: progress.silent,
        capabilities,
        refused: &progress.refused,
        parts: session.parts().map_or(0, |parts| parts.len()),
    }
}

fn text(status: &Status<'_>, progress: &AppProgress) -> String {
    let mut lines = vec![
        format!("session      {} on {}", status.id, status.transaction),
        format!("application  {}", status.app),
        format!(
            "state        {}{}",
            status.state,
            status.stopped_by.map(|by| format!(" (ended by {by})")).unwrap_or_default()
        ),
        format!("progress     {}", super::live::counts(progress, status.duration_ns, None)),
        format!("so far       {}", super::live::times(progress)),
        format!(
            "processes    {} in the session, {} gone, {} silent, {} parts",
            status.processes, status.gone, status.silent, status.parts
        ),
    ];
    for can in status.capabilities {
        lines.push(format!("tracer       {} ({}), clock {}", can.tracer.0, can.tracer.1, can.clock));
        lines.push(format!("sampler      {} ({})", can.sampler.0, can.sampler.1));
    }
    lines.extend(status.refused.iter().map(|reason| format!("refused      {reason}")));
    lines.iter().map(|line| format!("{}\n", crate::units::one_line(line))).collect()
}

/// As in JSON.
pub(crate) fn reason_name(by: StoppedBy) -> &'static str {
    match by {
        StoppedBy::Time => "time",
        StoppedBy::Traces => "traces",
        StoppedBy::User => "user",
        StoppedBy::Exit => "exit",
        StoppedBy::Refused => "refused",
        StoppedBy::Lost => "lost",
    }
}
