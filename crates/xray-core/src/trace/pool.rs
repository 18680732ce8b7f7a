//! The nodes of the call tree, in one preallocated array, and the lookup of a node's child.

use super::allowance::Allowance;
use super::index::{INDEX_BYTES, Index, hash};

use crate::limits::TRACE_BYTES;

/// No node.
pub(super) const NONE: u32 = u32::MAX;

/// The root: the transaction, or a thread that it started.
pub(super) const ROOT: u32 = 0;

/// Set in the key of a marked node: no lookup in the hot path finds it, so marking costs the others nothing. Keys are
/// addresses or small numbers: none has it of itself.
const MARKED: u64 = 1 << 63;

/// Parents with more children than this use the index instead of walking the siblings.
const WIDE: u16 = 16;

/// What every call touches: one cache line.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Node {
    /// As the hot path compares it; everybody else asks [`Self::key`].
    pub(super) key: u64,
    pub(super) total: u64,
    pub(super) min: u64,
    pub(super) max: u64,
    pub(super) calls: u64,
    pub(super) resumes: u64,
    first_child: u32,
    next_sibling: u32,
    /// The child that was entered last, where the search for the next one starts; never a hidden one.
    pub(super) last_child: u32,
    children: u16,
    /// xray's own code: not counted, its callees belong to its parent.
    pub(super) hidden: bool,
}

impl Node {
    /// What is called.
    pub(super) fn key(&self) -> u64 {
        self.key & !MARKED
    }

    pub(super) fn is_marked(&self) -> bool {
        self.key & MARKED != 0
    }

    /// Whether the present trace took this path.
    pub(super) fn is_used(&self) -> bool {
        self.calls + self.resumes > 0 || self.hidden && self.min == 0
    }

    /// The present trace takes this path of a hidden function, which is not counted.
    pub(super) fn use_hidden(&mut self) {
        self.min = 0;
    }

    fn forget_counts(&mut self, last_child: u32) {
        (self.total, self.min, self.max) = (0, u64::MAX, 0);
        (self.calls, self.resumes, self.last_child) = (0, 0, last_child);
    }

    pub(super) fn mark(&mut self) {
        self.key |= MARKED;
    }
}

/// What few calls touch.
#[derive(Clone, Debug, Default)]
pub(super) struct Rare {
    pub(super) parent: u32,
    pub(super) errors: u32,
    pub(super) recursion_depth: u32,
    pub(super) rows: u64,
    /// Ticks in calls from this node that have no node.
    pub(super) folded: u64,
}

/// Result of [`Pool::child`].
pub(super) enum Child {
    Known(u32),
    New(u32),
    /// It has no node, and no node is free.
    Full,
}

/// The nodes of one recorder. Paths stay from one trace to the next, without their counts: requests for one page take
/// nearly the same ones, and a path that is there costs less than half of a new one.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Pool {
    pub(super) nodes: Vec<Node>,
    pub(super) rare: Vec<Rare>,
    most: usize,
    wide: Index,
    /// There may be paths that only earlier traces took.
    has_earlier: bool,
}

/// Nodes of a new pool.
const FIRST: usize = 16;
/// Memory of one node.
const NODE_BYTES: usize = size_of::<Node>() + size_of::<Rare>() + INDEX_BYTES;
/// Left for everything else, when nodes take memory: a quarter of a trace's.
const KEEP: usize = TRACE_BYTES / 4;

impl Pool {
    /// A pool for at most so many nodes, if there is memory.
    pub(super) fn new(most: usize) -> Self {
        let most = most.clamp(1, usize::from(u16::MAX));
        Self { nodes: Vec::new(), rare: Vec::new(), most, wide: Index::default(), has_earlier: false }
    }

    /// Makes the root. Memory and paths from before are taken from the allowance, or given up.
    pub(super) fn begin(&mut self, memory: &Allowance) {
        let held = self.nodes.capacity().max(FIRST.min(self.most));
        if held > FIRST && !memory.take(held * NODE_BYTES, KEEP) {
            *self = Self::new(self.most);
        }
        if held <= FIRST || self.nodes.capacity() == 0 {
            memory.take_anyway(FIRST.min(self.most) * NODE_BYTES);
            self.reserve(FIRST.min(self.most).saturating_sub(self.nodes.len()));
        }
        self.has_earlier = !self.nodes.is_empty();
        if self.nodes.is_empty() {
            self.push(0, NONE);
        }
    }

    /// Gives up all paths.
    pub(super) fn clear(&mut self) {
        self.nodes.clear();
        self.rare.clear();
        self.wide.clear();
    }

