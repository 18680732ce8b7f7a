//! Hears of other tools before they begin to listen, by an audit hook in C: a debugger, a profiler or a coverage tool
//! on a muted thread would hear nothing. Then all threads are unmuted, and stay so for the rest of the session.
//!
//! An audit hook can never be removed. So it is added when the first session arms, not at import, and outside of
//! sessions it returns at once.

use super::muting;
use pyo3::ffi;
use pyo3::prelude::*;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Whether the hook was added.
static ADDED: AtomicBool = AtomicBool::new(false);
/// Whether it shall act: not while xray itself registers callbacks.
static WATCHING: AtomicBool = AtomicBool::new(false);
/// How often it heard of [`PROBE`].
static PROBED: AtomicU64 = AtomicU64::new(0);
/// How often another tool came.
static ARRIVALS: AtomicU64 = AtomicU64::new(0);

/// Raised by xray itself, to know that the hook is heard.
const PROBE: &str = "xray.probe";
/// The ways in which tools begin to listen; the last one is that of cProfile, coverage and debuggers from 3.12 on.
const ARRIVING: [&CStr; 3] = [c"sys.settrace", c"sys.setprofile", c"sys.monitoring.register_callback"];

type Hook = unsafe extern "C" fn(*const c_char, *mut ffi::PyObject, *mut c_void) -> c_int;

unsafe extern "C" {
    fn PySys_AddAuditHook(hook: Hook, data: *mut c_void) -> c_int;
}

/// Watches from now on; false when that is not possible: another hook may refuse.
pub(super) fn watch(py: Python<'_>) -> bool {
    if !ADDED.swap(true, Ordering::Relaxed) {
        // SAFETY: the hook has the right type and lives as long as the process. Another hook's refusal is no error
        // here, or one that is set and cleared.
        unsafe {
            if PySys_AddAuditHook(on_event, std::ptr::null_mut()) != 0 {
                ffi::PyErr_Clear();
            }
        }
    }
    let before = PROBED.load(Ordering::Relaxed);
    let probed = py.import("sys").and_then(|sys| sys.call_method1("audit", (PROBE,)));
    let heard = probed.is_ok() && PROBED.load(Ordering::Relaxed) != before;
    WATCHING.store(heard, Ordering::Relaxed);
    heard
}

/// Acts on nothing any more.
pub(super) fn stop_watching() {
    WATCHING.store(false, Ordering::Relaxed);
}

/// How often another tool came while the hook watched.
pub(super) fn arrivals() -> u64 {
    ARRIVALS.load(Ordering::Relaxed)
}

unsafe extern "C" fn on_event(event: *const c_char, _arguments: *mut ffi::PyObject, _data: *mut c_void) -> c_int {
    // SAFETY: the interpreter gives a C string.
    let event = unsafe { CStr::from_ptr(event) };
    if event.to_bytes() == PROBE.as_bytes() {
        PROBED.fetch_add(1, Ordering::Relaxed);
    } else if WATCHING.load(Ordering::Relaxed) && ARRIVING.contains(&event) {
        ARRIVALS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: these three events are raised by functions that Python code calls, with the GIL held.
        muting::forbid(unsafe { Python::assume_attached() });
    }
    0
}
