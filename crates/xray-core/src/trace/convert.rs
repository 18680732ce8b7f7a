//! From recorded trees in ticks to the model's nodes and timeline in nanoseconds.

use super::timeline::threshold_for;
use super::{CallKey, NodeName, RecordedEntry, RecordedTree, TickScale};
use crate::limits::TIMELINE_ENTRIES;
use crate::model::{SymbolId, TimelineEntry, TraceNode};
use std::cmp::Reverse;

/// One recorded tree of a trace: the transaction's own (strand 0), or that of a thread or task it started.
#[derive(Clone, Debug)]
pub struct Strand {
    /// Name of the thread or task; `None` for the transaction's own.
    pub name: Option<String>,
    /// When its recorder began, in ticks.
    pub started_ticks: u64,
    /// What it recorded.
    pub tree: RecordedTree,
}

/// What needs a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// The transaction.
    Transaction,
    /// A thread or task that it started, by its name.
    Thread(&'a str),
    /// A function or segment.
    Call(CallKey),
    /// Functions whose paths did not fit.
    Other,
}

/// The part of a [`crate::model::Trace`] that its recorders know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of `model::Trace`, described there")]
pub struct TraceBody {
    pub nodes: Vec<TraceNode>,
    pub timeline: Vec<TimelineEntry>,
    pub duration_ns: u64,
    pub calls: u64,
    pub paths_folded: u64,
    pub timeline_threshold_ns: u64,
}

impl TraceBody {
    /// Converts the strands of one trace, the transaction's own first. The self times of each strand sum exactly to
    /// the total of its root; that of strand 0 is the duration.
    pub fn new(strands: &[Strand], scale: TickScale, symbol: impl FnMut(Subject<'_>) -> SymbolId) -> Self {
        let mut body = Self::default();
        body.set_nodes(strands, scale, symbol);
        body.set_timeline(strands, scale);
        body
    }

    /// Everything but the timeline; the memory of what was here before is used again.
    pub(crate) fn set_nodes(
        &mut self,
        strands: &[Strand],
        scale: TickScale,
        mut symbol: impl FnMut(Subject<'_>) -> SymbolId,
    ) {
        self.nodes.clear();
        self.timeline.clear();
        (self.calls, self.paths_folded, self.timeline_threshold_ns) = (0, 0, 0);
        for (position, strand) in strands.iter().enumerate() {
            self.add_nodes(strand, scale, |name| {
                symbol(match name {
                    NodeName::Root if position == 0 => Subject::Transaction,
                    NodeName::Root => Subject::Thread(strand.name.as_deref().unwrap_or("thread")),
                    NodeName::Call(key) => Subject::Call(key),
                    NodeName::Other => Subject::Other,
                })
            });
            self.calls = self.calls.wrapping_add(strand.tree.calls);
            self.paths_folded = self.paths_folded.saturating_add(strand.tree.paths_folded);
        }
        self.duration_ns = self.nodes.first().map_or(0, |root| root.total_ns);
    }

    /// The timeline, which only traces need that are kept.
    pub(crate) fn set_timeline(&mut self, strands: &[Strand], scale: TickScale) {
        let started = strands.first().map_or(0, |strand| strand.started_ticks);
        let threshold = common_threshold(strands);
        self.timeline_threshold_ns = scale.ns(threshold);
        let mut base = 0;
        for strand in strands {
            let after = strand.started_ticks.saturating_sub(started);
            self.timeline.extend(entries(&strand.tree, threshold).into_iter().map(|(entry, folded)| TimelineEntry {
                node: base + entry.node,
                start_ns: scale.ns(after + entry.start),
                // Not the duration converted: an entry must not end after the one around it.
                duration_ns: scale.ns(after + entry.start + entry.duration) - scale.ns(after + entry.start),
                folded,
                arguments: strand.tree.arguments_of(&entry).map(str::to_owned),
            }));
            base += strand.tree.nodes.len() as u32;
        }
        // Stable: of entries that look alike, the outer one stays first.
        self.timeline.sort_by_key(|entry| (entry.start_ns, Reverse(entry.duration_ns)));
    }

    /// Rounds running sums, not single times: the self times of a subtree then sum to its total.
    fn add_nodes(&mut self, strand: &Strand, scale: TickScale, mut symbol: impl FnMut(NodeName) -> SymbolId) {
        let nodes = &strand.tree.nodes;
        let base = self.nodes.len() as u32;
        let mut within: Vec<u64> = nodes.iter().map(|node| node.self_ticks).collect();
        let mut size = vec![1_usize; nodes.len()];
        for at in (1..nodes.len()).rev() {
            if let Some(parent) = nodes[at].parent {
                within[parent as usize] = within[parent as usize].saturating_add(within[at]);
                size[parent as usize] += size[at];
            }
        }
        let mut sums = Vec::with_capacity(nodes.len() + 1);
        sums.push(0_u64);
        for node in nodes {
            sums.push(sums[sums.len() - 1].saturating_add(node.self_ticks));
        }
        for (at, node) in nodes.iter().enumerate() {
            let own = scale.ns(sums[at + 1]) - scale.ns(sums[at]);
            let subtree = scale.ns(sums[at + size[at]]) - scale.ns(sums[at]);
            // What ran inside and has no path stands below the "other" node.
            let folded = scale.ns(node.total.saturating_sub(within[at]));
            self.nodes.push(TraceNode {
                parent: node.parent.map(|parent| base + parent),
                symbol: symbol(node.name),
                calls: node.calls,
                resumes: node.resumes,
                errors: node.errors,
                total_ns: subtree.saturating_add(folded),
                self_ns: own,
                min_ns: scale.ns(node.min),
                max_ns: scale.ns(node.max),
                recursion_depth: node.recursion_depth,
                rows: node.rows,
            });
        }
    }
}

/// The lowest threshold above which all calls of all strands have an entry, and no more than fit. Roots always fit.
fn common_threshold(strands: &[Strand]) -> u64 {
    let threshold = strands.iter().map(|strand| strand.tree.threshold).max().unwrap_or(0);
    let mut durations: Vec<u64> = strands
        .iter()
        .flat_map(|strand| &strand.tree.timeline)
        .filter(|entry| entry.node != 0 && entry.duration >= threshold)
        .map(|entry| entry.duration)
        .collect();
    let room = TIMELINE_ENTRIES.saturating_sub(strands.len());
    if durations.len() > room { threshold_for(&mut durations, room) } else { threshold }
}

/// The entries at or above the threshold, each with the calls inside it that have no entry and are inside no other.
fn entries(tree: &RecordedTree, threshold: u64) -> Vec<(RecordedEntry, u64)> {
    let mut kept: Vec<(RecordedEntry, u64)> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut entered: Vec<&RecordedEntry> =
        tree.timeline.iter().filter(|entry| entry.node == 0 || entry.duration >= threshold).collect();
    entered.sort_unstable_by_key(|entry| entry.entered);
    for entry in entered {
        while let Some(top) = open.last()
            && kept[*top].0.left < entry.entered
        {
            open.pop();
        }
        if let Some(around) = open.last() {
            let folded = &mut kept[*around].1;
            *folded = folded.saturating_sub(u64::from(entry.is_call) + entry.inside);
        }
        open.push(kept.len());
        kept.push((*entry, entry.inside));
    }
    kept
}

#[cfg(test)]
mod tests;
