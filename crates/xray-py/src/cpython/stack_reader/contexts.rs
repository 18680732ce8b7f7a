//! Whose code a thread runs: the value of xray's variable in the context that the thread is in.
//!
//! A label for the thread would not do: on an event loop, and with greenlets, it runs the code of many transactions in
//! turn. A context is a mapping that never changes (a hash array mapped trie, PEP 567): `ContextVar.set` makes a new one
//! and puts it in the old one's place. So its nodes are copied like stacks are, and whoever asks looks afterwards
//! whether the thread is still in that context. The value is an address that is only compared.
//!
//! Contexts and nodes are laid out the same in Python 3.11 to 3.15; [`Contexts::learn`] checks it by experiment.

use super::super::context;
use super::snapshot::word_in;
use super::visit::StateWords;
use crate::os::memory::{Memory, Region};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyList;

/// Offsets in `PyObject`, `PyContext`, `PyHamtObject`, and in the two kinds of nodes.
const TYPE: usize = 8;
const CONTEXT_VARS: usize = 24;
const ROOT: usize = 16;
const BITMAP: usize = 24;
const PAIRS: usize = 32;
const CHILDREN: usize = 16;
/// Bits of the hash that choose a child, and levels: the hash has 32 bits.
const BITS: u32 = 5;
const LEVELS: u32 = 7;
/// Variables of the test's large context: enough for its root to be the other kind of node.
const MANY: usize = 64;

/// Finds the variable's value in contexts.
pub(super) struct Contexts {
    memory: Memory,
    /// Address of the variable, and its hash as the trie uses it.
    variable: usize,
    hash: u32,
    /// Addresses of types; 0 until they are known.
    context_type: usize,
    bitmap_type: usize,
    array_type: usize,
}

impl Contexts {
    /// Looks how this interpreter keeps contexts.
    ///
    /// # Errors
    /// When it does so differently.
    pub(super) fn learn(py: Python<'_>) -> Result<Self, String> {
        let said = |error: PyErr| format!("contexts cannot be examined: {}", error.value(py));
        let variable = context::variable(py).map_err(said)?.bind(py);
        let hash = variable.hash().map_err(said)? as u64;
        // As CPython's `hamt_hash`: -1 means an error there.
        let hash = match (hash ^ (hash >> 32)) as u32 {
            u32::MAX => u32::MAX - 1,
            hash => hash,
        };
        let mut this = Self {
            memory: Memory::of_this_process(),
            variable: variable.as_ptr() as usize,
            hash,
            context_type: &raw const ffi::PyContext_Type as usize,
            bitmap_type: 0,
            array_type: 0,
        };
        let is_as_expected = context::inside_new(py, |context| this.experiment(py, context)).map_err(said)?;
        if is_as_expected { Ok(this) } else { Err("contexts are not laid out as expected".to_owned()) }
    }

    /// Learns the kinds of nodes from an empty context that the calling thread is in.
    fn experiment(&mut self, py: Python<'_>, context: usize) -> PyResult<bool> {
        let value = PyList::empty(py);
        let expected = Some(value.as_ptr() as usize);
        let without = self.value(context);
        context::set(py, value.as_any())?;
        self.bitmap_type = self.type_of_root(context);
        let small = self.value(context);
        context::set_others(py, MANY)?;
        self.array_type = self.type_of_root(context);
        let large = self.value(context);
        Ok((without, small, large) == (None, expected, expected) && self.array_type != self.bitmap_type)
    }

    /// The address of the variable's value; `None` without one, and for everything that is not as it should be, or changes
    /// meanwhile.
    pub(super) fn value(&mut self, context: usize) -> Option<usize> {
        let root = self.root(context)?;
        let value = self.value_below(root)?;
        // A variable that was set meanwhile has put another mapping in place, and this one may be gone.
        (self.root(context)? == root).then_some(value)
    }

    fn value_below(&mut self, mut node: usize) -> Option<usize> {
        for level in 0..LEVELS {
            let index = (self.hash >> (level * BITS)) & ((1 << BITS) - 1);
            let head = self.read::<PAIRS>(node)?;
            let kind = word_in(&head, TYPE)? as usize;
            if kind == self.array_type {
                node = self.word(node + CHILDREN + 8 * index as usize)?;
                continue;
            }
            let bitmap = u32::from_le_bytes(*head.get(BITMAP..)?.first_chunk()?);
            if kind != self.bitmap_type || bitmap & (1 << index) == 0 {
                return None;
            }
            let pairs_before = (bitmap & ((1 << index) - 1)).count_ones() as usize;
            let pair = self.read::<16>(node + PAIRS + 16 * pairs_before)?;
            let (key, value) = (word_in(&pair, 0)? as usize, word_in(&pair, 8)? as usize);
            match key {
                // What is below goes on with the next bits of the hash.
                0 => node = value,
                key if key == self.variable => return Some(value),
                _ => return None,
            }
        }
        None
    }

    /// Whether a thread's state, whose context and counter are at an address, still says what it said.
    pub(super) fn is_entered(&mut self, at: usize, words: &StateWords) -> bool {
        let said = [words.context as u64, words.context_version].map(u64::to_le_bytes).concat();
        self.read::<16>(at).is_some_and(|now| now[..] == said[..])
    }

    fn root(&mut self, context: usize) -> Option<usize> {
        let context = self.read::<{ CONTEXT_VARS + 8 }>(context)?;
        if word_in(&context, TYPE)? as usize != self.context_type {
            return None;
        }
        self.word(word_in(&context, CONTEXT_VARS)? as usize + ROOT)
    }

    fn type_of_root(&mut self, context: usize) -> usize {
        self.root(context).and_then(|root| self.word(root + TYPE)).unwrap_or(0)
    }

    fn word(&mut self, at: usize) -> Option<usize> {
        Some(word_in(&self.read::<8>(at)?, 0)? as usize)
    }

    fn read<const LEN: usize>(&mut self, at: usize) -> Option<[u8; LEN]> {
        let mut bytes = [0; LEN];
        let whole =
            at != 0 && at.is_multiple_of(8) && self.memory.read(&[Region { at, len: LEN }], &mut bytes).ok()? == LEN;
        whole.then_some(bytes)
    }
}
