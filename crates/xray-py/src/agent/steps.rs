//! A coroutine of a library, driven step by step with its segment: the segment is open while a step runs and suspended
//! while the coroutine waits, so that what runs meanwhile is not taken for its callee.
//!
//! Without frames of its own, like [`crate::cpython::function_wrapper`]; whoever asks gets the answers of the coroutine.

use crate::cpython::gil_cell::GilCell;
use crate::cpython::slot;
use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::exceptions::PyStopIteration;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use xray_core::trace::{CallKey, Exit};

#[derive(Clone, Copy)]
enum Segment {
    /// Before the first step: it begins when the coroutine does, in the context that runs it.
    NotBegun,
    Suspended(CallKey),
    /// A step runs.
    Open,
    /// Not traced, or over.
    None,
}

/// See the module's description.
#[pyclass(frozen, module = "xray._xray")]
pub(crate) struct Steps {
    awaited: Py<PyAny>,
    enter: Py<PyAny>,
    leave: Py<PyAny>,
    segment: GilCell<Segment>,
}

impl Steps {
    /// Drives `awaited`. `enter()` opens the segment and says whether it did; `leave(result)` closes it.
    pub(crate) fn new(awaited: Py<PyAny>, enter: Py<PyAny>, leave: Py<PyAny>) -> Self {
        Self { awaited, enter, leave, segment: GilCell::new(Segment::NotBegun) }
    }

    fn replace(&self, py: Python<'_>, segment: Segment) -> Segment {
        self.segment.with(py, |now| std::mem::replace(now, segment)).unwrap_or(Segment::None)
    }

    /// Runs one step; `step` calls the coroutine.
    fn step<'py>(
        &self,
        py: Python<'py>,
        step: impl FnOnce() -> PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let open = match self.replace(py, Segment::Open) {
            // Its errors are caught where it is written; what else comes is not the application's.
            Segment::NotBegun => self.enter.call0(py).and_then(|entered| entered.is_truthy(py)).unwrap_or(false),
            Segment::Suspended(key) => slot::resume_segment(py, key),
            // Somebody drives a coroutine that already runs, and will be told so.
            Segment::Open => return step(),
            Segment::None => false,
        };
        let result = step();
        let next = match &result {
            _ if !open => Segment::None,
            Ok(_) => slot::suspend_segment(py).map_or(Segment::None, Segment::Suspended),
            Err(end) => {
                self.ended(py, end);
                Segment::None
            }
        };
        self.replace(py, next);
        result
    }

    fn ended(&self, py: Python<'_>, end: &PyErr) {
        if end.is_instance_of::<PyStopIteration>(py)
            && let Ok(result) = end.value(py).getattr("value")
            && self.leave.call1(py, (result,)).is_ok()
        {
            return;
        }
        slot::leave_segment(py, 0, Exit::Unwind);
    }
}

#[pymethods]
impl Steps {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.send(py.None().into_bound(py))
    }

    fn send<'py>(&self, value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = value.py();
        self.step(py, || self.awaited.bind(py).call_method1("send", (value,)))
    }

    #[pyo3(signature = (*error))]
    fn throw<'py>(&self, error: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        let py = error.py();
        self.step(py, || self.awaited.bind(py).call_method1("throw", error))
    }

    fn close<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let close = || self.awaited.bind(py).call_method0("close");
        let Segment::Suspended(key) = self.replace(py, Segment::None) else { return close() };
        let open = slot::resume_segment(py, key);
        let result = close();
        if open {
            slot::leave_segment(py, 0, Exit::Unwind);
        }
        result
    }

    fn __getattr__<'py>(&self, name: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.awaited.bind(name.py()).getattr(name.cast::<pyo3::types::PyString>()?)
    }

    /// What it stands in for, for `isinstance` and so for `inspect` and `asyncio`.
    #[getter(__class__)]
    fn class<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.awaited.bind(py).get_type().into_any()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.awaited.bind(py).repr()?.to_string())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.awaited)?;
        visit.call(&self.enter)?;
        visit.call(&self.leave)
    }
}
