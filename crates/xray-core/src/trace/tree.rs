//! What a recorder recorded, compact, still in ticks.

use super::CallKey;
use super::functions::{Function, Functions};
use super::place::FUNCTION;
use super::pool::{NONE, Pool, ROOT};
use super::timeline::Timeline;

/// What a node of a recorded tree stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeName {
    /// Node 0: the transaction, or the thread it started.
    Root,
    /// A function or segment.
    Call(CallKey),
    /// Parent of the functions whose paths did not fit; its own calls are those of functions that did not fit either.
    Other,
}

/// One node; times are in ticks. The fields mean what those of [`crate::model::TraceNode`] mean.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "described there")]
pub struct RecordedNode {
    pub parent: Option<u32>,
    pub name: NodeName,
    pub calls: u64,
    pub resumes: u64,
    pub errors: u64,
    pub total: u64,
    pub self_ticks: u64,
    pub min: u64,
    pub max: u64,
    pub recursion_depth: u32,
    pub rows: u64,
}

/// One call, or one run of a generator, with its own start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordedEntry {
    /// Index of its node.
    pub node: u32,
    /// False for the resumption of a generator.
    pub is_call: bool,
    /// Start after the tree's, in ticks.
    pub start: u64,
    /// Ticks.
    pub duration: u64,
    /// Calls made inside it.
    pub inside: u64,
    /// Number of the event that entered it: entries nest where these and `left` do.
    pub(super) entered: u64,
    pub(super) left: u64,
}

/// The call tree and timeline of one context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedTree {
    /// Preorder; node 0 is the transaction or thread. The self times sum to the total of node 0.
    pub nodes: Vec<RecordedNode>,
    /// All calls at or above the threshold, and node 0's own; in order of their end. [`super::TraceBody`]
    /// sorts them, on the collector's thread and only for a trace that is kept.
    pub timeline: Vec<RecordedEntry>,
    /// Shorter calls have no entry, in ticks.
    pub threshold: u64,
    /// Calls in all nodes together, node 0's included.
    pub calls: u64,
    /// Calls whose path did not fit.
    pub paths_folded: u64,
    /// Returns that matched no call.
    pub unmatched_returns: u64,
    /// Calls, resumptions, returns and yields.
    pub events: u64,
    /// What marked functions were called with, by the number of the event that entered the call; sorted.
    pub(super) arguments: Vec<(u64, Box<str>)>,
    /// Calls of marked functions that are in the timeline without their arguments: too many were long.
    pub arguments_lost: u64,
}

impl RecordedTree {
    /// What the call of an entry was called with.
    pub fn arguments_of(&self, entry: &RecordedEntry) -> Option<&str> {
        let at = self.arguments.binary_search_by_key(&entry.entered, |(entered, _)| *entered).ok()?;
        Some(&self.arguments[at].1)
    }

    /// Duration of node 0, in ticks.
    pub fn duration(&self) -> u64 {
        self.nodes.first().map_or(0, |root| root.total)
    }

    pub(super) fn collect(
        pool: &Pool,
        functions: &Functions,
        timeline: &Timeline,
        started: u64,
        [calls, paths_folded, unmatched_returns, events]: [u64; 4],
    ) -> Self {
        let mut nodes = Vec::with_capacity(pool.nodes.len());
        let mut place = vec![NONE; pool.nodes.len()];
        pool.preorder(|id, node, rare| {
            if node.hidden || !node.is_used() {
                return false;
            }
            place[id as usize] = nodes.len() as u32;
            let name = if id == ROOT { NodeName::Root } else { NodeName::Call(CallKey(node.key())) };
            nodes.push(RecordedNode {
                parent: (id != ROOT).then(|| place[rare.parent as usize]),
                name,
                calls: node.calls,
                resumes: node.resumes,
                errors: u64::from(rare.errors),
                total: node.total,
                self_ticks: node.total.saturating_sub(rare.folded),
                min: if node.min == u64::MAX { 0 } else { node.min },
                max: node.max,
                recursion_depth: rare.recursion_depth.max(1),
                rows: rare.rows,
            });
            true
        });
        for at in (1..nodes.len()).rev() {
            let total = nodes[at].total;
            if let Some(parent) = nodes[at].parent {
                let caller = &mut nodes[parent as usize];
                caller.self_ticks = caller.self_ticks.saturating_sub(total);
            }
        }
        let function_places = add_functions(&mut nodes, functions);
        let place_of = |node: u32| {
            let found = if node >= FUNCTION {
                function_places.get((node - FUNCTION) as usize).or(function_places.last())
            } else {
                place.get(node as usize)
            };
            found.copied().filter(|at| *at != NONE)
        };
        let entries: Vec<RecordedEntry> = timeline
            .kept
            .iter()
            .filter_map(|call| {
                Some(RecordedEntry {
                    node: place_of(call.node)?,
                    is_call: call.is_call,
                    start: call.start.saturating_sub(started),
                    duration: call.duration,
                    inside: call.inside,
                    entered: call.entered,
                    left: call.left,
                })
            })
            .collect();
        let calls = calls.wrapping_add(u64::from(!nodes.is_empty()));
        let threshold = timeline.threshold;
        let (arguments, arguments_lost) = (Vec::new(), 0);
        Self {
            nodes,
            timeline: entries,
            threshold,
            calls,
            paths_folded,
            unmatched_returns,
            events,
            arguments,
            arguments_lost,
        }
    }
}

/// Adds the functions without paths below one node; the result is the place of each, the last that of the parent.
fn add_functions(nodes: &mut Vec<RecordedNode>, functions: &Functions) -> Vec<u32> {
    let counted = |function: &Function| function.calls + function.resumes > 0;
    if !functions.entries().iter().any(counted) && !counted(functions.rest()) {
        return Vec::new();
    }
    let other = nodes.len() as u32;
    nodes.push(from_function(functions.rest(), Some(ROOT), NodeName::Other));
    let mut places = vec![NONE; functions.entries().len()];
    let mut sum = functions.rest().self_ticks;
    for (position, function) in functions.entries().iter().enumerate().filter(|(_, function)| counted(function)) {
        places[position] = nodes.len() as u32;
        nodes.push(from_function(function, Some(other), NodeName::Call(CallKey(function.key))));
        sum = sum.saturating_add(function.self_ticks);
    }
    nodes[other as usize].total = sum;
    places.push(other);
    places
}

fn from_function(function: &Function, parent: Option<u32>, name: NodeName) -> RecordedNode {
    RecordedNode {
        parent,
        name,
        calls: function.calls,
        resumes: function.resumes,
        errors: function.errors,
        total: function.total,
        self_ticks: function.self_ticks,
        min: if function.min == u64::MAX { 0 } else { function.min },
        max: function.max,
        recursion_depth: function.recursion_depth.max(u32::from(function.calls + function.resumes > 0)),
        rows: function.rows,
    }
}
