//! Samples aggregated by stack.

use super::batch::Sample;
use super::stacks::StackId;
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

/// A node of the sampler's stacks.
#[derive(Clone, Copy, Debug)]
struct Known {
    caller: StackId,
    at: Placed,
    /// Its node in the tree, by kind.
    nodes: [InTree; 4],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InTree {
    NotYet,
    Node(u32),
    /// There was no room for it, and will not be.
    Other,
}

/// The sample tree of one process while it grows. Counts and weights are exact: a stack that does not fit counts
/// whole, by kind, in one "other" node.
#[derive(Debug)]
pub struct SampleTreeBuilder {
    /// Nodes hold what ended there; [`Self::take`] adds up.
    tree: PathTree<SampleTreeNode>,
    stacks: Vec<Known>,
    epoch: u64,
}

impl Default for SampleTreeBuilder {
    fn default() -> Self {
        Self::with_capacity(SAMPLE_TREE_NODES)
    }
}

impl SampleTreeBuilder {
    fn with_capacity(nodes: usize) -> Self {
        Self { tree: PathTree::new(nodes), stacks: Vec::new(), epoch: 0 }
    }

    /// Takes in nodes of stacks, numbered from `first` in this epoch: each with the stack of its caller.
    pub fn learn(&mut self, epoch: u64, first: u32, nodes: impl Iterator<Item = (StackId, Placed)>) {
        if epoch != self.epoch {
            self.stacks.clear();
            self.epoch = epoch;
        }
        self.stacks.truncate(first as usize);
        self.stacks.extend(nodes.map(|(caller, at)| Known { caller, at, nodes: [InTree::NotYet; 4] }));
    }

    /// Adds a sample; `other` is the symbol for stacks that do not fit. False when this one did not.
    pub fn add(&mut self, sample: &Sample, other: SymbolId) -> bool {
        let place = self.place(sample.seen.stack, sample.seen.kind);
        match place {
            InTree::Node(node) => self.tree.add_at(node, &ends_here(sample, Placed { symbol: other, line: 0 })),
            InTree::NotYet | InTree::Other => {
                self.tree.add_anyway(None, ends_here(sample, Placed { symbol: other, line: 0 }));
            }
        }
        place != InTree::Other
    }

    /// What was added since the last call.
    pub fn take(&mut self) -> SampleTree {
        let blank = |node: &SampleTreeNode| SampleTreeNode {
            parent: node.parent,
            ..empty(node.kind, Placed { symbol: node.symbol, line: node.line })
        };
        let mut nodes = self.tree.take(blank);
        // Preorder: callees come after their callers.
        for at in (0..nodes.len()).rev() {
            let SampleTreeNode { parent, count, weight_ns, .. } = nodes[at];
            if let Some(parent) = parent {
                nodes[parent as usize].count += count;
                nodes[parent as usize].weight_ns += weight_ns;
            }
        }
        SampleTree { nodes }
    }

    /// Whether nothing was added since the last [`Self::take`].
    pub fn is_unchanged(&self) -> bool {
        self.tree.is_unchanged()
    }

    /// The innermost frame of a stack, and the stack of its caller.
    pub fn frame(&self, stack: StackId) -> Option<(Placed, StackId)> {
        let known = self.stacks.get(stack.node()?)?;
        Some((known.at, known.caller))
    }

    /// Where a stack is in the tree; a stack without frames is nowhere.
    fn place(&mut self, stack: StackId, kind: ThreadKind) -> InTree {
        // From its innermost frame out to one whose place is known.
        let mut path = Vec::new();
        let mut above = None;
        let mut next = stack.node();
        while let Some(known) = next.and_then(|at| self.stacks.get(at)) {
            match known.nodes[kind as usize] {
                InTree::Node(node) => {
                    above = Some(node);
                    break;
                }
                InTree::Other => return InTree::Other,
                InTree::NotYet => {}
            }
            path.extend(next);
            next = known.caller.node();
        }
        if path.is_empty() {
            return above.map_or(InTree::NotYet, InTree::Node);
        }
        if self.new_nodes(above, kind, &path) > self.tree.room() {
            self.stacks[path[0]].nodes[kind as usize] = InTree::Other;
            return InTree::Other;
        }
        let mut place = InTree::NotYet;
        for at in path.into_iter().rev() {
            let known = &mut self.stacks[at];
            let node = self.tree.add_anyway(above, empty(kind, known.at));
            place = InTree::Node(node);
            known.nodes[kind as usize] = place;
            above = Some(node);
        }
        place
    }

