//! A coroutine of a library, driven step by step with its segment: the segment is open while a step runs and suspended
//! while the coroutine waits, so that what runs meanwhile is not taken for its callee. And one of a server, that sends the
//! last of an answer: the request ends with it.
//!
//! Without frames of its own, like [`crate::cpython::function_wrapper`]; whoever asks gets the answers of the coroutine.

use crate::agent::answer::Answer;
use crate::cpython::gil_cell::GilCell;
use crate::cpython::{coroutine, slot};
use pyo3::PyTraverseError;
use pyo3::PyVisit;
use pyo3::exceptions::PyStopIteration;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use pyo3::types::iterator::PySendResult;
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

/// What the steps are watched for.
enum Watch {
    Segment { enter: Py<PyAny>, leave: Py<PyAny>, segment: GilCell<Segment> },
    LastOf(Py<Answer>),
}

/// See the module's description.
#[pyclass(frozen, module = "xray._xray")]
pub(crate) struct Steps {
    awaited: Py<PyAny>,
    watch: Watch,
}

impl Steps {
    /// Drives `awaited`. `enter()` opens the segment and says whether it did; `leave(result)` closes it.
    pub(crate) fn new(awaited: Py<PyAny>, enter: Py<PyAny>, leave: Py<PyAny>) -> Self {
        Self { awaited, watch: Watch::Segment { enter, leave, segment: GilCell::new(Segment::NotBegun) } }
    }

    /// Drives `awaited`, which sends the last of an answer.
    pub(crate) fn last_of(answer: Py<Answer>, awaited: Py<PyAny>) -> Self {
        Self { awaited, watch: Watch::LastOf(answer) }
    }

    /// Runs one step; `step` calls the coroutine.
    fn step<'py>(
        &self,
        py: Python<'py>,
        step: impl FnOnce() -> PyResult<PySendResult<'py>>,
    ) -> PyResult<PySendResult<'py>> {
        let (enter, leave, segment) = match &self.watch {
            Watch::Segment { enter, leave, segment } => (enter, leave, segment),
            Watch::LastOf(answer) => {
                let result = step();
                match &result {
                    Ok(PySendResult::Next(_)) => {}
                    Ok(PySendResult::Return(_)) => answer.get().end(py)?,
                    Err(error) if error.is_instance_of::<PyStopIteration>(py) => answer.get().end(py)?,
                    Err(error) => answer.get().end_with(error.value(py))?,
                }
                return result;
            }
        };
        let open = match replace(py, segment, Segment::Open) {
            // Its errors are caught where it is written; what else comes is not the application's.
            Segment::NotBegun => enter.call0(py).and_then(|entered| entered.is_truthy(py)).unwrap_or(false),
            Segment::Suspended(key) => slot::resume_segment(py, key),
            // Somebody drives a coroutine that already runs, and will be told so.
            Segment::Open => return step(),
            Segment::None => false,
        };
        let result = step();
        let next = match &result {
            _ if !open => Segment::None,
            Ok(PySendResult::Next(_)) => slot::suspend_segment(py).map_or(Segment::None, Segment::Suspended),
            Ok(PySendResult::Return(result)) => {
                left(py, leave, Some(result));
                Segment::None
            }
            Err(end) => {
                let returned = end.is_instance_of::<PyStopIteration>(py).then(|| end.value(py).getattr("value").ok());
                left(py, leave, returned.flatten().as_ref());
                Segment::None
            }
        };
        replace(py, segment, next);
        result
    }
}

fn replace(py: Python<'_>, segment: &GilCell<Segment>, by: Segment) -> Segment {
    segment.with(py, |now| std::mem::replace(now, by)).unwrap_or(Segment::None)
}

/// Closes the segment of a coroutine that returned, or raised.
fn left(py: Python<'_>, leave: &Py<PyAny>, returned: Option<&Bound<'_, PyAny>>) {
    if returned.is_none_or(|result| leave.call1(py, (result,)).is_err()) {
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

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let nothing = py.None().into_bound(py);
        match self.step(py, || coroutine::send(self.awaited.bind(py), &nothing))? {
            PySendResult::Next(value) => Ok(Some(value)),
            // The same as `StopIteration()`, and nothing has to be made for it.
            PySendResult::Return(result) if result.is_none() => Ok(None),
            PySendResult::Return(result) => Err(PyStopIteration::new_err((result.unbind(),))),
        }
    }

    fn send<'py>(&self, value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = value.py();
        match self.step(py, || coroutine::send(self.awaited.bind(py), &value))? {
            PySendResult::Next(value) => Ok(value),
            PySendResult::Return(result) => Err(PyStopIteration::new_err((result.unbind(),))),
        }
    }

    #[pyo3(signature = (*error))]
    fn throw<'py>(&self, error: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        let py = error.py();
        match self.step(py, || self.awaited.bind(py).call_method1("throw", error).map(PySendResult::Next))? {
            PySendResult::Next(value) | PySendResult::Return(value) => Ok(value),
        }
    }

    fn close<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let close = || self.awaited.bind(py).call_method0("close");
        let segment = match &self.watch {
            Watch::Segment { segment, .. } => segment,
            Watch::LastOf(answer) => {
                let result = close();
                answer.get().abandon(py);
                return result;
            }
        };
        let Segment::Suspended(key) = replace(py, segment, Segment::None) else { return close() };
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
        match &self.watch {
            Watch::Segment { enter, leave, .. } => {
                visit.call(enter)?;
                visit.call(leave)
            }
            Watch::LastOf(answer) => visit.call(answer),
        }
    }
}
