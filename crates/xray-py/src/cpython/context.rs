//! The context variable that carries the transaction, and the cheap check whether the context has changed.
//!
//! A thread's state has a counter (`context_ver`) that takes a new value whenever another context is entered: by
//! `Context.run`, at every step of an asyncio task, at a greenlet switch. "Same value as before" therefore means "same
//! context as before", at the price of one load (research: 0.5 to 2.5 ns).

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use std::ffi::c_char;

/// Offset of `context_ver` in `PyThreadState` (GIL builds, 64 bit), by minor version; [`self_test`] checks it.
#[cfg(not(Py_3_12))]
const CONTEXT_VERSION: usize = 232;
#[cfg(all(Py_3_12, not(Py_3_15)))]
const CONTEXT_VERSION: usize = 216;
#[cfg(Py_3_15)]
const CONTEXT_VERSION: usize = 240;

static VARIABLE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The context variable; created at the first use.
fn variable(py: Python<'_>) -> PyResult<&Py<PyAny>> {
    VARIABLE.get_or_try_init(py, || {
        // SAFETY: a constant C string and no default; the result is a new reference or NULL with an exception.
        unsafe {
            let made = ffi::PyContextVar_New(c"xray.transaction".as_ptr().cast::<c_char>(), std::ptr::null_mut());
            Bound::from_owned_ptr_or_err(py, made).map(Bound::unbind)
        }
    })
}

/// The value in the current context; `None` when there is none.
pub(crate) fn get(py: Python<'_>) -> Option<Bound<'_, PyAny>> {
    let variable = VARIABLE.get(py)?;
    let mut value = std::ptr::null_mut();
    // SAFETY: the variable is a ContextVar and the GIL is held; `value` receives a new reference or NULL. The call can
    // fail only for an object of another type.
    unsafe {
        if ffi::PyContextVar_Get(variable.as_ptr(), std::ptr::null_mut(), &raw mut value) < 0 {
            ffi::PyErr_Clear();
            return None;
        }
        Bound::from_owned_ptr_or_opt(py, value)
    }
}

/// Sets the value in the current context.
pub(crate) fn set(py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let variable = variable(py)?;
    // SAFETY: as in `get`; the token is a new reference or NULL with an exception.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyContextVar_Set(variable.as_ptr(), value.as_ptr())).map(drop) }
}

/// The calling thread's context counter.
///
/// # Safety
/// The GIL must be held.
#[inline(always)]
pub(crate) unsafe fn version() -> u64 {
    // SAFETY: with the GIL held there is a thread state; the field is inside it and 8-byte aligned (`self_test`).
    unsafe { ffi::PyThreadState_Get().cast::<u8>().add(CONTEXT_VERSION).cast::<u64>().read() }
}

/// Checks by experiment that [`version`] reads what it should: it changes inside `Context.run` and only there.
///
/// # Errors
/// When this interpreter is laid out differently: then nothing may rely on it.
pub(crate) fn self_test(py: Python<'_>) -> PyResult<()> {
    let contextvars = py.import("contextvars")?;
    let probe = pyo3::types::PyCFunction::new_closure(py, None, None, |_, _| {
        // SAFETY: Python calls this, so the GIL is held.
        unsafe { version() }
    })?;
    // SAFETY: the GIL is held (`py`).
    let read = || unsafe { version() };
    let before = read();
    let mut seen = vec![before];
    for _ in 0..3 {
        let inside: u64 = contextvars.call_method0("copy_context")?.call_method1("run", (&probe,))?.extract()?;
        seen.push(inside);
        // Leaving a context counts as a change too, so the value need not come back; it must not be the inner one.
        if read() == inside {
            return Err(PyRuntimeError::new_err("the context counter did not move when a context was left"));
        }
    }
    seen.sort_unstable();
    seen.dedup();
    let spread = seen.last().zip(seen.first()).map_or(u64::MAX, |(last, first)| last - first);
    if seen.len() != 4 || spread > 1_000_000 {
        return Err(PyRuntimeError::new_err("the context counter is not where this version of xray expects it"));
    }
    Ok(())
}
