//! The call tree over all traced transactions, read once for everything that is derived from it.

use xray_core::model::{CallTreeNode, SessionData, SymbolId, SymbolKind};

/// Facts about the nodes of [`SessionData::call_tree`]. Only what ran in the transactions' own context is counted:
/// threads that they started ran beside them, so their time is not part of the transactions' wall time.
pub(super) struct CallPaths<'a> {
    /// The nodes, parents first.
    pub(super) nodes: &'a [CallTreeNode],
    /// For each node, whether it is below a transaction (and not a thread).
    pub(super) inside: Vec<bool>,
    /// For each node, the component that its own time counts for: itself, or the SQL statement or external call that
    /// it is below. How a driver spends the time of a statement is the driver's affair; the trace still shows it.
    pub(super) owner: Vec<SymbolId>,
    /// For each node, whether a node above it has the same symbol.
    pub(super) recursive: Vec<bool>,
    /// Wall time of all traced transactions.
    pub(super) wall_ns: u64,
    /// How many there are.
    pub(super) transactions: u64,
    /// Wall time in threads that they started.
    pub(super) beside_ns: u64,
}

impl<'a> CallPaths<'a> {
    pub(super) fn of(data: &'a SessionData) -> Self {
        let nodes = data.call_tree.nodes.as_slice();
        let mut paths = Self {
            nodes,
            inside: vec![false; nodes.len()],
            owner: nodes.iter().map(|node| node.symbol).collect(),
            recursive: vec![false; nodes.len()],
            wall_ns: 0,
            transactions: 0,
            beside_ns: 0,
        };
        let mut open: Vec<usize> = Vec::new();
        let mut times_open = vec![0_u32; data.symbols.entries().len()];
        for (at, node) in nodes.iter().enumerate() {
            // Preorder: the parent is on the stack.
            while open.last().is_some_and(|top| node.parent.is_none_or(|parent| parent as usize != *top)) {
                let closed = open.pop().map(|top| nodes[top].symbol);
                closed.into_iter().for_each(|symbol| times_open[symbol.0 as usize] -= 1);
            }
            match node.parent {
                Some(parent) => paths.inside[at] = paths.inside[parent as usize],
                None if data.symbols[node.symbol].kind == SymbolKind::Thread => {
                    paths.beside_ns = paths.beside_ns.saturating_add(node.total_ns);
                }
                None => {
                    paths.inside[at] = true;
                    paths.wall_ns = paths.wall_ns.saturating_add(node.total_ns);
                    paths.transactions = paths.transactions.saturating_add(node.traces);
                }
            }
            if let Some(parent) = node.parent {
                let above = paths.owner[parent as usize];
                if goes_elsewhere(data.symbols[above].kind) {
                    paths.owner[at] = above;
                }
            }
            paths.recursive[at] = times_open[node.symbol.0 as usize] > 0;
            times_open[node.symbol.0 as usize] += 1;
            open.push(at);
        }
        paths
    }

    /// Share of the traced transactions' wall time.
    pub(super) fn share(&self, ns: u64) -> f64 {
        if self.wall_ns == 0 { 0.0 } else { (ns as f64 / self.wall_ns as f64).min(1.0) }
    }

    /// Per traced transaction.
    pub(super) fn per_transaction(&self, amount: u64) -> f64 {
        if self.transactions == 0 { 0.0 } else { amount as f64 / self.transactions as f64 }
    }

    /// The nodes above this one, nearest first.
    pub(super) fn above(&self, at: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(self.nodes[at].parent, |at| self.nodes[*at as usize].parent).map(|at| at as usize)
    }

    /// The symbol of a node.
    pub(super) fn symbol(&self, at: usize) -> SymbolId {
        self.nodes[at].symbol
    }
}

/// Whether a segment of this kind leaves the process: everything below it is only how.
fn goes_elsewhere(kind: SymbolKind) -> bool {
    matches!(kind, SymbolKind::Sql | SymbolKind::External | SymbolKind::Cache | SymbolKind::Queue)
}
