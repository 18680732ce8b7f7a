//! Tracing by `sys.monitoring` (PEP 669), 3.12 and newer: on for the whole session, in all threads; each event asks its
//! thread's slot whether it is to be recorded.
//!
//! Switching it on and off per request would cost 0.6 us per code object each way, and overflows after 2^24 times.

use super::{arguments, slot};
use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::ffi::{CStr, c_int, c_void};
use std::sync::atomic::{AtomicI8, Ordering};
use xray_core::trace::{Entry, Exit};

/// Tool ids that nobody has reserved; 2 would be the profilers' (cProfile takes it).
const TOOL_IDS: [u8; 2] = [4, 3];

type Handler = unsafe extern "C" fn(
    *mut ffi::PyObject,
    *const *mut ffi::PyObject,
    usize,
    *mut ffi::PyObject,
) -> *mut ffi::PyObject;

/// A callable Python object whose call is the C function itself: no argument tuple, no method lookup.
#[repr(C)]
struct Callback {
    base: ffi::PyObject,
    vectorcall: Handler,
}

macro_rules! handler {
    ($name:ident, $record:path, $how:expr) => {
        unsafe extern "C" fn $name(
            _callback: *mut ffi::PyObject,
            arguments: *const *mut ffi::PyObject,
            count: usize,
            _names: *mut ffi::PyObject,
        ) -> *mut ffi::PyObject {
            // SAFETY: called by the interpreter with the GIL held; the first argument of every one of these events is
            // the code object. (The top bit of `count` is a flag of the calling convention.)
            unsafe {
                if count & !(1 << (usize::BITS - 1)) > 0 {
                    $record(*arguments, $how);
                }
                // Never NULL: that would raise in the application. Never DISABLE: it would be for all threads. None is
                // immortal: nobody counts its references.
                ffi::Py_None()
            }
        }
    };
}

/// # Safety
/// As for [`slot::enter`].
#[inline(always)]
unsafe fn enter(code: *mut ffi::PyObject, how: Entry) {
    // SAFETY: by the caller's promise; the interpreter tells of a call from inside its frame.
    unsafe { slot::enter(slot::current_strand(), code, how, arguments::Frame) }
}

/// # Safety
/// As for [`slot::leave`].
#[inline(always)]
unsafe fn leave(code: *mut ffi::PyObject, how: Exit) {
    // SAFETY: by the caller's promise.
    unsafe { slot::leave(slot::current_strand(), code, how) }
}

handler!(on_start, enter, Entry::Start);
handler!(on_resume, enter, Entry::Resume);
handler!(on_throw, enter, Entry::Throw);
handler!(on_return, leave, Exit::Return);
handler!(on_yield, leave, Exit::Yield);
handler!(on_unwind, leave, Exit::Unwind);

const HANDLERS: [(&str, Handler); 6] = [
    ("PY_START", on_start),
    ("PY_RESUME", on_resume),
    ("PY_THROW", on_throw),
    ("PY_RETURN", on_return),
    ("PY_YIELD", on_yield),
    ("PY_UNWIND", on_unwind),
];

/// The tool id that [`Monitoring`] has in this process, for a forked child; -1 = none. Changed with the GIL held.
static CLAIMED: AtomicI8 = AtomicI8::new(-1);

/// The tool id in use, while armed.
pub(crate) struct Monitoring {
    tool: u8,
}

/// Switches monitoring on.
///
/// # Errors
/// When both tool ids are taken; nothing is changed then.
pub(super) fn arm(py: Python<'_>) -> PyResult<Monitoring> {
    let monitoring = py.import("sys")?.getattr("monitoring")?;
    let tool = claim_tool(&monitoring)?;
    let armed = Monitoring { tool };
    if let Err(error) = switch_on(py, &monitoring, tool) {
        armed.disarm(py);
        return Err(error);
    }
    Ok(armed)
}

/// In a forked child: switches off what the parent had switched on.
pub(super) fn undo_inherited(py: Python<'_>) {
    if let Ok(tool) = u8::try_from(CLAIMED.load(Ordering::Relaxed)) {
        Monitoring { tool }.disarm(py);
    }
}

fn claim_tool(monitoring: &Bound<'_, PyAny>) -> PyResult<u8> {
    for id in TOOL_IDS {
        if monitoring.call_method1("get_tool", (id,))?.is_none() {
            monitoring.call_method1("use_tool_id", (id, "xray"))?;
            CLAIMED.store(id as i8, Ordering::Relaxed);
            return Ok(id);
        }
    }
    Err(PyRuntimeError::new_err("both free tool ids of sys.monitoring (3 and 4) are in use by other tools"))
}

