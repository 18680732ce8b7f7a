//! Code objects seen by a session: kept alive while it lasts, so that an address always means the same function.

use super::gil_cell::GilCell;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyCode, PyWeakrefMethods, PyWeakrefReference};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use xray_core::limits::SYMBOLS;
use xray_core::model::{Symbol, SymbolKind};
use xray_core::trace::CallKey;

/// What is known of a code object at once, without its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// A function of xray itself: never shown.
    pub(crate) own: bool,
    /// Below a folder of installed packages or of the standard library: not where a statement was written.
    pub(crate) library: bool,
    /// It suspends its task when it yields: a coroutine, or an asynchronous or coroutine-like generator.
    pub(crate) awaits: bool,
}

struct Pins {
    places: FxHashMap<usize, (Py<PyAny>, Place)>,
    own_directory: String,
    overflow: u64,
}

static PINS: GilCell<Option<Pins>> = GilCell::new(None);

/// What a code object stands for that was compiled from something else than Python.
struct Label {
    code: Py<PyWeakrefReference>,
    kind: SymbolKind,
    name: String,
}

/// By address; looked at only when names are read.
static LABELS: GilCell<BTreeMap<usize, Label>> = GilCell::new(BTreeMap::new());

/// Says what `code` stands for, as long as it lives.
pub(crate) fn label(code: &Bound<'_, PyCode>, kind: SymbolKind, name: String) -> PyResult<()> {
    /// More than any application has templates; those that are gone make room.
    const MOST: usize = 20_000;
    let py = code.py();
    let label = Label { code: PyWeakrefReference::new(code)?.unbind(), kind, name };
    let mut gone = None;
    LABELS.with(py, |labels| {
        if labels.len() >= MOST {
            let dead = labels.iter().filter(|(_, label)| label.code.bind(py).upgrade().is_none());
            let dead: Vec<usize> = dead.map(|(address, _)| *address).collect();
            gone = Some(dead.iter().filter_map(|address| labels.remove(address)).collect::<Vec<_>>());
        }
        if labels.len() < MOST {
            labels.insert(code.as_ptr() as usize, label);
        }
    });
    Ok(())
}

/// The kind and name that were given to `code`.
fn label_of(code: &Bound<'_, PyAny>) -> Option<(SymbolKind, String)> {
    let py = code.py();
    LABELS
        .with(py, |labels| {
            let label = labels.get(&(code.as_ptr() as usize))?;
            // Another code object may have the address of one that is gone.
            label.code.bind(py).upgrade()?.is(code).then(|| (label.kind, label.name.clone()))
        })
        .flatten()
}

const UNKNOWN: Place = Place { own: false, library: false, awaits: false };

/// `CO_COROUTINE | CO_ITERABLE_COROUTINE | CO_ASYNC_GENERATOR`
const AWAITS: u32 = 0x80 | 0x100 | 0x200;

/// Marks a key as the time that tasks waited in this function.
const WAITING: u64 = 2;

/// The segment that stands for waiting in a function.
pub(crate) fn waiting_in(code: CallKey) -> CallKey {
    CallKey(code.0 | WAITING)
}

/// Starts to keep code objects; files below `own_directory` are xray's.
pub(crate) fn start(py: Python<'_>, own_directory: &str) {
    let own_directory = own_directory.to_owned();
    let mut places = FxHashMap::default();
    places.reserve(4096);
    PINS.with(py, |pins| *pins = Some(Pins { places, own_directory, overflow: 0 }));
}

/// Lets all of them go; returns how many did not fit.
pub(crate) fn stop(py: Python<'_>) -> u64 {
    let pins = PINS.with(py, Option::take).flatten();
    // Dropped outside the cell: a code object's end may run weak-reference callbacks, which are Python code.
    pins.map_or(0, |pins| pins.overflow)
}

/// Whether every code object that was recorded is kept alive, so that its address is it alone.
pub(crate) fn keeps_all(py: Python<'_>) -> bool {
    PINS.with(py, |pins| pins.as_ref().is_some_and(|pins| pins.overflow == 0)).unwrap_or(false)
}

/// Keeps `code` alive until the session ends.
///
/// # Safety
/// `code` must be a live code object.
pub(crate) unsafe fn pin(py: Python<'_>, code: *mut ffi::PyObject) -> Place {
    let address = code as usize;
    let known = PINS.with(py, |pins| {
        let pins = pins.as_ref()?;
        pins.places.get(&address).map(|(_, place)| *place)
    });
    if let Some(Some(place)) = known {
        return place;
    }
    // SAFETY: a live object, by the caller's promise; this takes a reference of our own.
    let object = unsafe { Bound::from_borrowed_ptr(py, code) };
    let file = file_name(&object);
    let flags: u32 = object.getattr("co_flags").and_then(|flags| flags.extract()).unwrap_or(0);
    PINS.with(py, |pins| {
        let Some(pins) = pins.as_mut() else { return UNKNOWN };
        if pins.places.len() >= SYMBOLS {
            pins.overflow += 1;
            return UNKNOWN;
        }
        let own = file.starts_with(&pins.own_directory);
        let place = Place { own, library: is_library(&file), awaits: flags & AWAITS != 0 };
        pins.places.insert(address, (object.unbind(), place));
        place
    })
    .unwrap_or(UNKNOWN)
}

fn is_library(file: &str) -> bool {
    file.contains("/site-packages/")
        || file.contains("/dist-packages/")
        || file.starts_with('<')
        || (file.contains("/lib/python3.") && !file.contains("/site-packages/"))
}

fn file_name(code: &Bound<'_, PyAny>) -> String {
    code.getattr("co_filename").and_then(|name| name.extract()).unwrap_or_default()
}

/// The name and place of a pinned code object; `None` for an address that is not pinned.
pub(crate) fn symbol(py: Python<'_>, key: CallKey) -> Option<Symbol> {
    if key.0 & WAITING != 0 {
        // Code objects stand at multiples of eight: the bit is never part of their address.
        let function = symbol(py, CallKey(key.0 & !WAITING))?;
        return Some(Symbol { kind: SymbolKind::Await, name: format!("await {}", function.name), ..function });
    }
    let code = pinned(py, key)?;
    if let Some((kind, name)) = label_of(&code) {
        return Some(Symbol { kind, name, file: file_name(&code), line: 0, detail: String::new() });
    }
    Some(Symbol {
        kind: SymbolKind::Function,
        name: text(&code, "co_qualname").or_else(|| text(&code, "co_name")).unwrap_or_else(|| "?".to_owned()),
        file: file_name(&code),
        line: code.getattr("co_firstlineno").and_then(|line| line.extract()).unwrap_or(0),
        detail: String::new(),
    })
}

/// Text that is not valid Unicode (lone surrogates) is shown with replacement characters, never lost.
fn text(code: &Bound<'_, PyAny>, attribute: &str) -> Option<String> {
    let value = code.getattr(attribute).ok()?;
    let text = value.cast::<pyo3::types::PyString>().ok()?;
    Some(text.to_string_lossy().into_owned())
}

fn pinned<'py>(py: Python<'py>, key: CallKey) -> Option<Bound<'py, PyAny>> {
    PINS.with(py, |pins| pins.as_ref()?.places.get(&(key.0 as usize)).map(|(code, _)| code.clone_ref(py)))
        .flatten()
        .map(|code| code.into_bound(py))
}
