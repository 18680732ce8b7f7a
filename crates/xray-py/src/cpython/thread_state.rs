//! What is read of `PyThreadState` and of contexts, at offsets that [`self_test`] checks by experiment.
//!
//! A thread's state has a counter (`context_ver`) that takes a new value whenever another context is entered: by
//! `Context.run`, at every step of an asyncio task, at a greenlet switch. "Same thread and same value as before"
//! therefore means "same context as before", at the price of two loads (research: 0.5 to 2.5 ns).

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyCFunction;

/// Offset of `context` in `PyThreadState` (GIL builds, 64 bit); `context_ver` and `id` follow it.
#[cfg(not(Py_3_12))]
const CONTEXT: usize = 224;
#[cfg(all(Py_3_12, not(Py_3_15)))]
const CONTEXT: usize = 208;
#[cfg(Py_3_15)]
const CONTEXT: usize = 232;
const CONTEXT_VERSION: usize = CONTEXT + 8;
const ID: usize = CONTEXT + 16;
/// Offset of `thread_id`, which is what `threading.get_ident()` says.
#[cfg(not(any(Py_3_12, Py_3_15)))]
const IDENT: usize = 152;
#[cfg(all(Py_3_12, not(Py_3_13)))]
const IDENT: usize = 136;
#[cfg(all(Py_3_13, not(Py_3_15)))]
const IDENT: usize = 152;
#[cfg(Py_3_15)]
const IDENT: usize = 176;
/// Offset of `tracing`, the number of reasons for which the thread hears no events.
#[cfg(all(Py_3_12, not(Py_3_13)))]
const TRACING: usize = 44;
#[cfg(all(Py_3_13, not(Py_3_15)))]
const TRACING: usize = 60;
#[cfg(Py_3_15)]
const TRACING: usize = 64;
/// Offset of `ctx_prev` in a context: what was current when it was entered.
const ENTERED_FROM: usize = 16;
/// Contexts entered inside one another that are looked through.
const MOST_ENTERED: usize = 32;

/// Whose code runs: a thread, and its present context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Running {
    /// Number of the thread state, never used again in its interpreter.
    pub(crate) thread: u64,
    /// The context counter.
    pub(crate) version: u64,
}

/// Who runs now.
///
/// # Safety
/// The GIL must be held.
#[inline(always)]
pub(crate) unsafe fn running() -> Running {
    // SAFETY: with the GIL held there is a thread state.
    unsafe { running_in(ffi::PyThreadState_Get()) }
}

/// The same, where the thread's state is known already.
///
/// # Safety
/// The GIL must be held, and `state` must be the calling thread's.
#[inline(always)]
pub(crate) unsafe fn running_in(state: *mut ffi::PyThreadState) -> Running {
    // SAFETY: the fields are inside the thread's state and 8-byte aligned (`self_test`).
    unsafe {
        let state = state.cast::<u8>();
        Running { thread: state.add(ID).cast::<u64>().read(), version: state.add(CONTEXT_VERSION).cast::<u64>().read() }
    }
}

/// The calling thread's context counter.
pub(super) fn version_of(_py: Python<'_>) -> u64 {
    // SAFETY: the GIL is held.
    unsafe { running() }.version
}

/// The number of a thread's state.
///
/// # Safety
/// The GIL must be held and `state` alive.
#[cfg(Py_3_12)]
pub(super) unsafe fn id_of(state: *mut ffi::PyThreadState) -> u64 {
    // SAFETY: as in `running`.
    unsafe { state.cast::<u8>().add(ID).cast::<u64>().read() }
}

/// How many reasons a thread has to hear no events.
///
/// # Safety
/// The GIL must be held and `state` alive.
#[cfg(Py_3_12)]
pub(super) unsafe fn tracing_of(state: *mut ffi::PyThreadState) -> std::ffi::c_int {
    // SAFETY: as in `running`; the field is an aligned int.
    unsafe { state.cast::<u8>().add(TRACING).cast::<std::ffi::c_int>().read() }
}

/// The address of the present context (0: none yet), then of those around it, innermost first. Only to be compared.
pub(crate) fn entered_contexts(_py: Python<'_>) -> impl Iterator<Item = usize> {
    // SAFETY: the GIL is held.
    let innermost = unsafe { present_context() };
    std::iter::successors(Some(innermost), |context| {
        // SAFETY: a context that is entered is alive, and so is the one it was entered from. The GIL is not released
        // between two steps of the walk: nothing of this crate does that while it has such an iterator.
        (*context != 0).then(|| unsafe { (*context as *const u8).add(ENTERED_FROM).cast::<usize>().read() })
    })
    .take(MOST_ENTERED)
}

