//! The interpreter's own context watcher, 3.14 and newer.

use pyo3::ffi;
use pyo3::prelude::*;
use std::ffi::c_int;
use std::sync::atomic::{AtomicI32, Ordering};

/// Number of our watcher; -1 = none. Changed with the GIL held.
static WATCHER: AtomicI32 = AtomicI32::new(-1);

/// Adds it; false when all places for watchers are taken.
pub(super) fn add(py: Python<'_>) -> bool {
    clear(py);
    // SAFETY: the GIL is held; the callback has the right type and lives as long as the process.
    let watcher = unsafe { ffi::PyContext_AddWatcher(on_switch) };
    if watcher < 0 {
        drop(PyErr::take(py));
        return false;
    }
    WATCHER.store(watcher, Ordering::Relaxed);
    true
}

/// Takes it away, if it is there.
pub(super) fn clear(py: Python<'_>) {
    let watcher = WATCHER.swap(-1, Ordering::Relaxed);
    // SAFETY: the GIL is held; the number is the one that was given to us.
    if watcher >= 0 && unsafe { ffi::PyContext_ClearWatcher(watcher) } < 0 {
        drop(PyErr::take(py));
    }
}

unsafe extern "C" fn on_switch(event: ffi::PyContextEvent, _context: *mut ffi::PyObject) -> c_int {
    if event == ffi::Py_CONTEXT_SWITCHED {
        // SAFETY: the interpreter calls its watchers with the GIL held.
        unsafe { super::switched() };
    }
    0
}
