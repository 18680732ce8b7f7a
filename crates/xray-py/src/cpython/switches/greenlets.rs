//! Greenlets: each has a context of its own, and switching between them is no `Context.run`. greenlet tells of it to a
//! function, one for each thread; whoever had one there before is told too.

use crate::cpython::gil_cell::GilCell;
use crate::cpython::loaded_module;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyCFunction, PyDict, PyTuple};
use rustc_hash::FxHashMap;

struct Thread {
    /// Traces in flight that began in it.
    traces: u32,
    /// Who was told before.
    before: Py<PyAny>,
}

/// By the number of the thread's state.
static THREADS: GilCell<Option<FxHashMap<u64, Thread>>> = GilCell::new(None);
static ON_SWITCH: PyOnceLock<Py<PyCFunction>> = PyOnceLock::new();

/// Follows the greenlets of the running thread until [`let_go`]; false when the application has none.
pub(super) fn follow(py: Python<'_>, thread: u64) -> bool {
    let Some(greenlet) = loaded_module(py, "greenlet") else { return false };
    let known = with_threads(py, |threads| threads.get_mut(&thread).map(|known| known.traces += 1).is_some());
    if known == Some(true) {
        return true;
    }
    let Ok(ours) = on_switch(py) else { return false };
    let Ok(before) = greenlet.call_method1("settrace", (ours,)) else { return false };
    with_threads(py, |threads| threads.insert(thread, Thread { traces: 1, before: before.unbind() })).is_some()
}

/// A trace that began in `thread` has ended.
pub(super) fn let_go(py: Python<'_>, thread: u64) {
    let last = with_threads(py, |threads| {
        threads.get_mut(&thread).is_some_and(|known| {
            known.traces = known.traces.saturating_sub(1);
            known.traces == 0
        })
    });
    // SAFETY: the GIL is held. From another thread the function cannot be taken away: it goes at its next call.
    if last == Some(true) && unsafe { crate::cpython::thread_state::running() }.thread == thread {
        restore(py, thread);
    }
}

fn restore(py: Python<'_>, thread: u64) {
    let known = with_threads(py, |threads| threads.remove(&thread)).flatten();
    let (Some(known), Some(greenlet)) = (known, loaded_module(py, "greenlet")) else { return };
    let is_ours =
        greenlet.call_method0("gettrace").is_ok_and(|present| on_switch(py).is_ok_and(|ours| present.is(ours)));
    // Otherwise somebody has taken our place, and may tell us still: then we do nothing.
    if is_ours && let Err(error) = greenlet.call_method1("settrace", (known.before,)) {
        log::warn!("xray: greenlet's trace function could not be put back: {error}");
    }
}

fn with_threads<R>(py: Python<'_>, body: impl FnOnce(&mut FxHashMap<u64, Thread>) -> R) -> Option<R> {
    THREADS.with(py, |threads| body(threads.get_or_insert_default()))
}

fn on_switch(py: Python<'_>) -> PyResult<&Bound<'_, PyCFunction>> {
    ON_SWITCH
        .get_or_try_init(py, || PyCFunction::new_closure(py, None, None, switch).map(Bound::unbind))
        .map(|ours| ours.bind(py))
}

/// Called by greenlet after each switch, in the greenlet that runs now.
fn switch(arguments: &Bound<'_, PyTuple>, _names: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
    let py = arguments.py();
    // SAFETY: the GIL is held.
    let thread = unsafe {
        super::switched();
        crate::cpython::thread_state::running().thread
    };
    let known =
        with_threads(py, |threads| threads.get(&thread).map(|known| (known.traces, known.before.clone_ref(py))));
    let Some(Some((traces, before))) = known else { return Ok(()) };
    if traces == 0 {
        restore(py, thread);
    }
    // As if it were greenlet's only one: its failure is its own.
    if before.is_none(py) { Ok(()) } else { before.call1(py, arguments).map(drop) }
}
