//! One step of a coroutine, without an exception for its result.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::iterator::PySendResult;

/// Whether `object` is a coroutine of an `async def`.
pub(crate) fn is_coroutine(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: a live object.
    unsafe { ffi::PyCoro_CheckExact(object.as_ptr()) != 0 }
}

/// `awaited.send(value)`.
pub(crate) fn send<'py>(awaited: &Bound<'py, PyAny>, value: &Bound<'py, PyAny>) -> PyResult<PySendResult<'py>> {
    let py = awaited.py();
    let mut result = std::ptr::null_mut();
    // SAFETY: live objects and the GIL; `result` receives a new reference, or NULL with an exception.
    unsafe {
        match ffi::PyIter_Send(awaited.as_ptr(), value.as_ptr(), &raw mut result) {
            ffi::PySendResult::PYGEN_RETURN => Ok(PySendResult::Return(Bound::from_owned_ptr(py, result))),
            ffi::PySendResult::PYGEN_NEXT => Ok(PySendResult::Next(Bound::from_owned_ptr(py, result))),
            ffi::PySendResult::PYGEN_ERROR => Err(PyErr::fetch(py)),
        }
    }
}

/// The exception that the running code handles, as `sys.exc_info()` tells.
pub(crate) fn handled_exception(py: Python<'_>) -> Option<Bound<'_, PyAny>> {
    // SAFETY: the GIL is held; a new reference or NULL.
    let handled = unsafe { Bound::from_owned_ptr_or_opt(py, ffi::PyErr_GetHandledException()) };
    handled.filter(|handled| !handled.is_none())
}
