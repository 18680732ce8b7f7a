//! Tells when another context begins to run in a thread, so that the thread can be muted and unmuted in time: a task's
//! step, a callback, a function in a worker thread, a greenlet.
//!
//! | what switches | who tells |
//! |---|---|
//! | any context, 3.14 and newer | the interpreter, to a context watcher |
//! | any context, 3.12 and 3.13 | `Context.run`, which asyncio's loops and all thread pools call; see `context_run` |
//! | uvloop's contexts, 3.12 and 3.13 | nobody: its thread is not muted while a trace that began on it is in flight |
//! | greenlets | greenlet's own trace function, while a trace that began in the thread is in flight |

#[cfg(not(Py_3_14))]
mod context_run;
mod greenlets;
#[cfg(Py_3_14)]
mod watcher;

use super::{muting, slot};
use pyo3::ffi;
use pyo3::prelude::*;
use std::sync::atomic::{AtomicU32, Ordering};

/// Traces in flight. Changed with the GIL held.
static IN_FLIGHT: AtomicU32 = AtomicU32::new(0);

/// What must be undone when a trace ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Followed {
    /// The thread in which it began.
    thread: u64,
    /// Whether that thread is kept awake.
    #[cfg(not(Py_3_14))]
    awake: bool,
    /// Whether its greenlets are followed.
    greenlets: bool,
}

/// Follows the interpreter's contexts; false when that is not possible: then no thread may be muted.
pub(super) fn arm(py: Python<'_>) -> bool {
    IN_FLIGHT.store(0, Ordering::Relaxed);
    #[cfg(Py_3_14)]
    return watcher::add(py);
    #[cfg(not(Py_3_14))]
    return context_run::replace(py);
}

/// Undoes [`arm`].
pub(super) fn disarm(py: Python<'_>) {
    IN_FLIGHT.store(0, Ordering::Relaxed);
    #[cfg(Py_3_14)]
    watcher::clear(py);
    #[cfg(not(Py_3_14))]
    context_run::restore(py);
}

/// A trace begins in this thread.
pub(super) fn trace_begins(py: Python<'_>) -> Followed {
    IN_FLIGHT.fetch_add(1, Ordering::Relaxed);
    // SAFETY: the GIL is held.
    let thread = unsafe { super::thread_state::running() }.thread;
    Followed {
        thread,
        #[cfg(not(Py_3_14))]
        awake: context_run::misses_running_loop(py) && muting::keep_awake(py, thread),
        greenlets: greenlets::follow(py, thread),
    }
}

/// A trace has ended.
pub(super) fn trace_ends(py: Python<'_>, followed: Followed) {
    // Not below zero: a trace may outlive its session.
    let _ = IN_FLIGHT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |traces| traces.checked_sub(1));
    #[cfg(not(Py_3_14))]
    if followed.awake {
        muting::let_sleep(py, followed.thread);
    }
    if followed.greenlets {
        greenlets::let_go(py, followed.thread);
    }
}

/// Another context runs in this thread from now on.
///
/// # Safety
/// The GIL must be held. An exception may be set; it stays.
#[inline]
unsafe fn switched() {
    if IN_FLIGHT.load(Ordering::Relaxed) == 0 || !muting::is_allowed() {
        return;
    }
    // SAFETY: by the caller. The exception that is set belongs to the application.
    unsafe {
        let error = ffi::PyErr_GetRaisedException();
        slot::look_up_now(Python::assume_attached());
        ffi::PyErr_SetRaisedException(error);
    }
}
