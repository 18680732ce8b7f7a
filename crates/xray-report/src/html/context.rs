//! What the template places: text and lists, nothing left to work out.

use super::bars::{Histogram, Line};
use super::sections::{self, Component, Finding};
use super::trace::{DEEPEST, Trace};
use super::tree::Tree;
use crate::model::{Report, TraceReport, TreeReport};
use crate::view::clean::{clean, clean_line};
use crate::view::mechanisms::mechanisms;
use crate::view::seconds::Columns;
use crate::view::words;
use serde::Serialize;

/// Longest name, place or attribute on the page, in characters.
const LONGEST_NAME: usize = 160;
/// Longest statement or sentence.
const LONGEST_SENTENCE: usize = 400;
/// Columns of the charts over time.
const COLUMNS: usize = 120;

/// A name of the file, safe and not too long.
pub(super) fn name(text: &str) -> String {
    shorten(&clean(text), LONGEST_NAME)
}

/// A sentence or statement of the file, on one line, safe and not too long.
pub(super) fn sentence(text: &str) -> String {
    shorten(&clean_line(text), LONGEST_SENTENCE)
}

fn shorten(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// A table of text.
#[derive(Serialize)]
pub(super) struct Table {
    pub(super) head: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
    /// Rows left out.
    pub(super) more: Option<String>,
}

/// Everything on the page.
#[derive(Serialize)]
pub(super) struct Page {
    title: String,
    verdict: String,
    alerts: Vec<String>,
    findings: Vec<Finding>,
    requests: String,
    latency: Table,
    histogram: Option<Histogram>,
    over_time: Vec<Line>,
    over_time_end: String,
    components: Vec<Component>,
    traces: Table,
    full_traces: Vec<Trace>,
    kinds: Table,
    sampling: String,
    gil_waits: Table,
    call_waits: Table,
    trees: Vec<Tree>,
    cost: Vec<String>,
    decisions: Table,
    losses: Vec<String>,
    facts: Vec<(&'static str, String)>,
    processes: Table,
    mechanisms: Vec<String>,
    notes: Vec<String>,
    version: String,
    deepest: usize,
}

impl Page {
    pub(super) fn of(report: &Report, samples: &TreeReport, calls: &TreeReport, traces: &[TraceReport]) -> Self {
        let time = Columns::of(&report.series, report.session.duration_ns, COLUMNS);
        Self {
            title: name(&report.session.target.canonical),
            verdict: sentence(&report.verdict.text),
            alerts: sections::sentences(words::alerts(report)),
            findings: sections::findings(report),
            requests: words::requests(report),
            latency: sections::latency(report),
            histogram: Histogram::of(&report.latency),
            over_time: time.as_ref().map(Line::all).unwrap_or_default(),
            over_time_end: time.map(|t| format!("{} s", t.seconds)).unwrap_or_default(),
            components: sections::components(report),
            traces: sections::traces(report),
            full_traces: traces.iter().take(super::FULL_TRACES).map(|trace| Trace::of(&trace.trace)).collect(),
            kinds: sections::kinds(samples),
            sampling: words::sampling(report),
            gil_waits: sections::gil_waits(report, samples),
            call_waits: sections::call_waits(report, samples),
            trees: Tree::all(samples, calls),
            cost: sections::sentences(words::tracing_cost(&report.tracing_cost, report.session.limits.max_overhead)),
            decisions: sections::decisions(report),
            losses: sections::losses(report),
            facts: words::session(&report.session).into_iter().map(|(label, text)| (label, name(&text))).collect(),
            processes: sections::processes(report),
            mechanisms: sections::sentences(mechanisms(&report.session.processes)),
            notes: sections::notes(report),
            deepest: DEEPEST,
            version: format!("file format {}, report by xray {}", report.format_version, name(&report.xray_version)),
        }
    }
}
