//! Pauses of the garbage collector, told by `gc.callbacks`: a function is in that list while a session records, at no
//! other time. A pause belongs to the transaction in which the collector happened to start, whoever made the garbage.

use super::gil_cell::GilCell;
use super::slot;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyList, PyString, PyTuple};
use xray_core::trace::CallKey;

/// Generations that the collector tells apart.
pub(crate) const GENERATIONS: u64 = 3;

/// The segment of a collection; whoever makes the names of segments keeps these ids for it.
pub(crate) fn key(generation: u64) -> CallKey {
    CallKey::segment(generation.min(GENERATIONS - 1))
}

/// Our function and the list that it was put into, which a program may have replaced in its module since.
static INSTALLED: GilCell<Option<(Py<PyAny>, Py<PyList>)>> = GilCell::new(None);

/// Begins to listen.
///
/// # Errors
/// Python's: out of memory, or a `gc` module without its list.
pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
    remove(py);
    let callbacks = py.import("gc")?.getattr("callbacks")?.cast_into::<PyList>()?;
    let ours = PyCFunction::new_closure(py, Some(c"xray_gc_pause"), None, |arguments, _| {
        // What it is told is CPython's own; anything else is no pause.
        let _ = on_phase(arguments);
    })?;
    callbacks.append(&ours)?;
    INSTALLED.with(py, |installed| *installed = Some((ours.into_any().unbind(), callbacks.unbind())));
    Ok(())
}

/// Listens no more: the list is as if xray had never been in it.
pub(crate) fn remove(py: Python<'_>) {
    let Some((ours, callbacks)) = INSTALLED.with(py, Option::take).flatten() else { return };
    let callbacks = callbacks.bind(py);
    // By identity: comparing would run the code of other callbacks.
    let at = callbacks.iter().position(|callback| callback.is(&ours));
    if let Some(at) = at
        && let Err(error) = callbacks.del_item(at)
    {
        log::warn!("xray: gc.callbacks could not be put back: {error}");
    }
}

fn on_phase(arguments: &Bound<'_, PyTuple>) -> PyResult<()> {
    let py = arguments.py();
    let (phase, about): (Bound<'_, PyString>, Bound<'_, PyDict>) = arguments.extract()?;
    let generation = about.get_item("generation")?.map_or(Ok(0), |generation| generation.extract())?;
    match phase.to_str()? {
        "start" => slot::enter_pause(py, key(generation)),
        "stop" => slot::leave_pause(py, key(generation)),
        _ => {}
    }
    Ok(())
}
