//! Trees of samples and calls.

use super::page::Page;
use super::span::Span;
use super::table::{Column, Table};
use super::trace::Indent;
use crate::model::{Report, TreeReport};
use crate::view::numbers::{count, duration, ms, percent, share};
use crate::view::place::place;
use crate::view::stacks::{Direction, Pruning, StackRow, kind_totals, stacks, title};
use crate::view::waits::{for_gil, in_calls};
use crate::view::words::{sampling, thread_kind};

/// Lines of a tree inside the report.
const IN_REPORT: usize = 30;
/// Lines of a tree drawn by itself.
const ALONE: usize = 100;
/// Smallest share with a line of its own.
const MIN_SHARE: f64 = 0.01;
/// From this width places have a column.
const PLACE_COLUMN: usize = 80;

/// The trees of the report: samples both ways, and the exact calls.
pub(crate) fn sections(page: &mut Page, report: &Report, samples: &TreeReport, calls: &TreeReport) {
    page.heading("Samples by thread kind");
    kinds(page, samples);
    page.remark(sampling(report));
    waits(page, report, samples);
    for direction in [Direction::TopDown, Direction::BottomUp] {
        part(page, samples, Some("target"), direction, IN_REPORT);
    }
    part(page, calls, None, Direction::TopDown, IN_REPORT);
}

/// One tree by itself.
pub(crate) fn draw(page: &mut Page, tree: &TreeReport, direction: Direction) {
    if tree.source != "samples" {
        part(page, tree, None, direction, ALONE);
        return;
    }
    page.heading("Samples by thread kind");
    kinds(page, tree);
    let totals = kind_totals(tree);
    let all = page.full() || totals.iter().all(|total| total.kind != "target");
    for total in totals.iter().filter(|total| all || total.kind == "target") {
        part(page, tree, Some(total.kind), direction, ALONE);
    }
    if !all && totals.len() > 1 {
        page.remark("The matching requests only; --full draws the other kinds too.");
    }
}

fn kinds(page: &mut Page, tree: &TreeReport) {
    let totals = kind_totals(tree);
    if totals.is_empty() {
        page.remark("No samples were taken.");
        return;
    }
    let whole = totals.iter().fold(0, |sum: u64, total| sum.saturating_add(total.weight_ns));
    let mut table = Table::new(vec![
        Column::word("Threads in", 0),
        Column::number("Samples", 0),
        Column::number("Time", 1),
        Column::number("%", 0),
        Column::number("On CPU", 0),
        Column::number("GIL wait", 0),
        Column::number("Core wait", 2),
        Column::number("Blocked", 1),
    ]);
    for total in &totals {
        table.row(
            [
                thread_kind(total.kind).to_owned(),
                count(total.count),
                duration(total.weight_ns),
                percent(share(total.weight_ns, whole)),
            ]
            .into_iter()
            .chain(total.states.map(|ns| percent(share(ns, total.weight_ns))))
            .map(Span::plain)
            .collect(),
            vec![],
        );
    }
    table.draw(page);
}

fn waits(page: &mut Page, report: &Report, samples: &TreeReport) {
    let full = page.full();
    for (title, on, detail, rows) in [
        ("Waited for the GIL", "Held by thread", "In", for_gil(report, samples, full)),
        ("Blocked", "System call", "Note", in_calls(report, samples, full)),
    ] {
        if rows.is_empty() {
            continue;
        }
        page.heading(title);
        let mut columns = vec![
            Column::word("Threads in", 0),
            Column::number("Time", 1),
            Column::number("% of theirs", 0),
            Column::name(on, 0),
            Column::name(detail, 0),
        ];
        let with_place = rows.iter().any(|row| !row.place.is_empty());
        if with_place {
            columns.push(Column::place("Where", 2));
        }
        let mut table = Table::new(columns);
        for row in rows {
            let place = with_place.then(|| Span::new(row.place, page.theme().faint));
            let cells = [row.threads, row.time, row.percent, row.on.to_owned(), row.detail.to_owned()];
            table.row(cells.map(Span::plain).into_iter().chain(place).collect(), vec![]);
        }
        table.draw(page);
    }
}

fn part(page: &mut Page, tree: &TreeReport, kind: Option<&str>, direction: Direction, lines: usize) {
    page.heading(&title(tree, kind, direction));
    let pruning = if page.full() {
        Pruning { min_share: 0.0, rows: usize::MAX, fold_library: false }
    } else {
        Pruning { min_share: MIN_SHARE, rows: lines, fold_library: true }
    };
    let drawn = stacks(tree, kind, direction, pruning);
    if drawn.rows.is_empty() {
        page.remark(if tree.source == "calls" { "No request was traced." } else { "No samples here." });
        return;
    }
    let with_place = page.width() >= PLACE_COLUMN;
    let exact = tree.source == "calls";
    let mut columns = vec![Column::number("%", 0), Column::number("Self %", 1)];
    if exact {
        columns.extend([Column::number("ms", 2), Column::number("Calls", 3)]);
    }
    columns.push(Column::name("Function", 0));
    if with_place {
        columns.push(Column::place("Where", 4));
    }
    let mut table = Table::new(columns);
    let theme = page.theme();
    let indent = Indent::of(page.width());
    let part_of = |ns: u64| percent(share(ns, drawn.total_ns));
    for row in &drawn.rows {
        // %, self %, ms, calls, function, place
        let cells = match row {
            StackRow::Frame { depth, name, file, line, count: calls, weight_ns, self_ns } => {
                let own = if *self_ns > 0 { part_of(*self_ns) } else { String::new() };
                let hot = share(*self_ns, drawn.total_ns) >= 0.1;
                let name = format!("{}{name}", indent.at(*depth));
                let name = Span::new(name, if hot { theme.problem } else { theme.strong });
                let here = Span::new(place(*file, *line), theme.faint);
                [part_of(*weight_ns), own, ms(*weight_ns), count(*calls)]
                    .map(Span::plain)
                    .into_iter()
                    .chain([name, here])
            }
            StackRow::Folded { depth, frames } => {
                let text = format!("{}⋮ {frames} library frames", indent.at(*depth));
                [""; 4].map(Span::plain).into_iter().chain([Span::new(text, theme.faint), Span::plain("")])
            }
            StackRow::More { depth, members, weight_ns } => {
                let text = format!("{}… {} more", indent.at(*depth), count(*members as u64));
                let name = Span::new(text, theme.faint);
                [part_of(*weight_ns), String::new(), ms(*weight_ns), String::new()]
                    .map(Span::plain)
                    .into_iter()
                    .chain([name, Span::plain("")])
            }
        };
        let wanted = [true, true, exact, exact, true, with_place];
        table.row(cells.zip(wanted).filter_map(|(cell, wanted)| wanted.then_some(cell)).collect(), vec![]);
    }
    table.draw(page);
}
