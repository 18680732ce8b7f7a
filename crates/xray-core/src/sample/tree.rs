//! Samples aggregated by stack.

use crate::limits::SAMPLE_TREE_NODES;
use crate::model::{SampleTree, SampleTreeNode, SymbolId, ThreadKind, ThreadState};
use crate::path_tree::PathTree;

/// A frame whose names are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The function.
    pub symbol: SymbolId,
    /// The line that ran in it, 0 when unknown.
    pub line: u32,
}

/// What one sample counts.
#[derive(Clone, Copy, Debug)]
struct Amount {
    kind: ThreadKind,
    state: ThreadState,
    weight_ns: u64,
    cpu_ns: u64,
}

/// The sample tree of one process while it grows. Counts and weights are exact: a stack that does not fit counts
/// whole, by kind, in one "other" node.
#[derive(Debug)]
pub struct SampleTreeBuilder {
    tree: PathTree<SampleTreeNode>,
}

impl Default for SampleTreeBuilder {
    fn default() -> Self {
        Self::with_capacity(SAMPLE_TREE_NODES)
    }
}

impl SampleTreeBuilder {
    fn with_capacity(nodes: usize) -> Self {
        Self { tree: PathTree::new(nodes) }
    }

    /// Adds one sample; `stack` is its frames, outermost first, `other` the symbol for stacks that do not fit. False
    /// when this one did not.
    pub fn add(&mut self, sample: &super::Sample, stack: &[Placed], other: SymbolId) -> bool {
        let amount =
            Amount { kind: sample.kind, state: sample.state, weight_ns: sample.weight_ns, cpu_ns: sample.cpu_ns };
        let fits = !stack.is_empty() && self.new_nodes(sample.kind, stack) <= self.tree.room();
        if !fits {
            self.tree.add_anyway(None, node(Placed { symbol: other, line: 0 }, amount, true));
            return stack.is_empty();
        }
        let mut above = None;
        for (position, frame) in stack.iter().enumerate() {
            above = self.tree.add(above, node(*frame, amount, position + 1 == stack.len()));
        }
        true
    }

    /// What was added since the last call.
    pub fn take(&mut self) -> SampleTree {
        let blank = |node: &SampleTreeNode| SampleTreeNode {
            count: 0,
            self_count: 0,
            weight_ns: 0,
            self_ns: 0,
            self_cpu_ns: 0,
            self_states: [0; 4],
            ..node.clone()
        };
        SampleTree { nodes: self.tree.take(blank) }
    }

    /// Whether nothing was added since the last [`Self::take`].
    pub fn is_unchanged(&self) -> bool {
        self.tree.is_unchanged()
    }

    /// Nodes that the stack needs and that are not there.
    fn new_nodes(&self, kind: ThreadKind, stack: &[Placed]) -> usize {
        let mut above = None;
        for (position, frame) in stack.iter().enumerate() {
            above = self.tree.find(above, (kind, frame.symbol, frame.line));
            if above.is_none() {
                return stack.len() - position;
            }
        }
        0
    }
}

fn node(at: Placed, amount: Amount, is_innermost: bool) -> SampleTreeNode {
    let mut self_states = [0; 4];
    self_states[amount.state as usize] = u64::from(is_innermost);
    let own = |value: u64| if is_innermost { value } else { 0 };
    SampleTreeNode {
        parent: None,
        symbol: at.symbol,
        line: at.line,
        kind: amount.kind,
        count: 1,
        self_count: own(1),
        weight_ns: amount.weight_ns,
        self_ns: own(amount.weight_ns),
        self_cpu_ns: own(amount.cpu_ns),
        self_states,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TreeSum;
    use crate::sample::Sample;
    use proptest::prelude::*;

    const OTHER: SymbolId = SymbolId(99);

    fn sample(kind: ThreadKind, weight_ns: u64) -> Sample {
        let state = ThreadState::OnCpu;
        Sample { thread: 1, kind, state, trace: None, weight_ns, cpu_ns: weight_ns / 2, torn: false, frames: 0..0 }
    }

    fn add(tree: &mut SampleTreeBuilder, symbols: &[u32], kind: ThreadKind, weight_ns: u64) -> bool {
        let stack: Vec<_> = symbols.iter().map(|s| Placed { symbol: SymbolId(*s), line: s * 10 }).collect();
        tree.add(&sample(kind, weight_ns), &stack, OTHER)
    }

    #[test]
    fn a_stack_counts_in_each_of_its_nodes_and_its_end_in_the_innermost() {
        let mut tree = SampleTreeBuilder::default();
        add(&mut tree, &[1, 2], ThreadKind::Web, 10);
        add(&mut tree, &[1, 2, 3], ThreadKind::Web, 20);
        add(&mut tree, &[1, 2], ThreadKind::Other, 40);
        let nodes = tree.take().nodes;
        let seen: Vec<_> = nodes.iter().map(|n| (n.parent, n.symbol.0, n.kind, n.weight_ns, n.self_ns)).collect();
        assert_eq!(
            seen,
            [
                (None, 1, ThreadKind::Web, 30, 0),
                (Some(0), 2, ThreadKind::Web, 30, 10),
                (Some(1), 3, ThreadKind::Web, 20, 20),
                (None, 1, ThreadKind::Other, 40, 0),
                (Some(3), 2, ThreadKind::Other, 40, 40),
            ]
        );
        assert!(tree.is_unchanged() && tree.take().nodes.is_empty());
        add(&mut tree, &[1, 2, 3], ThreadKind::Web, 5);
        let nodes = tree.take().nodes;
        assert_eq!(nodes.iter().map(|n| n.weight_ns).collect::<Vec<_>>(), [5, 5, 5], "only what was added");
    }

    proptest! {
        #[test]
        fn weights_are_exact_in_pieces_and_beyond_the_bound(
            stacks in prop::collection::vec((prop::collection::vec(0_u32..6, 0..6), 1_u64..100, any::<bool>()), 0..80),
            capacity in 1_usize..40,
        ) {
            let mut bounded = SampleTreeBuilder::with_capacity(capacity);
            let mut sum = TreeSum::default();
            let (mut weight, mut lost) = (0, 0);
            for (stack, ns, flush) in &stacks {
                weight += ns;
                lost += u64::from(!add(&mut bounded, stack, ThreadKind::Target, *ns));
                if *flush {
                    sum.add(&bounded.take().nodes, |s| s);
                }
            }
            sum.add(&bounded.take().nodes, |s| s);
            let nodes = sum.into_sorted_preorder();
            prop_assert!(nodes.len() <= capacity + 1);
            prop_assert_eq!(nodes.iter().map(|n| n.self_ns).sum::<u64>(), weight);
            prop_assert_eq!(nodes.iter().filter(|n| n.parent.is_none()).map(|n| n.weight_ns).sum::<u64>(), weight);
            let others: u64 = nodes.iter().filter(|n| n.symbol == OTHER).map(|n| n.count).sum();
            let frameless = stacks.iter().filter(|(stack, ..)| stack.is_empty()).count() as u64;
            prop_assert_eq!(others, lost + frameless);
        }
    }
}
