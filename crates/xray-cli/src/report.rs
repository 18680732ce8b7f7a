//! `xray report`: one session as text, JSON, or a page.

use crate::errors::{CliError, Outcome};
use crate::options::{Color, ReportOptions, TreeSource, View};
use crate::output::Destination;
use crate::{console, load};
use std::path::Path;
use xray_core::model::SessionData;
use xray_report::model::TraceReport;
use xray_report::text::{self, Direction, Theme};
use xray_report::{build, html, json};

/// Columns when the output is no terminal.
const PIPED_WIDTH: usize = 100;

/// Shows the report of the merged files.
///
/// # Errors
/// [`CliError`].
pub(crate) fn run(options: &ReportOptions) -> Result<Outcome, CliError> {
    let destination = options.html.as_ref().map(|file| Destination::check(file, String::new)).transpose()?;
    let session = read(options)?;
    match destination {
        Some(destination) => {
            if let Some(path) = destination.write(page(&session).as_bytes())? {
                console::note(&format!("wrote {}: open it in a browser", path.display()));
            }
        }
        None => console::write_stdout(show(&session, options)?.as_bytes())?,
    }
    Ok(Outcome::Done)
}

fn read(options: &ReportOptions) -> Result<SessionData, CliError> {
    let named = |path: &Path| Ok((path.display().to_string(), load::bytes(path)?));
    let files = options.files.iter().map(|path| named(path)).collect::<Result<Vec<_>, CliError>>()?;
    load::session(&files)
}

fn show(session: &SessionData, options: &ReportOptions) -> Result<String, CliError> {
    let style = style(options);
    Ok(match &options.view {
        View::Report if options.json => json::to_line(&build::report(session)),
        View::Report => {
            let samples = build::tree(session, build::TreeSource::Samples);
            let calls = build::tree(session, build::TreeSource::Calls);
            text::report(&build::report(session), &samples, &calls, &style)
        }
        View::Trace(id) => {
            let trace = trace(session, id)?;
            if options.json { json::to_line(&trace) } else { text::trace(&trace, &style) }
        }
        View::Tree { source, bottom_up, by_cpu } => {
            let source = match source {
                TreeSource::Samples => build::TreeSource::Samples,
                TreeSource::Calls => build::TreeSource::Calls,
            };
            let direction = if *bottom_up { Direction::BottomUp } else { Direction::TopDown };
            let by_cpu = *by_cpu && source == build::TreeSource::Samples;
            let tree = build::tree(session, source);
            let tree = if by_cpu { tree.by_cpu() } else { tree };
            if options.json { json::to_line(&tree) } else { text::tree(&tree, direction, &style) }
        }
    })
}

/// The trace with this id, or the only one whose id begins so.
fn trace(session: &SessionData, id: &str) -> Result<TraceReport, CliError> {
    if let Some(trace) = build::trace(session, id) {
        return Ok(trace);
    }
    let ids: Vec<String> = build::report(session).traces.into_iter().map(|trace| trace.id).collect();
    let fits: Vec<&String> = ids.iter().filter(|known| known.starts_with(id)).collect();
    match fits.as_slice() {
        [only] => build::trace(session, only),
        _ => None,
    }
    .ok_or_else(|| {
        let problem =
            if fits.len() > 1 { "is the beginning of several traces' ids" } else { "is no trace of this session" };
        let slowest = ids.first().map_or("it has none".to_owned(), |id| format!("the slowest is {id}"));
        CliError::File(format!("{id} {problem}; {slowest}, the report lists all"))
    })
}

fn page(session: &SessionData) -> String {
    let report = build::report(session);
    let samples = build::tree(session, build::TreeSource::Samples);
    let calls = build::tree(session, build::TreeSource::Calls);
    let slowest = report.traces.iter().take(html::FULL_TRACES);
    let traces: Vec<_> = slowest.filter_map(|trace| build::trace(session, &trace.id)).collect();
    html::page(&report, &samples, &calls, &traces)
}

fn style(options: &ReportOptions) -> text::Options {
    let colored = match options.color {
        Color::Always => true,
        Color::Never => false,
        // NO_COLOR, CLICOLOR, TERM=dumb and pipes, as everywhere.
        Color::Auto => anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never,
    };
    text::Options {
        width: options.width.or_else(console::stdout_width).unwrap_or(PIPED_WIDTH),
        theme: if colored { Theme::coloured() } else { Theme::plain() },
        full: options.full,
    }
}
