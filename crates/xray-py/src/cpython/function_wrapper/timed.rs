//! Wrappers of calls that are only timed, as long as nobody needs to know more.

use super::{Wrapper, make};
use pyo3::exceptions::PyException;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What times the calls.
pub(crate) trait Timing {
    /// Before a call; false when timing it is not enough.
    fn begin(py: Python<'_>) -> bool;
    /// After a call for which `begin` was true: its functions, its arguments, and what it returned or raised.
    ///
    /// # Errors
    /// What the functions raised.
    fn end<'py>(
        functions: &Bound<'py, PyTuple>,
        arguments: &[Borrowed<'_, 'py, PyAny>],
        result: Result<&Bound<'py, PyAny>, &PyErr>,
    ) -> PyResult<()>;
}

/// Makes a wrapper of `wrapped` whose calls `T` times. Where that is not enough it calls the first of `functions` instead.
pub(crate) fn wrap_timed<'py, T: Timing>(
    wrapped: &Bound<'py, PyAny>,
    functions: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyAny>> {
    functions.get_item(0)?;
    make(wrapped, functions.as_any(), call::<T>)
}

/// `wrapper(...)`
unsafe extern "C" fn call<T: Timing>(
    wrapper: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: called by the interpreter with the GIL held, on an object of the wrapper's type, which the caller keeps alive
    // with the arguments; `other` is the tuple of `wrap_timed`, and not empty.
    unsafe {
        let py = Python::assume_attached();
        let wrapper = wrapper.cast::<Wrapper>();
        // A panic must not pass C code: the call goes on as if it were not timed.
        if !catch_unwind(|| T::begin(py)).unwrap_or(false) {
            return ffi::PyObject_Vectorcall(ffi::PyTuple_GET_ITEM((*wrapper).other, 0), arguments, count, names);
        }
        let result = ffi::PyObject_Vectorcall((*wrapper).wrapped, arguments, count, names);
        let functions = Borrowed::from_ptr(py, (*wrapper).other).cast_unchecked::<PyTuple>();
        let given: &[Borrowed<'_, '_, PyAny>] = match ffi::PyVectorcall_NARGS(count) as usize {
            0 => &[],
            // A borrowed reference is a pointer.
            given => std::slice::from_raw_parts(arguments.cast(), given),
        };
        ended::<T>(py, &functions, given, result)
    }
}

/// Ends the timing of a call and returns its result.
///
/// # Safety
/// `result` is a reference that is owned, or NULL with an exception.
unsafe fn ended<'py, T: Timing>(
    py: Python<'py>,
    functions: &Bound<'py, PyTuple>,
    arguments: &[Borrowed<'_, 'py, PyAny>],
    result: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: by the caller.
    let result = unsafe { Bound::from_owned_ptr_or_err(py, result) };
    let end = || T::end(functions, arguments, result.as_ref());
    match (catch_unwind(AssertUnwindSafe(end)), result) {
        // What is no `Exception` came to this thread just now, for the application.
        (Ok(Err(error)), _) if !error.is_instance_of::<PyException>(py) => {
            error.restore(py);
            std::ptr::null_mut()
        }
        (_, Ok(result)) => result.into_ptr(),
        (_, Err(error)) => {
            error.restore(py);
            std::ptr::null_mut()
        }
    }
}
