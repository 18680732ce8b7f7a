//! The sum of the call trees of all traces of one process.

use crate::limits::CALL_TREE_NODES;
use crate::model::{CallTree, CallTreeNode, SymbolId, TraceNode};
use crate::path_tree::PathTree;

/// The call tree while it grows. Counts and self times are exact: nodes that do not fit count in one "other" node
/// below their root.
#[derive(Debug)]
pub(super) struct CallTreeBuilder {
    tree: PathTree<CallTreeNode>,
    /// Number of the last trace in which a node occurred, and the number of traces.
    last_trace: Vec<u64>,
    traces: u64,
    /// By node, the one that came after it the last time: traces of one page come in nearly the same order, so the next
    /// node mostly is where it was, and is not looked up by its path.
    next: Vec<u32>,
}

impl CallTreeBuilder {
    pub(super) fn new() -> Self {
        Self::with_capacity(CALL_TREE_NODES)
    }

    fn with_capacity(nodes: usize) -> Self {
        Self { tree: PathTree::new(nodes), last_trace: Vec::new(), traces: 0, next: Vec::new() }
    }

    /// Adds the nodes of a trace; returns how many did not fit.
    pub(super) fn add(&mut self, nodes: &[TraceNode], other: SymbolId) -> u64 {
        self.traces += 1;
        let mut places: Vec<Option<u32>> = Vec::with_capacity(nodes.len());
        let mut root = None;
        let mut lost = 0;
        let mut before = None;
        for node in nodes {
            let parent = node.parent.map(|parent| places.get(parent as usize).copied().flatten());
            let place = match parent {
                None => {
                    root = self.add_node(None, call_tree_node(node), before);
                    root
                }
                Some(Some(parent)) => self.add_node(Some(parent), call_tree_node(node), before),
                Some(None) => None,
            };
            if place.is_none() {
                lost += 1;
                // What is inside it comes here too, so only its own time.
                let folded = CallTreeNode { symbol: other, total_ns: node.self_ns, ..call_tree_node(node) };
                let at = self.tree.add_anyway(root, folded);
                if self.is_first(at) {
                    self.tree.add_at(at, &CallTreeNode { traces: 1, ..empty(other) });
                }
            }
            before = place.or(before);
            places.push(place);
        }
        lost
    }

    /// Adds a node that came after `before` in its trace.
    fn add_node(&mut self, parent: Option<u32>, mut node: CallTreeNode, before: Option<u32>) -> Option<u32> {
        let expected = before.and_then(|before| self.next.get(before as usize)).copied();
        if let Some(at) = expected.filter(|at| self.tree.is_at(*at, parent, node.symbol)) {
            node.traces = u64::from(self.is_first(at));
            self.tree.add_at(at, &node);
            return Some(at);
        }
        let Some(at) = self.tree.find(parent, node.symbol) else {
            node.traces = 1;
            let at = self.tree.add(parent, node)?;
            self.is_first(at);
            return Some(at);
        };
        if let Some(before) = before {
            self.comes_after(before, at);
        }
        node.traces = u64::from(self.is_first(at));
        self.tree.add_at(at, &node);
        Some(at)
    }

    /// Remembers what came after `before`.
    fn comes_after(&mut self, before: u32, at: u32) {
        let position = before as usize;
        if self.next.len() <= position {
            self.next.resize(position + 1, u32::MAX);
        }
        self.next[position] = at;
    }

    /// Whether the present trace comes to this node for the first time: a trace counts once in a node, however many of
    /// its own nodes have the same path.
    fn is_first(&mut self, at: u32) -> bool {
        let position = at as usize;
        if self.last_trace.len() <= position {
            self.last_trace.resize(position + 1, 0);
        }
        std::mem::replace(&mut self.last_trace[position], self.traces) != self.traces
    }

    /// What was added since the last call.
    pub(super) fn take(&mut self) -> CallTree {
        CallTree { nodes: self.tree.take(|node| CallTreeNode { parent: node.parent, ..empty(node.symbol) }) }
    }

    pub(super) fn is_unchanged(&self) -> bool {
        self.tree.is_unchanged()
    }
}

