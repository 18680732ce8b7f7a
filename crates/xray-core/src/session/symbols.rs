//! The symbols of one process: each key resolved once, each symbol written once and before it is used.

use super::SymbolSource;
use crate::limits::{SYMBOL_BATCH, SYMBOL_TEXT_BYTES, SYMBOLS};
use crate::model::{Symbol, SymbolId, SymbolKind, SymbolTable};
use crate::trace::CallKey;
use rustc_hash::FxHashMap;
use std::collections::HashSet;

/// What is known of keys so far.
#[derive(Debug)]
pub(super) struct SymbolBook {
    by_key: FxHashMap<CallKey, SymbolId>,
    table: SymbolTable,
    written: usize,
    capacity: usize,
    other: SymbolId,
}

impl SymbolBook {
    pub(super) fn new() -> Self {
        Self::with_capacity(SYMBOLS)
    }

    fn with_capacity(capacity: usize) -> Self {
        let mut table = SymbolTable::default();
        let other = table.intern(symbol(SymbolKind::Other, "other functions".to_owned()));
        Self { by_key: FxHashMap::default(), table, written: 0, capacity, other }
    }

    /// The symbol of what a bound cut.
    pub(super) fn other(&self) -> SymbolId {
        self.other
    }

    /// Resolves the keys that are new, a few at a time: the source may hold the GIL meanwhile. Returns how many of
    /// them did not fit.
    pub(super) fn learn(&mut self, keys: impl Iterator<Item = CallKey>, source: &mut dyn SymbolSource) -> u64 {
        let mut seen = HashSet::new();
        let mut lost = 0;
        let unknown: Vec<CallKey> =
            keys.filter(|key| !self.by_key.contains_key(key)).filter(|key| seen.insert(*key)).collect();
        for keys in unknown.chunks(SYMBOL_BATCH) {
            let mut symbols = source.resolve(keys).into_iter();
            for key in keys {
                let known = match symbols.next() {
                    Some(symbol) => self.add(*key, symbol),
                    None => {
                        self.know(*key, self.other);
                        true
                    }
                };
                lost += u64::from(!known);
            }
        }
        lost
    }

    /// The symbol of a key that someone else has resolved. False when it did not fit.
    pub(super) fn add(&mut self, key: CallKey, symbol: Symbol) -> bool {
        let id = self.intern(symbol);
        self.know(key, id.unwrap_or(self.other));
        id.is_some()
    }

    fn know(&mut self, key: CallKey, id: SymbolId) {
        // Keys are bounded too: functions made anew for each request share one symbol.
        if self.by_key.len() < 2 * self.capacity {
            self.by_key.insert(key, id);
        }
    }

    /// The symbol of a key that was learnt.
    pub(super) fn of(&self, key: CallKey) -> SymbolId {
        self.known(key).unwrap_or(self.other)
    }

    /// The symbol of a key, if it was learnt.
    pub(super) fn known(&self, key: CallKey) -> Option<SymbolId> {
        self.by_key.get(&key).copied()
    }

    /// The symbol of a transaction or thread.
    pub(super) fn root(&mut self, kind: SymbolKind, name: &str) -> SymbolId {
        let name = if kind == SymbolKind::Thread { without_numbers(name) } else { name.to_owned() };
        self.intern(symbol(kind, name)).unwrap_or(self.other)
    }

    /// The symbols that the part does not have yet, and the id of the first.
    pub(super) fn unwritten(&self) -> (u32, &[Symbol]) {
        (self.written as u32, &self.table.entries()[self.written..])
    }

    pub(super) fn mark_written(&mut self) {
        self.written = self.table.entries().len();
    }

    fn intern(&mut self, mut symbol: Symbol) -> Option<SymbolId> {
        for text in [&mut symbol.name, &mut symbol.file, &mut symbol.detail] {
            text.truncate(text.floor_char_boundary(SYMBOL_TEXT_BYTES));
        }
        if self.table.entries().len() < self.capacity {
            return Some(self.table.intern(symbol));
        }
        self.table.find(&symbol)
    }
}

fn symbol(kind: SymbolKind, name: String) -> Symbol {
    Symbol { kind, name, file: String::new(), line: 0, detail: String::new() }
}

/// `ThreadPoolExecutor-0_3` is `ThreadPoolExecutor-N_N`: the threads of a pool are one in the call tree.
fn without_numbers(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for character in name.chars() {
        match (character.is_ascii_digit(), out.ends_with('N')) {
            (true, true) => {}
            (true, false) => out.push('N'),
            (false, _) => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names every key by its number; counts what it is asked.
    #[derive(Default)]
    struct Numbers {
        asked: Vec<usize>,
    }

    impl SymbolSource for Numbers {
        fn resolve(&mut self, keys: &[CallKey]) -> Vec<Symbol> {
            self.asked.push(keys.len());
            keys.iter().map(|key| symbol(SymbolKind::Function, key.0.to_string())).collect()
        }

        fn thread_name(&mut self, _: u64) -> Option<String> {
            None
        }
    }

    #[test]
    fn each_key_is_resolved_once_in_small_batches() {
        let (mut book, mut source) = (SymbolBook::new(), Numbers::default());
        let keys = || (0..600).chain(0..600).map(|key| CallKey(2 * key));
        assert_eq!(book.learn(keys(), &mut source), 0);
        book.learn(keys(), &mut source);
        assert_eq!(source.asked, [256, 256, 88]);
        assert!(book.add(CallKey(4_000), symbol(SymbolKind::Function, "4".to_owned())));
        assert_eq!(book.of(CallKey(4_000)), book.of(CallKey(4)));
        let (first, symbols) = book.unwritten();
        assert_eq!((first, symbols.len()), (0, 601));
        assert_eq!(symbols[book.of(CallKey(4)).0 as usize].name, "4");
        book.mark_written();
        assert_eq!(book.unwritten(), (601, &[][..]));
    }

    #[test]
    fn functions_beyond_the_bound_are_other_functions_and_counted() {
        let (mut book, mut source) = (SymbolBook::with_capacity(3), Numbers::default());
        assert_eq!(book.learn((1..=5).map(|key| CallKey(2 * key)), &mut source), 3);
        assert_ne!(book.of(CallKey(4)), book.other());
        assert_eq!(book.of(CallKey(8)), book.other());
    }

    #[test]
    fn a_source_that_answers_too_little_leaves_the_rest_unknown() {
        struct Silent;
        impl SymbolSource for Silent {
            fn resolve(&mut self, _: &[CallKey]) -> Vec<Symbol> {
                Vec::new()
            }

            fn thread_name(&mut self, _: u64) -> Option<String> {
                None
            }
        }
        let mut book = SymbolBook::new();
        book.learn([CallKey(2)].into_iter(), &mut Silent);
        assert_eq!(book.of(CallKey(2)), book.other());
    }

    #[test]
    fn threads_of_a_pool_share_a_name() {
        assert_eq!(without_numbers("ThreadPoolExecutor-12_3"), "ThreadPoolExecutor-N_N");
        assert_eq!(without_numbers("worker"), "worker");
    }
}
