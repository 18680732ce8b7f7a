//! A reference that does not keep its object alive: what contexts hold, which may live much longer than a transaction.
//!
//! As Python's own weak references, but without their list, their callbacks and the garbage collector: each request makes
//! and drops one.

use pyo3::PyClass;
use pyo3::ffi;
use pyo3::prelude::*;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Refers to an object as long as that has its [`Referred`].
#[pyclass(frozen, module = "xray._xray")]
pub(crate) struct Reference(AtomicPtr<ffi::PyObject>);

/// The object's side of its reference. It must be kept in the object, whose own drop calls [`Self::ends`] first.
pub(crate) struct Referred(Py<Reference>);

impl Reference {
    /// The object, while there is one.
    pub(crate) fn object<'py, T: PyClass>(&self, py: Python<'py>) -> Option<Bound<'py, T>> {
        // SAFETY: the object is there, because its drop clears the pointer before anything else, and nothing runs between
        // the end of the last other reference to it and its drop; the GIL is held (`py`), so it stays until this is one more.
        let object = unsafe { Bound::from_borrowed_ptr_or_opt(py, self.0.load(Ordering::Relaxed)) };
        object?.cast_into().ok()
    }
}

impl Referred {
    /// Makes the reference to an object.
    ///
    /// # Errors
    /// Without memory.
    pub(crate) fn new<T: PyClass>(object: &Bound<'_, T>) -> PyResult<Self> {
        Py::new(object.py(), Reference(AtomicPtr::new(object.as_ptr()))).map(Self)
    }

    /// What others hold.
    pub(crate) fn reference<'py>(&self, py: Python<'py>) -> Bound<'py, Reference> {
        self.0.bind(py).clone()
    }

    /// The reference's address: what tells it from those of other objects.
    pub(crate) fn address(&self) -> usize {
        self.0.as_ptr() as usize
    }

    /// The object is gone.
    pub(crate) fn ends(&self) {
        self.0.get().0.store(std::ptr::null_mut(), Ordering::Relaxed);
    }
}

impl Drop for Referred {
    fn drop(&mut self) {
        self.ends();
    }
}
