//! Samples or calls as one tree.

use super::words;
use crate::model::{States, TreeNode, TreeReport};
use xray_core::model::{CallTreeNode, SampleTreeNode, SessionData, ThreadState, preorder_by};

/// Which tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreeSource {
    /// What the sampler saw of all threads.
    Samples,
    /// The exact calls of all traced transactions.
    Calls,
}

/// The tree from the outermost functions down; siblings with the most time first.
pub fn tree(data: &SessionData, source: TreeSource) -> TreeReport {
    let (source, nodes) = match source {
        TreeSource::Samples => ("samples", samples(data)),
        TreeSource::Calls => ("calls", calls(data)),
    };
    TreeReport { schema: "xray.tree/1", source, nodes }
}

fn samples(data: &SessionData) -> Vec<TreeNode> {
    let nodes = preorder_by(data.sample_tree.nodes.clone(), |a, b| {
        (a.kind, b.weight_ns, a.symbol, a.line).cmp(&(b.kind, a.weight_ns, b.symbol, b.line))
    });
    let node = |node: &SampleTreeNode| {
        let symbol = &data.symbols[node.symbol];
        TreeNode {
            parent: node.parent.map_or(-1, i64::from),
            name: symbol.name.clone(),
            file: words::file(symbol),
            line: if node.line > 0 { Some(node.line) } else { words::line(symbol) },
            thread_kind: Some(words::thread_kind(node.kind)),
            count: node.count,
            weight_ns: node.weight_ns,
            self_ns: node.self_ns,
            cpu_ns: Some(node.self_cpu_ns),
            self_cpu_ns: Some(node.self_cpu_ns),
            self_states_ns: Some(states(node.self_states)),
        }
    };
    let mut nodes: Vec<TreeNode> = nodes.iter().map(node).collect();
    // Preorder: callees come after their callers.
    for at in (0..nodes.len()).rev() {
        let below = nodes[at].cpu_ns;
        if let Ok(parent) = usize::try_from(nodes[at].parent) {
            nodes[parent].cpu_ns = nodes[parent].cpu_ns.zip(below).map(|(sum, ns)| sum.saturating_add(ns));
        }
    }
    nodes
}

pub(super) fn states(times: [u64; ThreadState::COUNT]) -> States {
    let time = |state: ThreadState| times[state as usize];
    States {
        on_cpu: time(ThreadState::OnCpu),
        waiting_for_gil: time(ThreadState::WaitingForGil),
        waiting_for_core: time(ThreadState::Waiting),
        blocked: time(ThreadState::Blocked),
        unknown: time(ThreadState::Unknown),
    }
}

fn calls(data: &SessionData) -> Vec<TreeNode> {
    let nodes = preorder_by(data.call_tree.nodes.clone(), |a, b| (b.total_ns, a.symbol).cmp(&(a.total_ns, b.symbol)));
    let node = |node: &CallTreeNode| {
        let symbol = &data.symbols[node.symbol];
        TreeNode {
            parent: node.parent.map_or(-1, i64::from),
            name: symbol.name.clone(),
            file: words::file(symbol),
            line: words::line(symbol),
            thread_kind: None,
            count: node.calls,
            weight_ns: node.total_ns,
            self_ns: node.self_ns,
            cpu_ns: None,
            self_cpu_ns: None,
            self_states_ns: None,
        }
    };
    nodes.iter().map(node).collect()
}