    /// A trace has ended: its paths stay, unless most of them are those of others.
    pub(super) fn forget_counts(&mut self) {
        let mut used = 0;
        for at in 0..self.nodes.len() {
            if !self.nodes[at].is_used() {
                continue;
            }
            used += 1;
            let first = self.nodes[at].first_child;
            let starts_hidden = self.nodes.get(first as usize).is_some_and(|child| child.hidden);
            self.nodes[at].forget_counts(if starts_hidden { NONE } else { first });
            self.rare[at] = Rare { parent: self.rare[at].parent, ..Rare::default() };
        }
        if 2 * used < self.nodes.len() {
            self.clear();
        }
    }

    /// Gives up the paths that only earlier traces took; where each node is now, or `None` when there were no such paths.
    #[cold]
    pub(super) fn forget_earlier(&mut self) -> Option<Vec<u32>> {
        if !std::mem::take(&mut self.has_earlier) {
            return None;
        }
        let mut places = vec![NONE; self.nodes.len()];
        let mut tails: Vec<u32> = Vec::new();
        for at in 0..self.nodes.len() {
            // Parents come before their children. Those of a node in use are in use.
            let parent = places.get(self.rare[at].parent as usize).copied().unwrap_or(NONE);
            if !self.nodes[at].is_used() {
                continue;
            }
            let id = tails.len() as u32;
            places[at] = id;
            tails.push(NONE);
            self.nodes.swap(id as usize, at);
            self.rare.swap(id as usize, at);
            self.rare[id as usize].parent = parent;
            let node = &mut self.nodes[id as usize];
            (node.first_child, node.next_sibling, node.last_child, node.children) = (NONE, NONE, NONE, 0);
            let Some(tail) = tails.get(parent as usize).copied() else { continue };
            match tail {
                NONE => self.nodes[parent as usize].first_child = id,
                before => self.nodes[before as usize].next_sibling = id,
            }
            tails[parent as usize] = id;
            self.nodes[parent as usize].children += 1;
        }
        self.nodes.truncate(tails.len());
        self.rare.truncate(tails.len());
        self.wide.clear();
        for at in 0..self.nodes.len() {
            if self.nodes[at].children > WIDE {
                self.index_children(at as u32);
            }
        }
        (tails.len() < places.len()).then_some(places)
    }

    fn reserve(&mut self, more: usize) {
        self.nodes.reserve_exact(more);
        self.rare.reserve_exact(more);
    }

    /// Room for one more node.
    fn has_room(&mut self, memory: &Allowance) -> bool {
        let now = self.nodes.len();
        if now < self.nodes.capacity() {
            return true;
        }
        let Some(more) = memory.grow(now, self.most, NODE_BYTES, KEEP) else { return false };
        self.reserve(more);
        true
    }

