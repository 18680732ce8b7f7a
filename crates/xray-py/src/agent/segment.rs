//! Segments that integrations report: SQL statements, templates, calls to other services.

use super::state::STATE;
use crate::cpython::{frames, gc_pauses, slot};
use pyo3::prelude::*;
use std::collections::HashMap;
use xray_core::limits::{SEGMENTS, SQL_STATEMENTS};
use xray_core::model::{Symbol, SymbolKind};
use xray_core::sql;
use xray_core::trace::{CallKey, Exit};

/// The segments of one session, each with its key.
pub(crate) struct SegmentTable {
    symbols: Vec<Symbol>,
    index: HashMap<Symbol, u64>,
    statements: HashMap<String, Statement>,
}

/// What is known of the text of a statement.
#[derive(Clone)]
struct Statement {
    name: String,
    /// Obfuscated.
    detail: String,
    /// Its segment when it was last sent.
    last: Option<CallKey>,
}

impl SegmentTable {
    pub(crate) fn new() -> Self {
        let mut table = Self { symbols: Vec::new(), index: HashMap::new(), statements: HashMap::new() };
        // The first ids are those of the collector's pauses, which cannot ask for one.
        for generation in 0..gc_pauses::GENERATIONS {
            let name = format!("GC generation {generation}");
            let key =
                table.key(Symbol { kind: SymbolKind::Gc, name, file: String::new(), line: 0, detail: String::new() });
            debug_assert_eq!(key, gc_pauses::key(generation));
        }
        table
    }

    /// The key of a segment: odd, so that it is never the address of a code object.
    fn key(&mut self, symbol: Symbol) -> CallKey {
        if let Some(id) = self.index.get(&symbol) {
            return CallKey(id << 1 | 1);
        }
        let symbol = if self.symbols.len() < SEGMENTS {
            symbol
        } else {
            // A name that carries data (an id in a cache key) must not fill the memory: the rest share one name.
            Symbol {
                name: "(other segments)".to_owned(),
                file: String::new(),
                line: 0,
                detail: String::new(),
                ..symbol
            }
        };
        let id = *self.index.entry(symbol.clone()).or_insert_with(|| {
            self.symbols.push(symbol);
            self.symbols.len() as u64 - 1
        });
        CallKey(id << 1 | 1)
    }

    /// Name and obfuscated text of a statement, worked out once per statement.
    fn statement(&mut self, text: &str, vendor: &str) -> Statement {
        if let Some(known) = self.statements.get(text) {
            return known.clone();
        }
        let dialect = sql::Dialect::from_vendor(vendor);
        let name = sql::summarize(text, dialect).name();
        let made = Statement { name, detail: sql::obfuscate(text, dialect), last: None };
        if self.statements.len() >= SQL_STATEMENTS {
            self.statements.clear();
        }
        self.statements.insert(text.to_owned(), made.clone());
        made
    }

    /// The key of a statement that is sent now.
    fn key_of_statement(&mut self, text: &str, symbol: Symbol) -> CallKey {
        let key = self.key(symbol);
        if let Some(statement) = self.statements.get_mut(text) {
            statement.last = Some(key);
        }
        key
    }

    /// The symbol of an odd key.
    pub(crate) fn symbol(&self, key: CallKey) -> Option<&Symbol> {
        self.symbols.get((key.0 >> 1) as usize)
    }
}

/// Opens a segment in the trace of the current context.
///
/// A call that leaves the process is one segment, however many layers of clients it goes through: of calls to services,
/// caches and queues only the outermost one of its kind is a segment.
pub(crate) fn enter(py: Python<'_>, kind: SymbolKind, name: &str, detail: &str) -> bool {
    if !slot::is_tracing(py) {
        return false;
    }
    let outermost = matches!(kind, SymbolKind::External | SymbolKind::Cache | SymbolKind::Queue);
    if outermost && is_any_open(py, |open| open.kind == kind) {
        return false;
    }
    let symbol = Symbol { kind, name: name.to_owned(), file: String::new(), line: 0, detail: detail.to_owned() };
    key_of(py, symbol).is_some_and(|key| slot::enter_segment(py, key))
}

/// Opens a segment for an SQL statement, with the place in the application that sent it. Not inside one for the same
/// statement: a framework's, a toolkit's and the driver's cursor pass it on to one another. With `again` it goes on: its
/// rows are fetched.
pub(crate) fn enter_sql(py: Python<'_>, text: &str, vendor: &str, again: bool) -> bool {
    if !slot::is_tracing(py) {
        return false;
    }
    let known = STATE.with(py, |state| Some(state.recording.as_mut()?.segments.statement(text, vendor))).flatten();
    let Some(Statement { name, detail, last }) = known else { return false };
    if is_any_open(py, |open| open.kind == SymbolKind::Sql && open.name == name) {
        return false;
    }
    if let Some(key) = last.filter(|_| again) {
        return slot::resume_segment(py, key);
    }
    let (file, line) = frames::call_site(py).unwrap_or_default();
    let symbol = Symbol { kind: SymbolKind::Sql, name, file, line, detail };
    let key = STATE.with(py, |state| Some(state.recording.as_mut()?.segments.key_of_statement(text, symbol))).flatten();
    key.is_some_and(|key| match again {
        true => slot::resume_segment(py, key),
        false => slot::enter_segment(py, key),
    })
}

fn is_any_open(py: Python<'_>, wanted: impl Fn(&Symbol) -> bool) -> bool {
    let found = STATE.with(py, |state| {
        let segments = &state.recording.as_ref()?.segments;
        slot::open_segments(py, |open| open.iter().any(|key| segments.symbol(*key).is_some_and(&wanted)))
    });
    found.flatten().unwrap_or(false)
}

fn key_of(py: Python<'_>, symbol: Symbol) -> Option<CallKey> {
    STATE.with(py, |state| Some(state.recording.as_mut()?.segments.key(symbol))).flatten()
}

/// Closes the innermost open segment; `rows` below 0 means unknown.
///
/// How the call came out (a status, a hit or a miss) is known only now, when the segment's time has long been counted
/// under its name: so it is a node of its own below it, without a duration.
pub(crate) fn leave(py: Python<'_>, rows: i64, failed: bool, outcome: Option<&str>) {
    if let Some(outcome) = outcome
        && let Some(Some(key)) = slot::open_segments(py, |open| open.last().copied())
    {
        let marker = STATE.with(py, |state| {
            let segments = &mut state.recording.as_mut()?.segments;
            let Symbol { kind, name, .. } = segments.symbol(key)?;
            let (kind, name) = (*kind, format!("{name}: {outcome}"));
            Some(segments.key(Symbol { kind, name, file: String::new(), line: 0, detail: String::new() }))
        });
        if let Some(marker) = marker.flatten() {
            slot::mark(py, marker);
        }
    }
    slot::leave_segment(py, u64::try_from(rows).unwrap_or(0), if failed { Exit::Unwind } else { Exit::Return });
}
