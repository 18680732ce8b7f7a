//! Everything that depends on CPython's internals. Besides `src/os/`, the only place with `unsafe`.

pub(crate) mod arguments;
#[cfg(Py_3_12)]
mod audit;
pub(crate) mod capabilities;
pub(crate) mod code;
pub(crate) mod context;
pub(crate) mod coroutine;
mod describe;
#[cfg(not(Py_3_12))]
mod eval_frame;
pub(crate) mod event_cost;
pub(crate) mod frames;
pub(crate) mod function_wrapper;
pub(crate) mod gc_pauses;
pub(crate) mod gil_cell;
#[cfg(Py_3_12)]
mod monitoring;
#[cfg(Py_3_12)]
mod muting;
pub(crate) mod reference;
pub(crate) mod slot;
pub(crate) mod stack_reader;
#[cfg(Py_3_12)]
mod switches;
pub(crate) mod thread_state;
pub(crate) mod tracer;

/// The id that `threading.get_ident()` gives.
pub(crate) fn thread_ident() -> u64 {
    // SAFETY: the call has no preconditions.
    unsafe { pyo3::ffi::PyThread_get_thread_ident() as u64 }
}

/// A module that is already imported; runs no Python code, unlike an import.
pub(crate) fn loaded_module<'py>(py: pyo3::Python<'py>, name: &str) -> Option<pyo3::Bound<'py, pyo3::PyAny>> {
    use pyo3::types::{PyDict, PyDictMethods};
    // SAFETY: the GIL is held; a borrowed reference to `sys.modules`, or NULL while the interpreter ends.
    let modules = unsafe { pyo3::Bound::from_borrowed_ptr_or_opt(py, pyo3::ffi::PyImport_GetModuleDict()) }?;
    modules.cast::<PyDict>().ok()?.get_item(name).ok()?
}
