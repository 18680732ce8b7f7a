//! Trees of samples or calls as lines: merged by function, pruned, with runs of library frames folded.

mod arena;

use super::words::thread_kind;
use crate::model::{TreeNode, TreeReport};
use arena::Arena;

/// Which way a tree is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the outermost frame to what it called.
    TopDown,
    /// From the functions that ran to their callers.
    BottomUp,
}

/// How much of a tree is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pruning {
    /// Smallest share of the whole that has a line of its own.
    pub(crate) min_share: f64,
    /// Most lines.
    pub(crate) rows: usize,
    /// Whether runs of library frames fold to one line.
    pub(crate) fold_library: bool,
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum StackRow<'a> {
    /// A function on its path.
    Frame {
        depth: usize,
        name: &'a str,
        file: Option<&'a str>,
        /// The line with the most time of its own, else of all its time.
        line: Option<u32>,
        count: u64,
        weight_ns: u64,
        self_ns: u64,
    },
    /// Library frames with one callee each.
    Folded { depth: usize, frames: usize },
    /// What was left out here.
    More { depth: usize, members: usize, weight_ns: u64 },
}

/// A tree ready to be drawn.
#[derive(Debug, PartialEq)]
pub(crate) struct Stacks<'a> {
    /// Time of the whole.
    pub(crate) total_ns: u64,
    /// The lines.
    pub(crate) rows: Vec<StackRow<'a>>,
}

/// Samples and time of one kind of thread.
#[derive(Debug, PartialEq)]
pub(crate) struct KindTotal {
    pub(crate) kind: &'static str,
    pub(crate) count: u64,
    pub(crate) weight_ns: u64,
    /// Time of the samples by state, in this order: on the CPU, waiting for the GIL, waiting for a core, blocked.
    pub(crate) states: [u64; 4],
}

/// The kinds of threads, in this order, that have samples.
pub(crate) fn kind_totals(tree: &TreeReport) -> Vec<KindTotal> {
    let roots = || tree.nodes.iter().enumerate().filter(|(at, node)| parent_of(node, *at).is_none());
    ["target", "web", "background", "other"]
        .into_iter()
        .map(|kind| {
            let own = || roots().filter(|(_, node)| node.thread_kind == Some(kind));
            KindTotal {
                kind,
                count: own().fold(0, |sum, (_, n)| sum.saturating_add(n.count)),
                weight_ns: own().fold(0, |sum, (_, n)| sum.saturating_add(n.weight_ns)),
                states: tree
                    .nodes
                    .iter()
                    .filter(|node| node.thread_kind == Some(kind))
                    .filter_map(|node| node.self_states_ns)
                    .map(|s| [s.on_cpu, s.waiting_for_gil, s.waiting_for_core, s.blocked])
                    .fold([0; 4], |sum: [u64; 4], s| std::array::from_fn(|at| sum[at].saturating_add(s[at]))),
            }
        })
        .filter(|total| total.count > 0)
        .collect()
}

/// What a drawing of a tree is called.
pub(crate) fn title(tree: &TreeReport, kind: Option<&str>, direction: Direction) -> String {
    let way = match direction {
        Direction::TopDown => "top-down",
        Direction::BottomUp => "bottom-up, by own time",
    };
    match kind {
        Some(kind) => format!("Where samples were: {}, {way}", thread_kind(kind)),
        None if tree.source == "calls" => format!("Calls of all traced requests, exact, {way}"),
        None => format!("Where samples were, {way}"),
    }
}

/// The tree, or only what one kind of thread did.
pub(crate) fn stacks<'a>(
    tree: &'a TreeReport,
    kind: Option<&str>,
    direction: Direction,
    pruning: Pruning,
) -> Stacks<'a> {
    let mut arena = Arena::default();
    match direction {
        Direction::TopDown => arena.fill_top_down(&tree.nodes, kind),
        Direction::BottomUp => arena.fill_bottom_up(&tree.nodes, kind),
    }
    // Folding library frames makes room for others: begin with more frames than there are lines.
    for surplus in [8, 4, 2] {
        let drawn = arena.draw(pruning, pruning.rows.saturating_mul(surplus));
        if drawn.rows.len() <= pruning.rows {
            return drawn;
        }
    }
    arena.draw(pruning, pruning.rows)
}

fn parent_of(node: &TreeNode, at: usize) -> Option<usize> {
    usize::try_from(node.parent).ok().filter(|parent| *parent < at)
}

#[cfg(test)]
mod tests;