/// The context that each thread of the main interpreter is in, with `threading.get_ident()`; threads without one are
/// left out.
pub(crate) fn context_of_each(py: Python<'_>) -> Vec<(u64, Bound<'_, PyAny>)> {
    let mut all = Vec::new();
    // SAFETY: the GIL is held and nothing in the loop releases it, so the list and its members stay. The fields are as in
    // `running`; a thread's context is alive, or NULL.
    unsafe {
        let mut state = ffi::PyInterpreterState_ThreadHead(ffi::PyInterpreterState_Main());
        while !state.is_null() {
            let ident = state.cast::<u8>().add(IDENT).cast::<u64>().read();
            let context = state.cast::<u8>().add(CONTEXT).cast::<*mut ffi::PyObject>().read();
            all.extend(Bound::from_borrowed_ptr_or_opt(py, context).map(|context| (ident, context)));
            state = ffi::PyThreadState_Next(state);
        }
    }
    all
}

/// # Safety
/// The GIL must be held.
unsafe fn present_context() -> usize {
    // SAFETY: as in `running`.
    unsafe { ffi::PyThreadState_Get().cast::<u8>().add(CONTEXT).cast::<usize>().read() }
}

/// Checks by experiment that the fields are where they should be.
///
/// # Errors
/// When this interpreter is laid out differently: then nothing may rely on it.
pub(crate) fn self_test(py: Python<'_>) -> PyResult<()> {
    let wrong =
        |what: &str| Err(PyRuntimeError::new_err(format!("{what} is not where this version of xray expects it")));
    let contextvars = py.import("contextvars")?;
    let probe = PyCFunction::new_closure(py, None, None, |arguments, _| {
        let around: Vec<usize> = entered_contexts(arguments.py()).collect();
        // SAFETY: Python calls this, so the GIL is held.
        (unsafe { running() }.version, around)
    })?;
    // SAFETY: the GIL is held (`py`).
    let read = || unsafe { running() };
    let before = read();
    // SAFETY: as above; the thread state is alive.
    if before.thread != unsafe { ffi::PyThreadState_GetID(ffi::PyThreadState_Get()) } as u64 {
        return wrong("the number of a thread");
    }
    // SAFETY: as above.
    if unsafe { ffi::PyThreadState_Get().cast::<u8>().add(IDENT).cast::<u64>().read() } != super::thread_ident() {
        return wrong("the identifier of a thread");
    }
    let mut seen = vec![before.version];
    for _ in 0..3 {
        let context = contextvars.call_method0("copy_context")?;
        let (outer, inner) = (context.as_ptr() as usize, contextvars.call_method0("copy_context")?);
        // SAFETY: as above.
        let outside = unsafe { present_context() };
        let nested = context.call_method1("run", (inner.getattr("run")?, &probe))?;
        let (version, around): (u64, Vec<usize>) = nested.extract()?;
        if around.get(..3) != Some(&[inner.as_ptr() as usize, outer, outside][..]) {
            return wrong("the context");
        }
        seen.push(version);
        // Leaving a context counts as a change too, so the value need not come back; it must not be the inner one.
        if read().version == version {
            return Err(PyRuntimeError::new_err("the context counter did not move when a context was left"));
        }
    }
    seen.sort_unstable();
    seen.dedup();
    let spread = seen.last().zip(seen.first()).map_or(u64::MAX, |(last, first)| last - first);
    if seen.len() != 4 || spread > 1_000_000 {
        return wrong("the context counter");
    }
    #[cfg(Py_3_12)]
    {
        // SAFETY: the GIL is held, the state is the calling thread's own, and what is entered is left again.
        let counts = unsafe {
            let state = ffi::PyThreadState_Get();
            let before = tracing_of(state);
            ffi::PyThreadState_EnterTracing(state);
            let inside = tracing_of(state);
            ffi::PyThreadState_LeaveTracing(state);
            [inside - before, tracing_of(state) - before]
        };
        if counts != [1, 0] {
            return wrong("the tracing counter");
        }
    }
    Ok(())
}
