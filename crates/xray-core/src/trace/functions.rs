//! Exact totals by function for the calls whose path has no node: what is left when the pool is full.

use super::allowance::Allowance;
use super::index::{INDEX_BYTES, Index, hash};

/// Position of the entry that stands for the functions without one. Below the bit that tells a position from a node.
const REST: u32 = (1 << 31) - 1;

/// Totals of one function.
#[derive(Clone, Debug)]
pub(super) struct Function {
    pub(super) key: u64,
    pub(super) calls: u64,
    pub(super) resumes: u64,
    pub(super) errors: u64,
    pub(super) rows: u64,
    pub(super) total: u64,
    pub(super) self_ticks: u64,
    pub(super) min: u64,
    pub(super) max: u64,
    /// Calls of it that are open.
    pub(super) active: u32,
    pub(super) recursion_depth: u32,
    pub(super) hidden: bool,
}

impl Function {
    fn new(key: u64) -> Self {
        Self {
            key,
            calls: 0,
            resumes: 0,
            errors: 0,
            rows: 0,
            total: 0,
            self_ticks: 0,
            min: u64::MAX,
            max: 0,
            active: 0,
            recursion_depth: 0,
            hidden: false,
        }
    }

    pub(super) fn count(&mut self, is_call: bool) {
        self.calls += u64::from(is_call);
        self.resumes += u64::from(!is_call);
    }

    /// Takes back a first [`Self::count`] and hides the function; the number of calls taken back, `None` when it was
    /// not the first.
    pub(super) fn hide(&mut self) -> Option<u64> {
        let calls = self.calls;
        (self.calls + self.resumes == 1).then(|| {
            (self.calls, self.resumes, self.active, self.hidden) = (0, 0, 0, true);
            calls
        })
    }
}

/// Memory of one function.
const FUNCTION_BYTES: usize = size_of::<Function>() + INDEX_BYTES;

/// The functions of one recorder, and one entry for all that had no memory left.
#[derive(Debug)]
pub(super) struct Functions {
    entries: Vec<Function>,
    most: usize,
    index: Index,
    rest: Function,
}

impl Functions {
    /// For at most so many functions, if there is memory.
    pub(super) fn new(most: usize) -> Self {
        Self { entries: Vec::new(), most, index: Index::default(), rest: Function::new(0) }
    }

    /// Empties it, and gives its memory up: few traces need it.
    pub(super) fn clear(&mut self) {
        if self.entries.capacity() > 0 {
            *self = Self::new(self.most);
        }
        self.rest = Function::new(0);
    }

    /// The position of the function, and whether it is new.
    pub(super) fn position(&mut self, key: u64, memory: &Allowance) -> (u32, bool) {
        let entries = &self.entries;
        if let Some(found) = self.index.find(hash(key, 0), |at| entries[at as usize].key == key) {
            return (found, false);
        }
        if self.entries.len() == self.entries.capacity() {
            let now = self.entries.len();
            match memory.grow(now, self.most, FUNCTION_BYTES, 0) {
                Some(more) => self.entries.reserve_exact(more),
                None => return (REST, false),
            }
        }
        let position = self.entries.len() as u32;
        self.entries.push(Function::new(key));
        let entries = &self.entries;
        self.index.add(position, |at| hash(entries[at as usize].key, 0));
        (position, true)
    }

    /// Memory in use.
    pub(super) fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Function>() + self.index.bytes()
    }

    pub(super) fn at(&mut self, position: u32) -> &mut Function {
        self.entries.get_mut(position as usize).unwrap_or(&mut self.rest)
    }

    /// All functions in order of their first call.
    pub(super) fn entries(&self) -> &[Function] {
        &self.entries
    }

    /// What stands for the functions beyond the bound.
    pub(super) fn rest(&self) -> &Function {
        &self.rest
    }
}