    /// Memory in use.
    pub(super) fn bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>() + self.rare.capacity() * size_of::<Rare>() + self.wide.bytes()
    }

    /// The child of `parent` with this key, if it is the one that was entered last or the one after it, which after the
    /// last child is the first; then the caller says that it was entered.
    #[inline(always)]
    pub(super) fn near_child(&self, parent: u32, key: u64) -> Option<u32> {
        let Node { last_child: last, first_child: first, .. } = self.nodes[parent as usize];
        let node = self.nodes.get(last as usize)?;
        if node.key == key {
            return Some(last);
        }
        let next = if node.next_sibling == NONE { first } else { node.next_sibling };
        let node = self.nodes.get(next as usize)?;
        (node.key == key && !node.hidden).then_some(next)
    }

    /// So many calls of this node are directly nested.
    #[inline(always)]
    pub(super) fn deepen(&mut self, node: u32, depth: u16) {
        let deepest = &mut self.rare[node as usize].recursion_depth;
        *deepest = (*deepest).max(u32::from(depth));
    }

    /// The child of `parent` with this key. Callees mostly come in the same order again, so the search begins after
    /// the last one and goes round.
    pub(super) fn child(&mut self, parent: u32, key: u64, memory: &Allowance) -> Child {
        let Node { last_child: last, first_child: first, children, .. } = self.nodes[parent as usize];
        if children > WIDE {
            let (nodes, rare) = (&self.nodes, &self.rare);
            let is = |at: u32| nodes[at as usize].key() == key && rare[at as usize].parent == parent;
            return match self.wide.find(hash(key, u64::from(parent)), is) {
                Some(found) => self.found(parent, found),
                None => self.insert(parent, last, key, memory),
            };
        }
        let mut tail = last;
        let mut at = last;
        while at != NONE {
            let node = &self.nodes[at as usize];
            if node.key() == key {
                return self.found(parent, at);
            }
            tail = at;
            at = node.next_sibling;
        }
        at = first;
        while at != last {
            let node = &self.nodes[at as usize];
            if node.key() == key {
                return self.found(parent, at);
            }
            if last == NONE {
                tail = at;
            }
            at = node.next_sibling;
        }
        self.insert(parent, tail, key, memory)
    }

    /// The node of xray's own code: found again by every path to it, and counted by none.
    pub(super) fn hide(&mut self, id: u32) {
        self.nodes[id as usize].hidden = true;
        self.nodes[id as usize].use_hidden();
        let parent = self.rare[id as usize].parent;
        if let Some(parent) = self.nodes.get_mut(parent as usize)
            && parent.last_child == id
        {
            parent.last_child = NONE;
        }
    }

    fn found(&mut self, parent: u32, child: u32) -> Child {
        if !self.nodes[child as usize].hidden {
            self.nodes[parent as usize].last_child = child;
        }
        Child::Known(child)
    }

    #[cold]
    fn insert(&mut self, parent: u32, after: u32, key: u64, memory: &Allowance) -> Child {
        if !self.has_room(memory) {
            return Child::Full;
        }
        let id = self.push(key, parent);
        if after == NONE {
            self.nodes[id as usize].next_sibling = self.nodes[parent as usize].first_child;
            self.nodes[parent as usize].first_child = id;
        } else {
            self.nodes[id as usize].next_sibling = self.nodes[after as usize].next_sibling;
            self.nodes[after as usize].next_sibling = id;
        }
        let node = &mut self.nodes[parent as usize];
        node.last_child = id;
        node.children += 1;
        match node.children {
            ..=WIDE => {}
            children if children == WIDE + 1 => self.index_children(parent),
            _ => self.index_child(id),
        }
        Child::New(id)
    }

    fn index_child(&mut self, id: u32) {
        let (nodes, rare) = (&self.nodes, &self.rare);
        self.wide.add(id, |at| hash(nodes[at as usize].key(), u64::from(rare[at as usize].parent)));
    }

    fn index_children(&mut self, parent: u32) {
        let mut at = self.nodes[parent as usize].first_child;
        while at != NONE {
            self.index_child(at);
            at = self.nodes[at as usize].next_sibling;
        }
    }

    fn push(&mut self, key: u64, parent: u32) -> u32 {
        let id = self.nodes.len() as u32;
        self.nodes.push(Node {
            key,
            total: 0,
            min: u64::MAX,
            max: 0,
            calls: 0,
            resumes: 0,
            first_child: NONE,
            next_sibling: NONE,
            last_child: NONE,
            children: 0,
            hidden: false,
        });
        self.rare.push(Rare { parent, ..Rare::default() });
        id
    }

    /// Visits the nodes, parents before their children and a subtree whole before the next one; nothing below those of
    /// which `visit` says false.
    pub(super) fn preorder(&self, mut visit: impl FnMut(u32, &Node, &Rare) -> bool) {
        let mut pending = Vec::new();
        let mut at = if self.nodes.is_empty() { NONE } else { ROOT };
        while at != NONE {
            let node = &self.nodes[at as usize];
            let goes_below = visit(at, node, &self.rare[at as usize]) && node.first_child != NONE;
            if goes_below && node.next_sibling != NONE {
                pending.push(node.next_sibling);
            }
            at = match (goes_below, node.next_sibling) {
                (true, _) => node.first_child,
                (false, NONE) => pending.pop().unwrap_or(NONE),
                (false, next) => next,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_fills_one_cache_line() {
        assert_eq!(size_of::<Node>(), 64);
    }

    #[test]
    fn children_are_found_again_few_or_many_in_any_order() {
        let mut pool = Pool::new(1_000);
        let memory = Allowance::default();
        pool.begin(&memory);
        let mut ids = Vec::new();
        for key in 1..=300_u64 {
            match pool.child(ROOT, key, &memory) {
                Child::New(id) => ids.push(id),
                _ => panic!("{key} is new"),
            }
        }
        for step in 0..300_usize {
            let at = step * 7 % 300;
            assert!(matches!(pool.child(ROOT, at as u64 + 1, &memory), Child::Known(id) if id == ids[at]));
        }
        let mut seen = 0;
        pool.preorder(|_, _, _| {
            seen += 1;
            true
        });
        assert_eq!(seen, 301);
    }

    #[test]
    fn a_full_pool_says_so_and_still_finds_what_it_has() {
        let mut pool = Pool::new(3);
        let memory = Allowance::default();
        pool.begin(&memory);
        assert!(matches!(pool.child(ROOT, 10, &memory), Child::New(1)));
        assert!(matches!(pool.child(1, 20, &memory), Child::New(2)));
        assert!(matches!(pool.child(1, 30, &memory), Child::Full));
        assert!(matches!(pool.child(ROOT, 40, &memory), Child::Full));
        assert!(matches!(pool.child(1, 20, &memory), Child::Known(2)));
    }
}
