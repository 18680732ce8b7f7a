//! Stacks as one tree of frames: what stacks have in common is kept once, and a stack is one number.

use crate::limits::STACK_NODES;
use crate::model::Symbol;
use crate::trace::CallKey;
use rustc_hash::FxHashMap;

/// One function on a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameAt {
    /// Its code.
    pub code: CallKey,
    /// The line that ran in it; 0 when unknown.
    pub line: u32,
}

/// A stack, by the number of its innermost frame in [`Stacks`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct StackId(u32);

impl StackId {
    /// No frames.
    pub const EMPTY: Self = Self(0);

    /// The `index`-th node that was added is the innermost frame.
    pub(super) fn of_node(index: usize) -> Self {
        Self(index as u32 + 1)
    }

    /// Its innermost frame's node, if it has one.
    pub(super) fn node(self) -> Option<usize> {
        self.0.checked_sub(1).map(|index| index as usize)
    }
}

/// A frame and the stack that it was called from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StackNode {
    /// The stack of its caller.
    pub caller: StackId,
    /// The frame.
    pub frame: FrameAt,
}

/// All stacks seen so far, and the names that only their reader knows. Numbers hold within one epoch: a full tree is
/// emptied between two ticks, and a new epoch begins.
#[derive(Debug)]
pub struct Stacks {
    nodes: Vec<StackNode>,
    index: FxHashMap<StackNode, StackId>,
    names: Vec<(CallKey, Symbol)>,
    epoch: u64,
    /// Nodes that the collector has.
    sent: usize,
    capacity: usize,
}

impl Default for Stacks {
    fn default() -> Self {
        Self::with_capacity(STACK_NODES)
    }
}

impl Stacks {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { nodes: Vec::new(), index: FxHashMap::default(), names: Vec::new(), epoch: 0, sent: 0, capacity }
    }

    /// The stack of `frame` called from `caller`; `None` when there is no room for one more.
    pub fn below(&mut self, caller: StackId, frame: FrameAt) -> Option<StackId> {
        let node = StackNode { caller, frame };
        if let Some(known) = self.index.get(&node) {
            return Some(*known);
        }
        if self.nodes.len() >= self.capacity {
            return None;
        }
        let id = StackId::of_node(self.nodes.len());
        self.nodes.push(node);
        self.index.insert(node, id);
        Some(id)
    }

    /// The stack of these frames, innermost first; `None` when there is no room for it.
    pub fn of(&mut self, innermost_first: &[FrameAt]) -> Option<StackId> {
        innermost_first.iter().rev().try_fold(StackId::EMPTY, |caller, frame| self.below(caller, *frame))
    }

    /// Names a key that was not in any stack before: to be called before the tick in which it first occurs has ended.
    pub fn name(&mut self, key: CallKey, symbol: Symbol) {
        self.names.push((key, symbol));
    }

    /// Numbers of another epoch mean nothing any more.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether a new epoch should begin: what one more tick adds might not fit.
    pub(super) fn is_filling(&self) -> bool {
        self.nodes.len() > self.capacity / 2
    }

    /// Forgets all stacks. Names that were not sent are kept.
    pub(super) fn begin_epoch(&mut self) {
        self.nodes.clear();
        self.index.clear();
        (self.epoch, self.sent) = (self.epoch + 1, 0);
    }

    /// What the collector does not have: number of the first node, nodes, names.
    pub(crate) fn unsent(&self) -> (u32, &[StackNode], &[(CallKey, Symbol)]) {
        (self.sent as u32, &self.nodes[self.sent..], &self.names)
    }

    pub(crate) fn mark_sent(&mut self) {
        self.sent = self.nodes.len();
        self.names.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(key: u64) -> FrameAt {
        FrameAt { code: CallKey(2 * key), line: key as u32 }
    }

    #[test]
    fn equal_stacks_have_one_number_and_what_they_share_is_kept_once() {
        let mut stacks = Stacks::default();
        let first = stacks.of(&[at(3), at(2), at(1)]).unwrap();
        let caller = stacks.of(&[at(2), at(1)]).unwrap();
        assert_eq!(stacks.below(caller, at(3)), Some(first));
        assert_ne!(stacks.of(&[at(4), at(2), at(1)]), Some(first));
        assert_eq!(stacks.of(&[]), Some(StackId::EMPTY));
        let (number, nodes, _) = stacks.unsent();
        assert_eq!((number, nodes.len()), (0, 4));
        assert_eq!(nodes[2].caller, caller);
    }

    #[test]
    fn a_full_tree_refuses_and_a_new_epoch_begins_empty() {
        let mut stacks = Stacks::with_capacity(3);
        assert!(stacks.of(&[at(3), at(2), at(1)]).is_some());
        assert!(stacks.is_filling());
        assert_eq!(stacks.of(&[at(4)]), None);
        assert!(stacks.of(&[at(2), at(1)]).is_some(), "what is there is found");
        stacks.begin_epoch();
        assert_eq!((stacks.epoch(), stacks.of(&[at(4)])), (1, Some(StackId::of_node(0))));
    }

    #[test]
    fn what_was_sent_is_not_sent_again() {
        let mut stacks = Stacks::default();
        stacks.of(&[at(2), at(1)]);
        stacks.mark_sent();
        stacks.of(&[at(3), at(2), at(1)]);
        let (number, nodes, _) = stacks.unsent();
        assert_eq!((number, nodes), (2, &[StackNode { caller: StackId::of_node(1), frame: at(3) }][..]));
    }
}
