//! The only way for an agent thread to reach Python, and the way to end that for good.
//!
//! A native thread that asks for the GIL after the interpreter has begun to end is killed or hangs inside CPython. So
//! the `atexit` hook closes this gate while the interpreter is still whole: it waits for the threads that are inside
//! (with the GIL released, so that they can finish), and lets none in afterwards.
//!
//! A forked child must not touch the parent's gate (a thread that exists no more may be inside), so it gets its own.

use arc_swap::ArcSwapOption;
use pyo3::Python;
use std::sync::{Arc, PoisonError, RwLock};

static GATE: ArcSwapOption<RwLock<bool>> = ArcSwapOption::const_empty();

/// Opens a new gate, forgetting the old one: when the agent's first thread starts.
pub(crate) fn open() {
    if let Some(old) = GATE.swap(Some(Arc::new(RwLock::new(false)))) {
        // Its lock may be held by a thread of the parent process: it is never touched again, not even to free it.
        std::mem::forget(old);
    }
}

/// Runs `body` with the GIL, from an agent thread; `None` once the gate is closed.
pub(crate) fn attached<R>(body: impl FnOnce(Python<'_>) -> R) -> Option<R> {
    let gate = GATE.load_full()?;
    let closed = gate.read().unwrap_or_else(PoisonError::into_inner);
    if *closed { None } else { Python::try_attach(body) }
}

/// Closes the gate; returns when no agent thread is inside.
pub(crate) fn close(py: Python<'_>) {
    py.detach(|| {
        if let Some(gate) = GATE.load_full() {
            *gate.write().unwrap_or_else(PoisonError::into_inner) = true;
        }
    });
}
