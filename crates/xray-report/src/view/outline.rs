//! A trace as an indented table: timeline entries nested by containment, folded calls as lines of their own.

use super::numbers::share;
use crate::model::{TimelineEntry, TraceDetail, TraceNode};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use xray_core::limits::TIMELINE_ENTRIES;

/// A segment at or above this share of the trace is always shown and marked: the critical path.
pub(crate) const PROBLEM_SHARE: f64 = 0.25;

/// Entries looked at. No recorder writes more than [`TIMELINE_ENTRIES`]; a file made by hand may hold any number.
const MOST_ENTRIES: usize = 2 * TIMELINE_ENTRIES;

/// One line of the table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Row {
    /// One call with its own start.
    Segment {
        /// Depth, 0 for the transaction.
        depth: usize,
        /// Index into the trace's nodes.
        node: usize,
        /// After the trace's start.
        start_ns: u64,
        /// Wall time.
        duration_ns: u64,
        /// What it was called with, where that was recorded.
        arguments: Option<String>,
        /// At least [`PROBLEM_SHARE`] of the trace (never the transaction itself).
        problem: bool,
    },
    /// Calls too short for an entry of their own, inside the segment above at `depth - 1`.
    Fast {
        /// Depth.
        depth: usize,
        /// How many; exact.
        calls: u64,
        /// Their time.
        time: FastTime,
    },
    /// Segments left out because the table is limited.
    More {
        /// Depth.
        depth: usize,
        /// How many, those inside them included.
        segments: u64,
        /// Their time.
        duration_ns: u64,
    },
}

/// Time of folded calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FastTime {
    /// Exact: the segment was called once, so its own time is known.
    Exact(u64),
    /// The segment was called several times and only the sum of its own time is known: what is left of this call.
    AtMost(u64),
}

/// One segment while the outline is built.
struct Segment {
    entry: TimelineEntry,
    children: Vec<usize>,
    shown: bool,
}

/// The lines of a trace, at most `most` segments: the longest ones, so the critical path is always among them.
pub(crate) fn outline(trace: &TraceDetail, most: usize) -> Vec<Row> {
    let strands = Strands::of(&trace.nodes);
    let (mut segments, roots) = nest(trace, &strands);
    choose(&mut segments, &roots, most);
    emit(trace, &segments, &roots)
}

/// Which nodes belong together: the transaction's own tree, and one for each thread it started.
struct Strands {
    /// Root of each node's tree.
    root: Vec<usize>,
    /// One past the last node of each node's subtree (nodes are in preorder).
    end: Vec<usize>,
    /// Calls below each root.
    calls: Vec<u64>,
}

impl Strands {
    fn of(nodes: &[TraceNode]) -> Self {
        let mut root: Vec<usize> = (0..nodes.len()).collect();
        let mut end: Vec<usize> = (1..=nodes.len()).collect();
        let mut calls = vec![0_u64; nodes.len()];
        for (at, node) in nodes.iter().enumerate() {
            if let Some(parent) = parent_of(node, at) {
                root[at] = root[parent];
                calls[root[at]] = calls[root[at]].saturating_add(node.calls);
            }
        }
        for at in (0..nodes.len()).rev() {
            if let Some(parent) = parent_of(&nodes[at], at) {
                end[parent] = end[parent].max(end[at]);
            }
        }
        Self { root, end, calls }
    }

    fn inside(&self, node: usize, ancestor: usize) -> bool {
        (ancestor..self.end[ancestor]).contains(&node)
    }
}

fn parent_of(node: &TraceNode, at: usize) -> Option<usize> {
    usize::try_from(node.parent).ok().filter(|parent| *parent < at)
}

/// Nests the timeline by time and tree; gives the segments and the roots among them.
fn nest(trace: &TraceDetail, strands: &Strands) -> (Vec<Segment>, Vec<usize>) {
    let node_of = |entry: &TimelineEntry| usize::try_from(entry.node).ok().filter(|n| *n < trace.nodes.len());
    let mut entries: Vec<(usize, &TimelineEntry)> =
        trace.timeline.iter().take(MOST_ENTRIES).filter_map(|entry| Some((node_of(entry)?, entry))).collect();
    // Stable: of entries that look alike, the file has the outer one first.
    entries.sort_by_key(|(node, e)| (strands.root[*node], e.start_ns, Reverse(e.duration_ns)));

    let mut segments: Vec<Segment> = Vec::with_capacity(entries.len() + 1);
    let mut roots = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut strand = usize::MAX;
    let mut rest = entries.as_slice();
    // The transaction always has a line, also when nothing in it was long enough for an entry.
    let mut next_strand = if trace.nodes.is_empty() { None } else { Some(0) };
    loop {
        let upcoming = rest.first().map(|(node, _)| strands.root[*node]);
        if next_strand.is_none() && upcoming.is_some_and(|s| s != strand) {
            next_strand = upcoming;
        }
        if let Some(root) = next_strand.take() {
            strand = root;
            open.clear();
            let own: Vec<_> = rest.iter().take_while(|(n, _)| strands.root[*n] == root).collect();
            if own.first().is_none_or(|(node, _)| *node != root) {
                roots.push(segments.len());
                open.push(segments.len());
                segments.push(Segment::of(whole_strand(trace, strands, root, &own)));
            }
            continue;
        }
        let Some(((node, entry), after)) = rest.split_first() else { break };
        rest = after;
        while open.last().is_some_and(|top| segments[*top].entry.is_over(entry)) {
            open.pop();
        }
        let at = segments.len();
        match open.iter().rev().find(|around| segments[**around].entry.holds(entry, *node, strands)) {
            Some(parent) => segments[*parent].children.push(at),
            None => roots.push(at),
        }
        segments.push(Segment::of((*entry).clone()));
        open.push(at);
    }
    (segments, roots)
}

