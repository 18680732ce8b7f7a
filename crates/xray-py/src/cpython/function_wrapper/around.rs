//! Wrappers of calls that answer requests: something is done before the call and after it, without a frame around it.

use super::{Wrapper, make};
use pyo3::exceptions::PyException;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What is done around the calls. Errors that are an `Exception` stay here: the call goes on without it.
pub(crate) trait Around {
    /// What `before` leaves to `after`.
    type Open;
    /// Before a call with these arguments.
    ///
    /// # Errors
    /// What a function of the wrapper raised.
    fn before<'py>(functions: &Bound<'py, PyTuple>, arguments: &[Borrowed<'_, 'py, PyAny>]) -> PyResult<Self::Open>;
    /// After it, with what it returned or raised.
    ///
    /// # Errors
    /// As for `before`.
    fn after<'py>(
        open: Self::Open,
        functions: &Bound<'py, PyTuple>,
        arguments: &[Borrowed<'_, 'py, PyAny>],
        result: Result<&Bound<'py, PyAny>, &PyErr>,
    ) -> PyResult<()>;
}

/// Makes a wrapper of `wrapped` that does `A` around each call, with the help of `functions`.
pub(crate) fn wrap_around<'py, A: Around>(
    wrapped: &Bound<'py, PyAny>,
    functions: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyAny>> {
    make(wrapped, functions.as_any(), call::<A>)
}

/// `wrapper(...)`
unsafe extern "C" fn call<A: Around>(
    wrapper: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: called by the interpreter with the GIL held, on an object of the wrapper's type, which the caller keeps alive
    // with the arguments; `other` is the tuple of `wrap_around`.
    unsafe {
        let py = Python::assume_attached();
        let wrapper = wrapper.cast::<Wrapper>();
        let functions = Borrowed::from_ptr(py, (*wrapper).other).cast_unchecked::<PyTuple>();
        let given: &[Borrowed<'_, '_, PyAny>] = match ffi::PyVectorcall_NARGS(count) as usize {
            0 => &[],
            // A borrowed reference is a pointer.
            given => std::slice::from_raw_parts(arguments.cast(), given),
        };
        let open = match guarded(py, || A::before(&functions, given)) {
            Ok(open) => open,
            Err(error) => {
                error.restore(py);
                return std::ptr::null_mut();
            }
        };
        let result = ffi::PyObject_Vectorcall((*wrapper).wrapped, arguments, count, names);
        let Some(open) = open else { return result };
        let result = Bound::from_owned_ptr_or_err(py, result);
        let after = guarded(py, || A::after(open, &functions, given, result.as_ref()));
        match after.and(result) {
            Ok(result) => result.into_ptr(),
            Err(error) => {
                error.restore(py);
                std::ptr::null_mut()
            }
        }
    }
}

/// The result of `body`. A panic must not pass C code, and what is no `Exception` came to this thread just now, for the
/// application.
fn guarded<R>(py: Python<'_>, body: impl FnOnce() -> PyResult<R>) -> PyResult<Option<R>> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(done)) => Ok(Some(done)),
        Ok(Err(error)) if !error.is_instance_of::<PyException>(py) => Err(error),
        _ => Ok(None),
    }
}
