//! Arguments of functions that `@xray.trace` names: read from the running frame, in the event of a call that is traced.
//! The function itself stays what it is, so where nothing is traced it costs nothing.

use super::describe::{REDACTED, Text, describe};
use super::gil_cell::GilCell;
use pyo3::prelude::*;
use pyo3::types::{PyCode, PyString, PyTuple, PyWeakrefMethods, PyWeakrefReference};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use xray_core::limits::ARGUMENTS_CALL_BYTES;
use xray_core::secrets::is_secret_name;

/// `CO_VARARGS`, `CO_VARKEYWORDS`
const VARIABLE: [u32; 2] = [0x4, 0x8];

/// A function that was named.
struct Wanted {
    /// Code objects are compared by content, and their addresses are used again: this tells which one is meant.
    code: Py<PyWeakrefReference>,
    parameters: Arc<[Parameter]>,
}

struct Parameter {
    name: Py<PyString>,
    /// `tag=`, `*args=`
    label: String,
    is_secret: bool,
}

struct Registry {
    by_address: Option<HashMap<usize, Wanted>>,
    /// Entries from which those of code that is gone are looked for.
    look_at: usize,
}

/// How often a function was named: paths that were recorded before were not asked about it.
static NAMED: AtomicU64 = AtomicU64::new(0);

/// Changes when the arguments of one more function are wanted.
pub(crate) fn version() -> u64 {
    NAMED.load(Ordering::Relaxed)
}

static REGISTRY: GilCell<Registry> = GilCell::new(Registry { by_address: None, look_at: 1_000 });

/// Says that the arguments of `code` are wanted. Parameters with one of the names in `redact` are secret as well.
///
/// # Errors
/// Python's; out of memory for instance.
pub(crate) fn want(code: &Bound<'_, PyCode>, redact: &[String]) -> PyResult<()> {
    let py = code.py();
    let wanted = Wanted { code: PyWeakrefReference::new(code)?.unbind(), parameters: parameters(code, redact)? };
    // Dropped outside: the end of a weak reference may run code.
    let mut gone = Vec::new();
    REGISTRY.with(py, |registry| {
        let all = registry.by_address.get_or_insert_default();
        if all.len() >= registry.look_at {
            let is_gone = |wanted: &Wanted| wanted.code.bind(py).upgrade().is_none();
            let dead: Vec<usize> = all.iter().filter(|(_, w)| is_gone(w)).map(|(address, _)| *address).collect();
            gone.extend(dead.iter().filter_map(|address| all.remove(address)));
            registry.look_at = (2 * all.len()).max(1_000);
        }
        gone.extend(all.insert(code.as_ptr() as usize, wanted));
    });
    NAMED.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

fn parameters(code: &Bound<'_, PyCode>, redact: &[String]) -> PyResult<Arc<[Parameter]>> {
    let count = |name: &str| code.getattr(name).and_then(|count| count.extract::<usize>());
    let named = count("co_argcount")? + count("co_kwonlyargcount")?;
    let flags: u32 = code.getattr("co_flags")?.extract()?;
    let mut stars = ["*", "**"].iter().zip(VARIABLE).filter(|(_, flag)| flags & flag != 0).map(|(star, _)| *star);
    let names = code.getattr("co_varnames")?.cast_into::<PyTuple>()?;
    let mut found = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let star = if at < named { "" } else { stars.next().unwrap_or_default() };
        if at >= named && star.is_empty() {
            break;
        }
        let name = name.cast_into::<PyString>()?;
        let text = name.to_string_lossy().into_owned();
        let is_secret = is_secret_name(&text) || redact.contains(&text);
        found.push(Parameter { name: name.unbind(), label: format!("{star}{text}="), is_secret });
    }
    Ok(found.into())
}

/// The parameters of a function whose arguments are wanted.
fn wanted(py: Python<'_>, code: *mut pyo3::ffi::PyObject) -> Option<Arc<[Parameter]>> {
    REGISTRY
        .with(py, |registry| {
            let wanted = registry.by_address.as_ref()?.get(&(code as usize))?;
            let is_it = wanted.code.bind(py).upgrade().is_some_and(|found| found.as_ptr() == code);
            is_it.then(|| wanted.parameters.clone())
        })
        .flatten()
}

/// Whether the arguments of this code object are wanted.
pub(super) fn are_wanted(py: Python<'_>, code: *mut pyo3::ffi::PyObject) -> bool {
    wanted(py, code).is_some()
}

/// The arguments of the call that begins in `frame`, as text.
///
/// # Safety
/// `frame` is the frame of a call of `code` that has just been entered.
pub(super) unsafe fn of_call(py: Python<'_>, code: *mut pyo3::ffi::PyObject, frame: Frame) -> Option<String> {
    let parameters = wanted(py, code)?;
    let mut text = Text::new(ARGUMENTS_CALL_BYTES);
    for (at, parameter) in parameters.iter().enumerate() {
        if text.is_full() {
            break;
        }
        text.add(if at > 0 { ", " } else { "" });
        text.add(&parameter.label);
        if parameter.is_secret {
            text.add(REDACTED);
            continue;
        }
        // SAFETY: by the caller's promise.
        match unsafe { frame.argument(py, at, &parameter.name) } {
            Some(value) => describe(&value, 0, &mut text),
            None => text.add("?"),
        }
    }
    Some(text.finish())
}

pub(super) use frame::Frame;

#[cfg(Py_3_12)]
mod frame {
    use pyo3::ffi;
    use pyo3::prelude::*;
    use pyo3::types::PyString;

    // pyo3-ffi does not declare it; public since 3.12.
    unsafe extern "C" {
        fn PyFrame_GetVar(frame: *mut ffi::PyFrameObject, name: *mut ffi::PyObject) -> *mut ffi::PyObject;
    }

    /// The frame that runs: the interpreter tells of a call from inside it.
    #[derive(Clone, Copy)]
    pub(crate) struct Frame;

    impl Frame {
        /// The value of a parameter.
        ///
        /// # Safety
        /// A frame with a parameter of this name is running.
        pub(super) unsafe fn argument<'py>(
            self,
            py: Python<'py>,
            _position: usize,
            name: &Py<PyString>,
        ) -> Option<Bound<'py, PyAny>> {
            // SAFETY: the GIL is held; a borrowed reference to the running frame, and a new one to the variable or NULL
            // with an exception. Neither runs Python code.
            unsafe {
                let frame = ffi::PyEval_GetFrame();
                if frame.is_null() {
                    return None;
                }
                Bound::from_owned_ptr_or_err(py, PyFrame_GetVar(frame, name.as_ptr())).ok()
            }
        }
    }
}

#[cfg(not(Py_3_12))]
mod frame {
    use super::super::eval_frame;
    use pyo3::prelude::*;
    use pyo3::types::PyString;

    /// The frame that is about to run: it is not the interpreter's current one yet.
    #[derive(Clone, Copy)]
    pub(crate) struct Frame(pub(in super::super) *const eval_frame::Frame);

    impl Frame {
        /// The value of a parameter.
        ///
        /// # Safety
        /// The frame is alive, of a function with so many parameters, and has not run past its first instruction.
        pub(super) unsafe fn argument<'py>(
            self,
            py: Python<'py>,
            position: usize,
            _name: &Py<PyString>,
        ) -> Option<Bound<'py, PyAny>> {
            // SAFETY: by the caller's promise.
            unsafe { eval_frame::argument(py, self.0, position) }
        }
    }
}
