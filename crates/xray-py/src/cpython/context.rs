//! The context variable that carries the transaction.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use std::ffi::{CString, c_char};

static VARIABLE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The context variable; created at the first use.
pub(super) fn variable(py: Python<'_>) -> PyResult<&Py<PyAny>> {
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

/// The address of the value in a context, 0 when it has none.
pub(crate) fn value_in(context: &Bound<'_, PyAny>) -> usize {
    let py = context.py();
    let value = VARIABLE.get(py).and_then(|variable| context.call_method1(pyo3::intern!(py, "get"), (variable,)).ok());
    value.filter(|value| !value.is_none()).map_or(0, |value| value.as_ptr() as usize)
}

/// Calls `body` inside a new, empty context, with its address.
pub(super) fn inside_new<R>(py: Python<'_>, body: impl FnOnce(usize) -> PyResult<R>) -> PyResult<R> {
    // SAFETY: the GIL is held; a new reference, or NULL with an exception.
    let context = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyContext_New())? };
    // SAFETY: a new context, so nobody has entered it; it is left by the same thread below.
    if unsafe { ffi::PyContext_Enter(context.as_ptr()) } != 0 {
        return Err(PyErr::fetch(py));
    }
    let result = body(context.as_ptr() as usize);
    // SAFETY: it was entered above, and whatever `body` entered it has left.
    if unsafe { ffi::PyContext_Exit(context.as_ptr()) } != 0 {
        return Err(PyErr::fetch(py));
    }
    result
}

/// Sets so many other variables in the current context.
///
/// Each has a name of its own. A variable's hash is made of its name and its address: with one name for all, where they
/// are in the context would depend on the addresses alone, which are far from random in a heap with regular holes.
pub(super) fn set_others(py: Python<'_>, count: usize) -> PyResult<()> {
    for number in 0..count {
        let name = CString::new(format!("xray.other.{number}"))?;
        // SAFETY: as in `variable`, and as in `set`; the name is copied.
        unsafe {
            let name = name.as_ptr().cast::<c_char>();
            let other = Bound::from_owned_ptr_or_err(py, ffi::PyContextVar_New(name, std::ptr::null_mut()))?;
            drop(Bound::from_owned_ptr_or_err(py, ffi::PyContextVar_Set(other.as_ptr(), ffi::Py_None()))?);
        }
    }
    Ok(())
}