    /// Nodes of a path, innermost first, that are not in the tree below `above`.
    fn new_nodes(&self, mut above: Option<u32>, kind: ThreadKind, path: &[usize]) -> usize {
        for (position, at) in path.iter().enumerate().rev() {
            let Placed { symbol, line } = self.stacks[*at].at;
            above = self.tree.find(above, (kind, symbol, line));
            if above.is_none() {
                return position + 1;
            }
        }
        0
    }
}

fn empty(kind: ThreadKind, at: Placed) -> SampleTreeNode {
    SampleTreeNode {
        parent: None,
        symbol: at.symbol,
        line: at.line,
        kind,
        count: 0,
        self_count: 0,
        weight_ns: 0,
        self_ns: 0,
        self_cpu_ns: 0,
        self_states: [0; ThreadState::COUNT],
    }
}

fn ends_here(sample: &Sample, at: Placed) -> SampleTreeNode {
    let Sample { seen, count, weight_ns, .. } = *sample;
    let mut node = SampleTreeNode {
        count,
        self_count: count,
        weight_ns,
        self_ns: weight_ns,
        self_cpu_ns: seen.cpu_ns,
        ..empty(seen.kind, at)
    };
    node.self_states[seen.state as usize] = weight_ns;
    node
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TreeSum;
    use crate::sample::{FrameAt, Seen, Stacks};
    use crate::trace::CallKey;
    use proptest::prelude::*;

    const OTHER: SymbolId = SymbolId(99);

    /// A tree and the stacks that are added to it: symbol n at line 10 n.
    #[derive(Default)]
    struct Rig {
        tree: SampleTreeBuilder,
        stacks: Stacks,
    }

    impl Rig {
        fn with_capacity(nodes: usize) -> Self {
            Self { tree: SampleTreeBuilder::with_capacity(nodes), stacks: Stacks::default() }
        }

        fn add(&mut self, outermost_first: &[u32], kind: ThreadKind, weight_ns: u64) -> bool {
            let frame = |symbol: &u32| FrameAt { code: CallKey(u64::from(2 * symbol)), line: symbol * 10 };
            let frames: Vec<_> = outermost_first.iter().rev().map(frame).collect();
            let stack = self.stacks.of(&frames).unwrap();
            let (first, nodes, _) = self.stacks.unsent();
            self.tree.learn(
                0,
                first,
                nodes.iter().map(|node| {
                    let FrameAt { code, line } = node.frame;
                    (node.caller, Placed { symbol: SymbolId(code.0 as u32 / 2), line })
                }),
            );
            self.stacks.mark_sent();
            let (state, cpu_ns) = (ThreadState::OnCpu, weight_ns / 2);
            let seen = Seen { thread: 1, kind, state, trace: None, cpu_ns, torn: false, stack };
            self.tree.add(&Sample { seen, count: 1, weight_ns, at_ns: 0 }, OTHER)
        }
    }

    #[test]
    fn a_stack_counts_in_each_of_its_nodes_and_its_end_in_the_innermost() {
        let mut rig = Rig::default();
        rig.add(&[1, 2], ThreadKind::Web, 10);
        rig.add(&[1, 2, 3], ThreadKind::Web, 20);
        rig.add(&[1, 2], ThreadKind::Other, 40);
        let nodes = rig.tree.take().nodes;
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
        assert!(rig.tree.is_unchanged() && rig.tree.take().nodes.is_empty());
        rig.add(&[1, 2, 3], ThreadKind::Web, 5);
        let nodes = rig.tree.take().nodes;
        assert_eq!(nodes.iter().map(|n| n.weight_ns).collect::<Vec<_>>(), [5, 5, 5], "only what was added");
    }

    proptest! {
        #[test]
        fn weights_are_exact_in_pieces_and_beyond_the_bound(
            stacks in prop::collection::vec((prop::collection::vec(0_u32..6, 0..6), 1_u64..100, any::<bool>()), 0..80),
            capacity in 1_usize..40,
        ) {
            let mut bounded = Rig::with_capacity(capacity);
            let mut sum = TreeSum::default();
            let (mut weight, mut lost) = (0, 0);
            for (stack, ns, flush) in &stacks {
                weight += ns;
                lost += u64::from(!bounded.add(stack, ThreadKind::Target, *ns));
                if *flush {
                    sum.add(&bounded.tree.take().nodes, |s| s);
                }
            }
            sum.add(&bounded.tree.take().nodes, |s| s);
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
