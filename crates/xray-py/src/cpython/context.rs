//! The context variable that carries the transaction.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use std::ffi::c_char;

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
