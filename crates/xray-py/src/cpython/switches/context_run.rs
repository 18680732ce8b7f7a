//! `Context.run` on 3.12 and 3.13, which have no context watchers: while a session records, the method's entry in its
//! type's table is a function that does the same and tells what it does.
//!
//! Everything that runs code in a context of its own goes through it: asyncio's loops for each callback and each step
//! of a task, `asyncio.to_thread`, anyio, asgiref, trio. uvloop does not: it enters contexts by the C functions.

use pyo3::ffi;
use pyo3::prelude::*;
use std::ffi::CStr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

type Run = ffi::PyCFunctionFastWithKeywords;

/// The method's entry in the table; null while it is as it was. Changed with the GIL held.
static ENTRY: AtomicPtr<ffi::PyMethodDef> = AtomicPtr::new(std::ptr::null_mut());
/// The interpreter's own function, once known. It stays: somebody may be inside ours when the session ends.
static ORIGINAL: AtomicUsize = AtomicUsize::new(0);

/// Puts our function in place; false when the table is not as expected.
pub(super) fn replace(py: Python<'_>) -> bool {
    if !ENTRY.load(Ordering::Relaxed).is_null() {
        return true;
    }
    let Some(entry) = find_entry(py) else { return false };
    // SAFETY: `find_entry` checked name and kind, so the union holds a function of this type. The table is writable
    // static data of the interpreter, and the GIL is held by every thread that uses it (threads of interpreters with
    // a GIL of their own read one aligned word, which is either function).
    unsafe {
        ORIGINAL.store((*entry).ml_meth.PyCFunctionFastWithKeywords as usize, Ordering::Relaxed);
        (*entry).ml_meth.PyCFunctionFastWithKeywords = run;
    }
    ENTRY.store(entry, Ordering::Relaxed);
    true
}

/// Puts the interpreter's function back.
pub(super) fn restore(_py: Python<'_>) {
    let entry = ENTRY.swap(std::ptr::null_mut(), Ordering::Relaxed);
    if !entry.is_null() {
        // SAFETY: as in `replace`; nobody else changes the table.
        unsafe { (*entry).ml_meth.PyCFunctionFastWithKeywords = original() };
    }
}

/// Whether a loop runs in this thread that enters contexts without `Context.run`.
pub(super) fn misses_running_loop(py: Python<'_>) -> bool {
    let running = || -> Option<Bound<'_, PyAny>> {
        let running = super::super::loaded_module(py, "_asyncio")?.getattr("_get_running_loop").ok()?.call0().ok()?;
        (!running.is_none()).then_some(running)
    };
    let Some(running) = running() else { return false };
    let calls_it = super::super::loaded_module(py, "asyncio.base_events")
        .and_then(|module| running.is_instance(&module.getattr("BaseEventLoop").ok()?).ok());
    calls_it != Some(true)
}

fn find_entry(py: Python<'_>) -> Option<*mut ffi::PyMethodDef> {
    let method = py.import("contextvars").ok()?.getattr("Context").ok()?.getattr("run").ok()?;
    // SAFETY: the type is checked before the object is read as one; its table entry lives as long as the type, which
    // is static.
    unsafe {
        if ffi::Py_TYPE(method.as_ptr()) != &raw mut ffi::PyMethodDescr_Type {
            return None;
        }
        let entry = (*method.as_ptr().cast::<ffi::PyMethodDescrObject>()).d_method;
        let expected =
            CStr::from_ptr((*entry).ml_name) == c"run" && (*entry).ml_flags == ffi::METH_FASTCALL | ffi::METH_KEYWORDS;
        expected.then_some(entry)
    }
}

/// # Safety
/// [`ORIGINAL`] must be set.
unsafe fn original() -> Run {
    // SAFETY: set from a function of this type, by the caller's promise.
    unsafe { std::mem::transmute::<usize, Run>(ORIGINAL.load(Ordering::Relaxed)) }
}

unsafe extern "C" fn run(
    context: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: called by the interpreter as the method of a context, with the GIL of its interpreter held; the pointers
    // are passed on as they are. Our function is in place only after `ORIGINAL` was set.
    unsafe {
        if count < 1 || ffi::PyInterpreterState_Get() != ffi::PyInterpreterState_Main() {
            return original()(context, arguments, count, names);
        }
        if ffi::PyContext_Enter(context) != 0 {
            return std::ptr::null_mut();
        }
        super::switched();
        let result = ffi::PyObject_Vectorcall(*arguments, arguments.add(1), (count - 1) as usize, names);
        if ffi::PyContext_Exit(context) != 0 {
            ffi::Py_XDECREF(result);
            return std::ptr::null_mut();
        }
        super::switched();
        result
    }
}
