//! Threads that hear no events while a session records: all that are not in a traced transaction.
//!
//! `PyThreadState_EnterTracing` makes the interpreter leave a thread alone before it builds an event: the price of
//! monitoring for everybody else. It is a count, not a flag, and other tools use it too. So our share of it is kept
//! here, one entry for each thread state by its number (which is never used again, unlike its address): 1 when muted,
//! else 0. The count and the entry change together, with the GIL held, by one. Whoever ends a session, or steps back
//! for another tool, undoes all of them in one go, whatever those threads are doing.

use super::gil_cell::GilCell;
use super::thread_state;
use pyo3::ffi;
use pyo3::prelude::*;
use rustc_hash::FxHashMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// Entries from which those of ended threads are looked for.
const PRUNE_FROM: usize = 256;

#[derive(Default)]
struct Entry {
    muted: bool,
    /// Traces in flight in a place of which nobody tells when another context begins to run.
    awake: u32,
}

#[derive(Default)]
struct Threads {
    entries: FxHashMap<u64, Entry>,
    prune_from: usize,
}

static THREADS: GilCell<Option<Threads>> = GilCell::new(None);

/// Whether threads may be muted now. Changed with the GIL held.
static ALLOWED: AtomicBool = AtomicBool::new(false);

/// From now on a thread outside traced transactions is muted at its first event.
pub(super) fn allow(_py: Python<'_>) {
    ALLOWED.store(true, Ordering::Relaxed);
}

/// Whether threads may be muted.
pub(super) fn is_allowed() -> bool {
    ALLOWED.load(Ordering::Relaxed)
}

/// Lets the running thread hear events, or not.
pub(super) fn set_hearing(py: Python<'_>, hears: bool) {
    if !(hears || is_allowed()) {
        return;
    }
    // SAFETY: the GIL is held, so there is a thread state, and it is alive.
    let (state, id) = unsafe {
        let state = ffi::PyThreadState_Get();
        (state, thread_state::id_of(state))
    };
    THREADS.with(py, |threads| {
        let threads = threads.get_or_insert_default();
        if hears {
            if let Some(entry) = threads.entries.get_mut(&id) {
                // SAFETY: as above.
                unsafe { unmute(state, entry) };
            }
            return;
        }
        if threads.entries.len() >= threads.prune_from.max(PRUNE_FROM) {
            threads.prune();
        }
        let entry = threads.entries.entry(id).or_default();
        if !entry.muted && entry.awake == 0 {
            entry.muted = true;
            // SAFETY: as above.
            unsafe { ffi::PyThreadState_EnterTracing(state) };
        }
    });
}

/// Lets all threads hear events again, wherever they are, until they are muted anew; false when one of them cannot
/// yet: it is inside `sys.call_tracing`, which sets the count to zero and puts the old one back afterwards.
pub(super) fn unmute_all(py: Python<'_>) -> bool {
    THREADS
        .with(py, |threads| {
            let Some(threads) = threads.as_mut() else { return true };
            for_each_thread(py, |state, id| {
                if let Some(entry) = threads.entries.get_mut(&id) {
                    // SAFETY: a thread state of the list, which does not change while the GIL is held.
                    unsafe { unmute(state, entry) };
                }
            });
            threads.prune();
            threads.entries.values().all(|entry| !entry.muted)
        })
        .unwrap_or(false)
}

/// No thread is muted any more; false as for [`unmute_all`].
pub(super) fn forbid(py: Python<'_>) -> bool {
    ALLOWED.store(false, Ordering::Relaxed);
    unmute_all(py)
}

/// The running thread, which has this number, is not muted until [`let_sleep`]; says true.
#[cfg(not(Py_3_14))]
pub(super) fn keep_awake(py: Python<'_>, thread: u64) -> bool {
    THREADS.with(py, |threads| {
        let entry = threads.get_or_insert_default().entries.entry(thread).or_default();
        entry.awake += 1;
        // SAFETY: the GIL is held and the thread state is the running one's.
        unsafe { unmute(ffi::PyThreadState_Get(), entry) };
    });
    true
}

/// Takes back one [`keep_awake`].
#[cfg(not(Py_3_14))]
pub(super) fn let_sleep(py: Python<'_>, thread: u64) {
    THREADS.with(py, |threads| {
        if let Some(entry) = threads.as_mut().and_then(|threads| threads.entries.get_mut(&thread)) {
            entry.awake = entry.awake.saturating_sub(1);
        }
    });
}

/// # Safety
/// The GIL must be held and `state` alive.
unsafe fn unmute(state: *mut ffi::PyThreadState, entry: &mut Entry) {
    // SAFETY: by the caller. A count of zero or less is not ours to lower: below zero it would mute for ever.
    unsafe {
        if entry.muted && thread_state::tracing_of(state) > 0 {
            entry.muted = false;
            ffi::PyThreadState_LeaveTracing(state);
        }
    }
}

/// All threads of the main interpreter: the only one whose events come here.
fn for_each_thread(_py: Python<'_>, mut body: impl FnMut(*mut ffi::PyThreadState, u64)) {
    // SAFETY: the GIL is held and `body` does not release it, so the list and its members stay.
    unsafe {
        let mut state = ffi::PyInterpreterState_ThreadHead(ffi::PyInterpreterState_Main());
        while !state.is_null() {
            body(state, thread_state::id_of(state));
            state = ffi::PyThreadState_Next(state);
        }
    }
}

impl Threads {
    /// Forgets threads that have ended.
    #[cold]
    fn prune(&mut self) {
        let mut alive = rustc_hash::FxHashSet::default();
        // SAFETY: whoever has a borrow of this holds the GIL.
        let py = unsafe { Python::assume_attached() };
        for_each_thread(py, |_, id| {
            alive.insert(id);
        });
        self.entries.retain(|id, _| alive.contains(id));
        self.prune_from = self.entries.len() * 2;
    }
}