impl Segment {
    fn of(entry: TimelineEntry) -> Self {
        Self { entry, children: Vec::new(), shown: false }
    }
}

impl TimelineEntry {
    /// Whether it ended before `next` began. One that began in the same nanosecond may still be around it.
    fn is_over(&self, next: &TimelineEntry) -> bool {
        next.start_ns > self.start_ns && next.start_ns >= self.start_ns.saturating_add(self.duration_ns)
    }

    /// Whether `inner`, a call of `node`, ran inside this one, which is not over. Calls of one strand nest in time, so
    /// time decides: a call whose path was folded is no descendant of the node around it. Only where both began at
    /// once the tree decides.
    fn holds(&self, inner: &TimelineEntry, node: usize, strands: &Strands) -> bool {
        inner.start_ns > self.start_ns || strands.inside(node, self.node as usize)
    }
}

/// The line of a tree whose root has no entry of its own.
fn whole_strand(
    trace: &TraceDetail,
    strands: &Strands,
    root: usize,
    own: &[&(usize, &TimelineEntry)],
) -> TimelineEntry {
    let told: u64 = own.iter().fold(0, |sum, (_, e)| sum.saturating_add(1).saturating_add(e.folded));
    let (start_ns, duration_ns) = if root == 0 {
        (0, trace.summary.duration_ns)
    } else {
        (own.first().map_or(0, |(_, e)| e.start_ns), trace.nodes[root].total_ns)
    };
    let folded = strands.calls[root].saturating_sub(told);
    TimelineEntry { node: root as u64, start_ns, duration_ns, folded, arguments: None }
}

/// Marks the longest segments as shown. A segment is chosen only after the one around it.
fn choose(segments: &mut [Segment], roots: &[usize], most: usize) {
    let key = |segments: &[Segment], at: usize| (segments[at].entry.duration_ns, Reverse(at));
    let mut waiting: BinaryHeap<_> = roots.iter().map(|at| key(segments, *at)).collect();
    for _ in 0..most {
        let Some((_, Reverse(at))) = waiting.pop() else { break };
        segments[at].shown = true;
        waiting.extend(segments[at].children.iter().map(|child| key(segments, *child)));
    }
}

fn emit(trace: &TraceDetail, segments: &[Segment], roots: &[usize]) -> Vec<Row> {
    enum Step {
        Visit(usize, usize),
        Line(Row),
    }
    let mut entries_of = vec![0_u32; trace.nodes.len()];
    for segment in segments {
        entries_of[segment.entry.node as usize] += 1;
    }
    let sizes = subtree_sizes(segments);
    let hidden = |among: &[usize], depth| {
        let mut left = among.iter().filter(|at| !segments[**at].shown).peekable();
        left.peek()?;
        let (count, time) = left
            .fold((0_u64, 0_u64), |(n, ns), at| (n + sizes[*at], ns.saturating_add(segments[*at].entry.duration_ns)));
        Some(Row::More { depth, segments: count, duration_ns: time })
    };
    let mut rows = Vec::new();
    let mut steps: Vec<Step> = hidden(roots, 0).map(Step::Line).into_iter().collect();
    steps.extend(roots.iter().rev().filter(|at| segments[**at].shown).map(|at| Step::Visit(*at, 0)));
    while let Some(step) = steps.pop() {
        let (at, depth) = match step {
            Step::Visit(at, depth) => (at, depth),
            Step::Line(row) => {
                rows.push(row);
                continue;
            }
        };
        let Segment { entry, children, .. } = &segments[at];
        let node = entry.node as usize;
        let problem = node != 0 && share(entry.duration_ns, trace.summary.duration_ns) >= PROBLEM_SHARE;
        rows.push(Row::Segment {
            depth,
            node,
            start_ns: entry.start_ns,
            duration_ns: entry.duration_ns,
            arguments: entry.arguments.clone(),
            problem,
        });
        if entry.folded > 0 {
            let inside = children.iter().fold(0_u64, |sum, c| sum.saturating_add(segments[*c].entry.duration_ns));
            let left = entry.duration_ns.saturating_sub(inside);
            let once = trace.nodes[node].calls <= 1 && trace.nodes[node].resumes == 0 && entries_of[node] == 1;
            let time = if once {
                FastTime::Exact(left.saturating_sub(trace.nodes[node].self_ns))
            } else {
                FastTime::AtMost(left)
            };
            steps.push(Step::Line(Row::Fast { depth: depth + 1, calls: entry.folded, time }));
        }
        steps.extend(hidden(children, depth + 1).map(Step::Line));
        let shown = children.iter().rev().filter(|c| segments[**c].shown);
        steps.extend(shown.map(|c| Step::Visit(*c, depth + 1)));
    }
    rows
}

/// Segments in each segment's subtree, itself included. Children always come after their parent.
fn subtree_sizes(segments: &[Segment]) -> Vec<u64> {
    let mut sizes = vec![1_u64; segments.len()];
    for at in (0..segments.len()).rev() {
        sizes[at] += segments[at].children.iter().map(|c| sizes[*c]).sum::<u64>();
    }
    sizes
}

#[cfg(test)]
mod tests;
