//! One trace as the table of the X-Ray talk: duration, share, segments, start.

use super::lines;
use super::page::Page;
use super::span::Span;
use super::table::{Column, Table};
use crate::model::TraceDetail;
use crate::view::numbers::{count, counted, duration, ms, percent, share};
use crate::view::outline::{FastTime, Row, outline};
use crate::view::place::place;
use crate::view::words::instant;

/// Segments shown unless everything is asked for.
const MOST: usize = 60;
/// From this width places have a column.
const PLACE_COLUMN: usize = 100;

pub(crate) fn draw(page: &mut Page, trace: &TraceDetail) {
    facts(page, trace);
    let most = if page.full() { usize::MAX } else { MOST };
    let rows = outline(trace, most);
    let with_place = page.width() >= PLACE_COLUMN;
    let (long, short) = (["Duration (ms)", "Start (ms)"], ["ms", "Start"]);
    let [duration_title, start_title] = if page.width() >= 80 { long } else { short };
    let mut columns = vec![Column::number(duration_title, 0), Column::number("%", 0), Column::name("Segment", 0)];
    if with_place {
        columns.push(Column::place("Where", 2));
    }
    columns.push(Column::number(start_title, 1));
    let mut table = Table::new(columns).anchored(2);
    let theme = page.theme();
    let indent = Indent::of(page.width());
    for row in &rows {
        let (time, ns, name, here, start, below) = match row {
            Row::Segment { depth, node, start_ns, duration_ns, arguments, problem } => {
                let of = &trace.nodes[*node];
                let style = match of.kind {
                    _ if *problem => theme.problem,
                    "function" | "transaction" => theme.strong,
                    _ => theme.segment,
                };
                let below = [of.detail.as_deref(), arguments.as_deref()].into_iter().flatten().map(|text| {
                    let sentence = Span::sentence(text, theme.faint);
                    Span::new(format!("{}  {}", indent.at(*depth), sentence.text()), theme.faint)
                });
                let below = below.collect();
                let name = Span::new(format!("{}{}", indent.at(*depth), of.marked_name()), style);
                let here = place(of.file.as_deref(), of.line);
                (ms(*duration_ns), Some(*duration_ns), name, here, ms(*start_ns), below)
            }
            Row::Fast { depth, calls, time } => {
                let text = format!("{}{}", indent.at(*depth), counted(*calls, "fast call", "fast calls"));
                let (time, ns) = match time {
                    FastTime::Exact(ns) => (ms(*ns), Some(*ns)),
                    FastTime::AtMost(ns) => (format!("≤{}", ms(*ns)), None),
                };
                (time, ns, Span::new(text, theme.faint), String::new(), String::new(), Vec::new())
            }
            Row::More { depth, segments, duration_ns } => {
                let text = format!("{}… {} more", indent.at(*depth), count(*segments));
                let name = Span::new(text, theme.faint);
                (ms(*duration_ns), Some(*duration_ns), name, String::new(), String::new(), Vec::new())
            }
        };
        let part = ns.map(|ns| percent(share(ns, trace.summary.duration_ns))).unwrap_or_default();
        let mut cells = vec![Span::plain(time), Span::plain(part), name];
        if with_place {
            cells.push(Span::new(here, theme.faint));
        }
        cells.push(Span::plain(start));
        table.row(cells, below);
    }
    page.heading("Segments");
    table.draw(page);
    legend(page, trace, &rows);
    lines::draw(page, &trace.samples);
}

fn facts(page: &mut Page, trace: &TraceDetail) {
    let theme = page.theme();
    let s = &trace.summary;
    let name = trace.nodes.first().map_or("transaction", |root| root.name.as_str());
    let status = s.status.map_or_else(String::new, |status| format!(", status {status}"));
    let title = format!("{name}: {}{status}, {} of CPU", duration(s.duration_ns), duration(s.cpu_ns));
    page.sentence("", &Span::sentence(title, theme.strong));
    let flags = s.flags();
    if !flags.is_empty() {
        page.sentence("! ", &Span::sentence(flags, theme.warning));
    }
    page.remark(format!(
        "Trace {}, started {}, worker {}, thread {}; {}.",
        s.id,
        instant(&s.started_at),
        s.process,
        s.thread,
        counted(s.calls, "call", "calls")
    ));
    for (key, value) in s.attributes.iter().filter(|(key, _)| *key != "incomplete") {
        page.line(&[Span::new(format!("  {key}: "), theme.faint), Span::plain(value)]);
    }
}

fn legend(page: &mut Page, trace: &TraceDetail, rows: &[Row]) {
    let mut lines = Vec::new();
    if rows.iter().any(|row| matches!(row, Row::Fast { .. })) {
        lines.push(format!(
            "Fast calls are shorter than {}: their number is exact, and their time too unless marked ≤.",
            duration(trace.timeline_threshold_ns)
        ));
    }
    if rows.iter().any(|row| matches!(row, Row::More { .. })) {
        lines.push("The longest segments are shown; --full shows all.".to_owned());
    }
    if trace.nodes.iter().any(|node| node.errors > 0) {
        lines.push("✗ ended by an exception.".to_owned());
    }
    if trace.paths_folded > 0 {
        lines.push(format!(
            "The trace was full: {} counted by function and not by path.",
            counted(trace.paths_folded, "call is", "calls are")
        ));
    }
    for line in lines {
        page.remark(line);
    }
}

/// Indentation that never takes the room of the names.
pub(crate) struct Indent {
    step: usize,
    most: usize,
}

impl Indent {
    pub(crate) fn of(width: usize) -> Self {
        Self { step: if width >= 100 { 2 } else { 1 }, most: width / 5 }
    }

    /// The white space before a name at this depth; deeper than there is room, the depth is written.
    pub(crate) fn at(&self, depth: usize) -> String {
        if depth * self.step <= self.most {
            " ".repeat(depth * self.step)
        } else {
            format!("{}{depth}› ", " ".repeat(self.most))
        }
    }
}
