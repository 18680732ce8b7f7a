//! One trace as a table of segments.

use super::context::{name, sentence};
use crate::model::{SampledLine, TraceDetail, TraceNode};
use crate::view::numbers::{count, counted, duration, ms, percent, share};
use crate::view::outline::{FastTime, Row, outline};
use crate::view::place::place;
use crate::view::states::main_state;
use crate::view::words::instant;
use serde::Serialize;

/// Segments of one trace on the page.
const SEGMENTS: usize = 120;
/// Deepest indentation; the style sheet has a class for each.
pub(super) const DEEPEST: usize = 30;
/// Sampled lines of one trace on the page.
const LINES: usize = 20;
/// Attributes of one trace on the page.
const ATTRIBUTES: usize = 20;

/// One trace.
#[derive(Serialize)]
pub(super) struct Trace {
    id: String,
    title: String,
    flags: String,
    facts: String,
    attributes: Vec<(String, String)>,
    rows: Vec<Segment>,
    /// Of fast calls, if there are any.
    threshold: Option<String>,
    limited: bool,
    lines: Vec<Line>,
    sampled: String,
}

/// One sampled line.
#[derive(Serialize)]
struct Line {
    self_ms: String,
    ms: String,
    state: &'static str,
    name: String,
    place: String,
}

/// One line of its table.
#[derive(Default, Serialize)]
struct Segment {
    class: &'static str,
    depth: usize,
    ms: String,
    percent: String,
    name: String,
    detail: Option<String>,
    place: String,
    start: String,
}

impl Trace {
    pub(super) fn of(trace: &TraceDetail) -> Self {
        let s = &trace.summary;
        let rows = outline(trace, SEGMENTS);
        let root = trace.nodes.first().map_or("transaction", |root| root.name.as_str());
        let status = s.status.map_or_else(String::new, |status| format!(", status {status}"));
        let attributes = s.attributes.iter().filter(|(key, _)| *key != "incomplete").take(ATTRIBUTES);
        Self {
            id: name(&s.id),
            title: format!("{}: {}{status}", name(root), duration(s.duration_ns)),
            flags: name(&s.flags()),
            facts: name(&format!(
                "{} of CPU, started {}, worker {}, thread {}, {}",
                duration(s.cpu_ns),
                instant(&s.started_at),
                s.process,
                s.thread,
                counted(s.calls, "call", "calls")
            )),
            attributes: attributes.map(|(key, value)| (name(key), name(value))).collect(),
            limited: rows.iter().any(|row| matches!(row, Row::More { .. })),
            rows: rows.iter().map(|row| Segment::of(row, trace)).collect(),
            threshold: rows
                .iter()
                .any(|row| matches!(row, Row::Fast { .. }))
                .then(|| duration(trace.timeline_threshold_ns)),
            lines: trace.samples.lines.iter().filter(|line| line.self_count > 0).take(LINES).map(Line::of).collect(),
            sampled: counted(trace.samples.count, "sample", "samples"),
        }
    }
}

impl Line {
    fn of(line: &SampledLine) -> Self {
        Self {
            self_ms: ms(line.self_ns),
            ms: ms(line.ns),
            state: main_state(&line.self_states_ns),
            name: name(&line.name),
            place: name(&place(line.file.as_deref(), line.line)),
        }
    }
}

impl Segment {
    fn of(row: &Row, trace: &TraceDetail) -> Self {
        let part = |ns: u64| percent(share(ns, trace.summary.duration_ns));
        match row {
            Row::Segment { depth, node, start_ns, duration_ns, arguments, problem } => {
                let of = &trace.nodes[*node];
                Self {
                    class: if *problem { "problem" } else { class(of) },
                    depth: (*depth).min(DEEPEST),
                    ms: ms(*duration_ns),
                    percent: part(*duration_ns),
                    name: name(&of.marked_name()),
                    detail: of.detail.as_deref().or(arguments.as_deref()).map(sentence),
                    place: name(&place(of.file.as_deref(), of.line)),
                    start: ms(*start_ns),
                }
            }
            Row::Fast { depth, calls, time } => {
                let (ms, percent) = match time {
                    FastTime::Exact(ns) => (ms(*ns), part(*ns)),
                    FastTime::AtMost(ns) => (format!("≤{}", ms(*ns)), String::new()),
                };
                let name = counted(*calls, "fast call", "fast calls");
                Self { class: "faint", depth: (*depth).min(DEEPEST), ms, percent, name, ..Self::default() }
            }
            Row::More { depth, segments, duration_ns } => Self {
                class: "faint",
                depth: (*depth).min(DEEPEST),
                ms: ms(*duration_ns),
                percent: part(*duration_ns),
                name: format!("… {} more", count(*segments)),
                ..Self::default()
            },
        }
    }
}

fn class(node: &TraceNode) -> &'static str {
    if matches!(node.kind, "function" | "transaction") { "" } else { "segment" }
}