fn switch_on(py: Python<'_>, monitoring: &Bound<'_, PyAny>, tool: u8) -> PyResult<()> {
    let events = monitoring.getattr("events")?;
    let callbacks = callbacks(py)?;
    let mut mask = 0;
    for (name, _) in HANDLERS {
        let event: i32 = events.getattr(name)?.extract()?;
        monitoring.call_method1("register_callback", (tool, event, callbacks.get_item(name)?))?;
        mask |= event;
    }
    monitoring.call_method1("set_events", (tool, mask))?;
    Ok(())
}

impl Monitoring {
    /// Another tool that hears events of this process, if there is one.
    pub(super) fn other_listener(&self, py: Python<'_>) -> Option<String> {
        let asked = || -> PyResult<Option<String>> {
            let monitoring = py.import("sys")?.getattr("monitoring")?;
            for id in (0..6).filter(|id| *id != self.tool) {
                let name = monitoring.call_method1("get_tool", (id,))?;
                if !name.is_none() {
                    return Ok(Some(name.str()?.to_string_lossy().into_owned()));
                }
            }
            // Trace and profile functions of any thread are the tools 6 and 7 of all events.
            let listening: u32 = monitoring
                .call_method0("_all_events")?
                .call_method0("values")?
                .try_iter()?
                .try_fold(0, |tools, more| Ok::<_, PyErr>(tools | more?.extract::<u32>()?))?;
            let legacy = listening & !(1 << self.tool) != 0;
            Ok(legacy.then(|| "a trace or profile function (sys.settrace, sys.setprofile)".to_owned()))
        };
        asked().unwrap_or_else(|error| Some(format!("another tool, perhaps ({error}),")))
    }

    /// Switches it off and gives the tool id back. Errors are dropped: there is nothing left to undo.
    pub(super) fn disarm(&self, py: Python<'_>) {
        CLAIMED.store(-1, Ordering::Relaxed);
        let undo = || -> PyResult<()> {
            let monitoring = py.import("sys")?.getattr("monitoring")?;
            monitoring.call_method1("set_events", (self.tool, 0))?;
            let events = monitoring.getattr("events")?;
            for (name, _) in HANDLERS {
                monitoring.call_method1("register_callback", (self.tool, events.getattr(name)?, py.None()))?;
            }
            monitoring.call_method1("free_tool_id", (self.tool,))?;
            Ok(())
        };
        if let Err(error) = undo() {
            log::warn!("xray: sys.monitoring could not be switched off cleanly: {error}");
        }
    }
}

/// One callback object per event, in a dict by event name.
fn callbacks(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let kind = callback_type(py)?;
    let made = PyDict::new(py);
    for (name, handler) in HANDLERS {
        // SAFETY: the type was made below with the size of `Callback`; allocation fills the head, we fill the rest
        // before anybody else sees the object.
        let object = unsafe {
            let object = ffi::PyType_GenericAlloc(kind.as_ptr().cast(), 0);
            let object = Bound::from_owned_ptr_or_err(py, object)?;
            (*object.as_ptr().cast::<Callback>()).vectorcall = handler;
            object
        };
        made.set_item(name, object)?;
    }
    Ok(made)
}

fn callback_type(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    const NAME: &CStr = c"xray._xray.MonitoringCallback";
    // Field by field, because the struct's first member differs between versions.
    let mut members = [
        ffi::PyMemberDef {
            name: c"__vectorcalloffset__".as_ptr(),
            type_code: ffi::Py_T_PYSSIZET,
            offset: std::mem::offset_of!(Callback, vectorcall) as ffi::Py_ssize_t,
            flags: ffi::Py_READONLY,
            doc: std::ptr::null(),
        },
        // SAFETY: an all-zero entry ends the list.
        unsafe { std::mem::zeroed() },
    ];
    let mut slots = [
        ffi::PyType_Slot { slot: ffi::Py_tp_members, pfunc: members.as_mut_ptr().cast::<c_void>() },
        ffi::PyType_Slot { slot: ffi::Py_tp_call, pfunc: ffi::PyVectorcall_Call as *mut c_void },
        ffi::PyType_Slot { slot: 0, pfunc: std::ptr::null_mut() },
    ];
    let mut spec = ffi::PyType_Spec {
        name: NAME.as_ptr(),
        basicsize: size_of::<Callback>() as c_int,
        itemsize: 0,
        flags: (ffi::Py_TPFLAGS_DEFAULT
            | ffi::Py_TPFLAGS_HAVE_VECTORCALL
            | ffi::Py_TPFLAGS_IMMUTABLETYPE
            | ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION) as _,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: the spec, its slots and members are valid and live through the call, which copies them; the name is
    // static, because a type may point to it for ever.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyType_FromSpec(&raw mut spec)) }
}
