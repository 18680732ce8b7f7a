//! A tree of paths that never grows beyond a bound and gives out what was added to it, piece by piece.

use crate::model::{PathNode, preorder};
use rustc_hash::FxHashMap;

/// Nodes by path. Each node holds what was added since [`Self::take`]; the paths stay, so that the bound holds for
/// all pieces together.
#[derive(Debug)]
pub(crate) struct PathTree<N: PathNode> {
    nodes: Vec<N>,
    /// Changed since the last piece, or above one that has.
    changed: Vec<bool>,
    changed_nodes: Vec<u32>,
    /// (parent + 1, key) to the node; 0 stands for the roots.
    index: FxHashMap<(u32, N::Key), u32>,
    capacity: usize,
}

impl<N: PathNode> PathTree<N> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            nodes: Vec::new(),
            changed: Vec::new(),
            changed_nodes: Vec::new(),
            index: FxHashMap::default(),
            capacity,
        }
    }

    /// The node below `parent` with this key, if it is there.
    pub(crate) fn find(&self, parent: Option<u32>, key: N::Key) -> Option<u32> {
        self.index.get(&slot::<N>(parent, key)).copied()
    }

    /// Whether `at` is the node below `parent` with this key.
    pub(crate) fn is_at(&self, at: u32, parent: Option<u32>, key: N::Key) -> bool {
        self.nodes.get(at as usize).is_some_and(|node| node.parent() == parent && node.key() == key)
    }

    /// How many more nodes fit.
    pub(crate) fn room(&self) -> usize {
        self.capacity.saturating_sub(self.nodes.len())
    }

    /// Adds to the node below `parent`; `None` when it is not there and does not fit.
    pub(crate) fn add(&mut self, parent: Option<u32>, node: N) -> Option<u32> {
        (self.room() > 0 || self.find(parent, node.key()).is_some()).then(|| self.add_anyway(parent, node))
    }

    /// Adds to the node below `parent` beyond the bound: for the few nodes that stand for what did not fit.
    pub(crate) fn add_anyway(&mut self, parent: Option<u32>, mut node: N) -> u32 {
        node.set_parent(parent);
        let at = *self.index.entry(slot::<N>(parent, node.key())).or_insert(self.nodes.len() as u32);
        match self.nodes.get_mut(at as usize) {
            Some(known) => known.absorb(&node),
            None => {
                self.nodes.push(node);
                self.changed.push(false);
            }
        }
        self.mark_changed(at);
        at
    }

    /// Adds to a node that is there.
    pub(crate) fn add_at(&mut self, at: u32, node: &N) {
        self.nodes[at as usize].absorb(node);
        self.mark_changed(at);
    }

    fn mark_changed(&mut self, at: u32) {
        let mut above = Some(at);
        while let Some(changed) = above.filter(|changed| !self.changed[*changed as usize]) {
            self.changed[changed as usize] = true;
            self.changed_nodes.push(changed);
            above = self.nodes[changed as usize].parent();
        }
    }

    /// What was added since the last call, preorder: the nodes that changed and those above them. `blank` makes a
    /// node of the same key with nothing in it.
    pub(crate) fn take(&mut self, blank: impl Fn(&N) -> N) -> Vec<N> {
        let mut changed = std::mem::take(&mut self.changed_nodes);
        // Parents have lower numbers than their children.
        changed.sort_unstable();
        let mut piece: Vec<N> = Vec::with_capacity(changed.len());
        for at in &changed {
            let node = &mut self.nodes[*at as usize];
            let parent = node.parent();
            let empty = blank(node);
            let mut taken = std::mem::replace(node, empty);
            taken.set_parent(parent.and_then(|parent| changed.binary_search(&parent).ok()).map(|at| at as u32));
            piece.push(taken);
            self.changed[*at as usize] = false;
        }
        preorder(piece).0
    }

    /// Whether nothing was added since the last piece.
    pub(crate) fn is_unchanged(&self) -> bool {
        self.changed_nodes.is_empty()
    }
}

fn slot<N: PathNode>(parent: Option<u32>, key: N::Key) -> (u32, N::Key) {
    (parent.map_or(0, |parent| parent + 1), key)
}
