//! Names of what was seen: Python functions and the segments that integrations report.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SymbolKind {
    /// The transaction itself: the root of a trace.
    Transaction,
    /// A Python function: `name` is its qualified name.
    Function,
    /// One SQL statement shape: `name` is `blog_post - SELECT`, `detail` the obfuscated statement.
    Sql,
    /// A template or a block of one: `Render/blog/tag_detail.html`, `Block/content`.
    Template,
    /// A call to another service.
    External,
    /// A cache operation.
    Cache,
    /// A message queue operation.
    Queue,
    /// A pause of the garbage collector.
    Gc,
    /// Time in which a coroutine waited and no code of the transaction ran in its thread: `await sleep`, with the place
    /// of the function that waited.
    Await,
    /// A thread or task started by the transaction, as root of its own part of the trace.
    Thread,
    /// What a bound cut: "other functions".
    Other,
}

/// A name, its place, and what else is known of it for certain.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol {
    /// What the name stands for.
    pub kind: SymbolKind,
    /// Qualified name of a function, or the segment's name.
    pub name: String,
    /// Source file; empty when there is none. For SQL and templates: the file of the call site.
    pub file: String,
    /// First line of the function (1-based), or the line of the call site; 0 when unknown.
    pub line: u32,
    /// Obfuscated SQL statement, URL without query, ...; empty when there is none.
    pub detail: String,
}

/// Index into a [`SymbolTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SymbolId(pub u32);

/// All symbols of a session, each once.
#[derive(Clone, Debug, Default)]
pub struct SymbolTable {
    entries: Vec<Symbol>,
    /// Hash to id; of symbols with the same hash the later ones stand at the next free number. The symbols themselves
    /// are not kept a second time: a table may have hundreds of thousands.
    index: HashMap<u64, SymbolId>,
    hasher: RandomState,
}

impl PartialEq for SymbolTable {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl Eq for SymbolTable {}

impl SymbolTable {
    /// The id of `symbol`, which is added when it is new.
    pub fn intern(&mut self, symbol: Symbol) -> SymbolId {
        self.place(&symbol).unwrap_or_else(|free| {
            let id = SymbolId(self.entries.len() as u32);
            self.entries.push(symbol);
            self.index.insert(free, id);
            id
        })
    }

    /// The id of `symbol`, if it is there.
    pub fn find(&self, symbol: &Symbol) -> Option<SymbolId> {
        self.place(symbol).ok()
    }

    /// Its id, or the place in the index where it belongs.
    fn place(&self, symbol: &Symbol) -> Result<SymbolId, u64> {
        let mut hash = self.hasher.hash_one(symbol);
        while let Some(id) = self.index.get(&hash) {
            if self.entries[id.0 as usize] == *symbol {
                return Ok(*id);
            }
            hash = hash.wrapping_add(1);
        }
        Err(hash)
    }

    /// The symbol with this id, or `None` for an id of another table.
    pub fn get(&self, id: SymbolId) -> Option<&Symbol> {
        self.entries.get(id.0 as usize)
    }

    /// All symbols; the position is the id.
    pub fn entries(&self) -> &[Symbol] {
        &self.entries
    }

    /// All symbols; the position was the id.
    pub fn into_entries(self) -> Vec<Symbol> {
        self.entries
    }
}

impl std::ops::Index<SymbolId> for SymbolTable {
    type Output = Symbol;

    fn index(&self, id: SymbolId) -> &Symbol {
        &self.entries[id.0 as usize]
    }
}
