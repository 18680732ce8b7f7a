//! The trees of samples and calls.

use super::context::name;
use super::trace::DEEPEST;
use crate::model::TreeReport;
use crate::view::numbers::{count, ms, percent, share};
use crate::view::place::place;
use crate::view::stacks::{Direction, Pruning, StackRow, stacks, title};
use serde::Serialize;

const PRUNING: Pruning = Pruning { min_share: 0.01, rows: 80, fold_library: true };

/// One tree.
#[derive(Serialize)]
pub(super) struct Tree {
    title: String,
    /// Whether calls are exact numbers worth a column.
    exact: bool,
    rows: Vec<Row>,
}

#[derive(Default, Serialize)]
struct Row {
    class: &'static str,
    depth: usize,
    percent: String,
    own: String,
    ms: String,
    calls: String,
    name: String,
    place: String,
}

impl Tree {
    /// The trees of the page: samples of the target both ways, and the exact calls.
    pub(super) fn all(samples: &TreeReport, calls: &TreeReport) -> Vec<Self> {
        vec![
            Self::of(samples, Some("target"), Direction::TopDown),
            Self::of(samples, Some("target"), Direction::BottomUp),
            Self::of(calls, None, Direction::TopDown),
        ]
    }

    fn of(tree: &TreeReport, kind: Option<&str>, direction: Direction) -> Self {
        let drawn = stacks(tree, kind, direction, PRUNING);
        let part = |ns: u64| percent(share(ns, drawn.total_ns));
        let rows = drawn.rows.iter().map(|row| match row {
            StackRow::Frame { depth, name: function, file, line, count: calls, weight_ns, self_ns } => Row {
                class: if share(*self_ns, drawn.total_ns) >= 0.1 { "problem" } else { "" },
                depth: (*depth).min(DEEPEST),
                percent: part(*weight_ns),
                own: if *self_ns > 0 { part(*self_ns) } else { String::new() },
                ms: ms(*weight_ns),
                calls: count(*calls),
                name: name(function),
                place: name(&place(*file, *line)),
            },
            StackRow::Folded { depth, frames } => Row {
                class: "faint",
                depth: (*depth).min(DEEPEST),
                name: format!("⋮ {frames} library frames"),
                ..Row::default()
            },
            StackRow::More { depth, members, weight_ns } => Row {
                class: "faint",
                depth: (*depth).min(DEEPEST),
                percent: part(*weight_ns),
                ms: ms(*weight_ns),
                name: format!("… {} more", count(*members as u64)),
                ..Row::default()
            },
        });
        Self { title: title(tree, kind, direction), exact: tree.source == "calls", rows: rows.collect() }
    }
}
