//! Names for what was recorded, read under the GIL in small batches, from the collector's thread.

use super::state::STATE;
use crate::cpython::{code, frames};
use crate::gate;
use pyo3::Python;
use xray_core::model::{Symbol, SymbolKind};
use xray_core::session::SymbolSource;
use xray_core::trace::CallKey;

/// Names read per hold of the GIL: 64 take some 40 us, so no thread of the application waits longer than that.
const BATCH: usize = 64;

/// Resolves code objects and segments of the running session.
pub(crate) struct Symbols;

impl SymbolSource for Symbols {
    fn resolve(&mut self, keys: &[CallKey]) -> Vec<Symbol> {
        let mut symbols = Vec::with_capacity(keys.len());
        for batch in keys.chunks(BATCH) {
            match gate::attached(|py| batch.iter().map(|key| symbol(py, *key)).collect::<Vec<_>>()) {
                Some(found) => symbols.extend(found),
                None => symbols.extend(batch.iter().map(|_| unknown())),
            }
        }
        symbols
    }

    fn thread_name(&mut self, ident: u64) -> Option<String> {
        gate::attached(|py| frames::known_thread_name(py, ident))?
    }
}

fn symbol(py: Python<'_>, key: CallKey) -> Symbol {
    let found = if key.0 & 1 == 1 {
        STATE.with(py, |state| state.recording.as_ref()?.segments.symbol(key).cloned()).flatten()
    } else {
        code::symbol(py, key)
    };
    found.unwrap_or_else(unknown)
}

/// Code that did not fit the bound of pinned code objects.
fn unknown() -> Symbol {
    Symbol {
        kind: SymbolKind::Other,
        name: "(other functions)".to_owned(),
        file: String::new(),
        line: 0,
        detail: String::new(),
    }
}