fn empty(symbol: SymbolId) -> CallTreeNode {
    CallTreeNode {
        parent: None,
        symbol,
        calls: 0,
        resumes: 0,
        errors: 0,
        rows: 0,
        traces: 0,
        total_ns: 0,
        self_ns: 0,
        min_ns: 0,
        max_ns: 0,
    }
}

fn call_tree_node(node: &TraceNode) -> CallTreeNode {
    CallTreeNode {
        calls: node.calls,
        resumes: node.resumes,
        errors: node.errors,
        rows: node.rows,
        total_ns: node.total_ns,
        self_ns: node.self_ns,
        min_ns: node.min_ns,
        max_ns: node.max_ns,
        ..empty(node.symbol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TreeSum;
    use proptest::prelude::*;

    const OTHER: SymbolId = SymbolId(0);

    /// A tree from (steps up from the last node, symbol, self time).
    fn trace(shape: &[(usize, u32, u64)]) -> Vec<TraceNode> {
        let mut nodes: Vec<TraceNode> = Vec::new();
        for (up, symbol, self_ns) in shape {
            let mut parent = nodes.len().checked_sub(1).map(|last| last as u32);
            for _ in 0..*up {
                parent = parent.and_then(|at| nodes[at as usize].parent).or(parent);
            }
            nodes.push(TraceNode {
                parent,
                symbol: SymbolId(*symbol),
                calls: 1,
                resumes: 0,
                errors: 0,
                total_ns: *self_ns,
                self_ns: *self_ns,
                min_ns: *self_ns,
                max_ns: *self_ns,
                recursion_depth: 1,
                rows: 0,
            });
        }
        for at in (1..nodes.len()).rev() {
            if let Some(parent) = nodes[at].parent {
                nodes[parent as usize].total_ns += nodes[at].total_ns;
            }
        }
        nodes
    }

    #[test]
    fn equal_paths_add_up_and_a_trace_counts_once_in_each() {
        let mut tree = CallTreeBuilder::new();
        // Two siblings with the same symbol: one function made twice.
        tree.add(&trace(&[(0, 1, 5), (0, 2, 7), (1, 2, 8)]), OTHER);
        tree.add(&trace(&[(0, 1, 5), (0, 2, 1)]), OTHER);
        let nodes = tree.take().nodes;
        let seen: Vec<_> = nodes.iter().map(|n| (n.symbol.0, n.calls, n.traces, n.total_ns, n.self_ns)).collect();
        assert_eq!(seen, [(1, 2, 2, 26, 10), (2, 3, 2, 16, 16)]);
        assert_eq!((nodes[1].min_ns, nodes[1].max_ns), (1, 8));
    }

    proptest! {
        #[test]
        fn counts_and_self_times_are_exact_in_pieces_and_beyond_the_bound(
            shapes in prop::collection::vec(prop::collection::vec((0_usize..4, 1_u32..6, 0_u64..100), 1..20), 0..20),
            capacity in 1_usize..30, flush in 1_usize..4,
        ) {
            let mut tree = CallTreeBuilder::with_capacity(capacity);
            let mut sum = TreeSum::default();
            let (mut calls, mut self_ns) = (0, 0);
            for (number, shape) in shapes.iter().enumerate() {
                let nodes = trace(shape);
                calls += nodes.iter().map(|n| n.calls).sum::<u64>();
                self_ns += nodes.iter().map(|n| n.self_ns).sum::<u64>();
                tree.add(&nodes, OTHER);
                if number % flush == 0 {
                    sum.add(&tree.take().nodes, |s| s);
                }
            }
            sum.add(&tree.take().nodes, |s| s);
            let nodes = sum.into_sorted_preorder();
            prop_assert_eq!(nodes.iter().map(|n| n.calls).sum::<u64>(), calls);
            prop_assert_eq!(nodes.iter().map(|n| n.self_ns).sum::<u64>(), self_ns);
            let roots = nodes.iter().filter(|n| n.parent.is_none());
            prop_assert_eq!(roots.clone().map(|n| n.total_ns).sum::<u64>(), self_ns);
            prop_assert!(nodes.len() <= capacity + 1 + roots.count());
        }
    }
}
