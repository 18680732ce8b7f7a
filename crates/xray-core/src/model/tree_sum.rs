//! Sums of trees by path: what the reader does with the parts of a tree, and the merge with several trees.

use super::{CallTreeNode, SampleTreeNode, SymbolId, ThreadKind, TraceNode};
use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::Hash;

/// A node of a flat tree.
pub trait FlatNode: Clone {
    /// Index of the parent, smaller than the node's own; `None` for a root.
    fn parent(&self) -> Option<u32>;
    /// Moves it below another parent.
    fn set_parent(&mut self, parent: Option<u32>);
}

/// A node of a tree that can be summed. Two nodes with equal keys below the same parent are the same node.
pub trait PathNode: FlatNode {
    /// What tells siblings apart.
    type Key: Copy + Eq + Hash + Ord;
    /// The node's symbol.
    fn symbol(&self) -> SymbolId;
    /// Gives it the id that its symbol has in another table.
    fn set_symbol(&mut self, symbol: SymbolId);
    /// What tells it apart from its siblings.
    fn key(&self) -> Self::Key;
    /// Adds the numbers of another node with the same path.
    fn absorb(&mut self, other: &Self);
}

/// A tree that other trees are added to.
#[derive(Clone, Debug)]
pub struct TreeSum<N: PathNode> {
    nodes: Vec<N>,
    /// (parent + 1, key) to the node; 0 stands for the roots.
    index: HashMap<(u32, N::Key), u32>,
}

impl<N: PathNode> Default for TreeSum<N> {
    fn default() -> Self {
        Self { nodes: Vec::new(), index: HashMap::new() }
    }
}

impl<N: PathNode> TreeSum<N> {
    /// Adds one node below `parent`, an index that this method returned before; returns the node's index here.
    pub fn add_node(&mut self, parent: Option<u32>, mut node: N) -> u32 {
        let slot = (parent.map_or(0, |p| p + 1), node.key());
        if let Some(&at) = self.index.get(&slot) {
            self.nodes[at as usize].absorb(&node);
            return at;
        }
        node.set_parent(parent);
        let at = self.nodes.len() as u32;
        self.nodes.push(node);
        self.index.insert(slot, at);
        at
    }

    /// Adds a whole tree; `symbol` gives each symbol's id in this tree's table.
    pub fn add(&mut self, tree: &[N], symbol: impl Fn(SymbolId) -> SymbolId) {
        let mut here: Vec<u32> = Vec::with_capacity(tree.len());
        for node in tree {
            let parent = node.parent().and_then(|p| here.get(p as usize).copied());
            let mut node = node.clone();
            node.set_symbol(symbol(node.symbol()));
            here.push(self.add_node(parent, node));
        }
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The tree in preorder, children in the order they came.
    pub fn into_preorder(self) -> Vec<N> {
        preorder(self.nodes).0
    }

    /// The tree in preorder, children sorted by key: independent of the order of additions.
    pub fn into_sorted_preorder(self) -> Vec<N> {
        preorder_by(self.nodes, |a, b| a.key().cmp(&b.key()))
    }
}

/// Brings a tree into preorder, children in the order they came. Also returns each old index's new one.
pub fn preorder<N: FlatNode>(nodes: Vec<N>) -> (Vec<N>, Vec<u32>) {
    let order = (0..nodes.len() as u32).collect();
    arrange(nodes, order)
}

/// Brings a tree into preorder, siblings sorted by `compare` and, where it says equal, in the order they came.
pub fn preorder_by<N: FlatNode>(nodes: Vec<N>, mut compare: impl FnMut(&N, &N) -> Ordering) -> Vec<N> {
    let mut order: Vec<u32> = (0..nodes.len() as u32).collect();
    order.sort_by(|&a, &b| compare(&nodes[a as usize], &nodes[b as usize]));
    arrange(nodes, order).0
}

/// Preorder with siblings in the order of `order`, a permutation of all indexes.
fn arrange<N: FlatNode>(nodes: Vec<N>, order: Vec<u32>) -> (Vec<N>, Vec<u32>) {
    const NONE: u32 = u32::MAX;
    // Linked lists of siblings, filled from the back so that each list runs in the right direction.
    let (mut first, mut next) = (vec![NONE; nodes.len() + 1], vec![NONE; nodes.len()]);
    for &at in order.iter().rev() {
        let parent = nodes[at as usize].parent().map_or(0, |p| p as usize + 1);
        next[at as usize] = first[parent];
        first[parent] = at;
    }
    let mut moved = vec![NONE; nodes.len()];
    let mut out: Vec<N> = Vec::with_capacity(nodes.len());
    let mut open = vec![first[0]];
    while let Some(at) = open.pop() {
        if at == NONE {
            continue;
        }
        let mut node = nodes[at as usize].clone();
        node.set_parent(node.parent().map(|p| moved[p as usize]));
        moved[at as usize] = out.len() as u32;
        out.push(node);
        open.push(next[at as usize]);
        open.push(first[at as usize + 1]);
    }
    (out, moved)
}

/// Shortest call of two nodes, of which one may have no calls.
fn shortest(ours: (u64, u64), theirs: (u64, u64)) -> u64 {
    match (ours, theirs) {
        ((0, _), (_, min)) => min,
        ((_, min), (0, _)) => min,
        ((_, a), (_, b)) => a.min(b),
    }
}

macro_rules! flat_node {
    ($($node:ty),*) => {
        $(impl FlatNode for $node {
            fn parent(&self) -> Option<u32> {
                self.parent
            }

            fn set_parent(&mut self, parent: Option<u32>) {
                self.parent = parent;
            }
        })*
    };
}

flat_node!(CallTreeNode, SampleTreeNode, TraceNode);

impl PathNode for CallTreeNode {
    type Key = SymbolId;

    fn symbol(&self) -> SymbolId {
        self.symbol
    }

    fn set_symbol(&mut self, symbol: SymbolId) {
        self.symbol = symbol;
    }

    fn key(&self) -> SymbolId {
        self.symbol
    }

    fn absorb(&mut self, other: &Self) {
        self.min_ns = shortest((self.calls, self.min_ns), (other.calls, other.min_ns));
        self.max_ns = self.max_ns.max(other.max_ns);
        self.calls = self.calls.saturating_add(other.calls);
        self.resumes = self.resumes.saturating_add(other.resumes);
        self.errors = self.errors.saturating_add(other.errors);
        self.rows = self.rows.saturating_add(other.rows);
        self.traces = self.traces.saturating_add(other.traces);
        self.total_ns = self.total_ns.saturating_add(other.total_ns);
        self.self_ns = self.self_ns.saturating_add(other.self_ns);
    }
}

impl PathNode for SampleTreeNode {
    type Key = (ThreadKind, SymbolId, u32);

    fn symbol(&self) -> SymbolId {
        self.symbol
    }

    fn set_symbol(&mut self, symbol: SymbolId) {
        self.symbol = symbol;
    }

    fn key(&self) -> Self::Key {
        (self.kind, self.symbol, self.line)
    }

    fn absorb(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.self_count = self.self_count.saturating_add(other.self_count);
        self.weight_ns = self.weight_ns.saturating_add(other.weight_ns);
        self.self_ns = self.self_ns.saturating_add(other.self_ns);
        self.self_cpu_ns = self.self_cpu_ns.saturating_add(other.self_cpu_ns);
        for (ours, theirs) in self.self_states.iter_mut().zip(other.self_states) {
            *ours = ours.saturating_add(theirs);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(parent: Option<u32>, symbol: u32, calls: u64, min_ns: u64) -> CallTreeNode {
        let symbol = SymbolId(symbol);
        CallTreeNode {
            parent,
            symbol,
            calls,
            resumes: 0,
            errors: 0,
            rows: 0,
            traces: 1,
            total_ns: 10 * calls,
            self_ns: calls,
            min_ns,
            max_ns: min_ns,
        }
    }

    #[test]
    fn equal_paths_add_up_and_different_ones_stay_apart() {
        let mut sum = TreeSum::default();
        sum.add(&[node(None, 7, 1, 5), node(Some(0), 8, 2, 3), node(Some(0), 9, 1, 1)], |s| s);
        sum.add(&[node(None, 7, 0, 0), node(Some(0), 9, 4, 6), node(Some(1), 8, 1, 2)], |s| s);
        let nodes = sum.into_sorted_preorder();
        let seen: Vec<_> = nodes.iter().map(|n| (n.parent, n.symbol.0, n.calls, n.min_ns)).collect();
        assert_eq!(
            seen,
            [(None, 7, 1, 5), (Some(0), 8, 2, 3), (Some(0), 9, 5, 1), (Some(2), 8, 1, 2)],
            "a node without calls has no shortest call"
        );
    }

    #[test]
    fn preorder_keeps_parents_and_copes_with_deep_chains() {
        let depth = 300_000;
        let mut chain: Vec<_> = (0..depth).map(|i| node((i > 0).then(|| i - 1), i, 1, 1)).collect();
        chain.push(node(Some(0), 1_000_000, 1, 1));
        chain.push(node(Some(5), 1_000_001, 1, 1));
        let (nodes, moved) = preorder(chain);
        assert_eq!(nodes.len(), depth as usize + 2);
        assert_eq!(nodes[moved[depth as usize] as usize].parent, Some(0));
        assert_eq!(nodes[moved[depth as usize + 1] as usize].parent, Some(5));
        assert!(nodes.iter().enumerate().all(|(at, n)| n.parent.is_none_or(|p| (p as usize) < at)));
    }
}
