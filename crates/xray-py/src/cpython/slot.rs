//! Which recorder, if any, the running thread records into: the check in front of every event.
//!
//! Each thread remembers the answer for its present context. It holds while two numbers stand still: the thread's
//! context counter, and the epoch, which moves whenever a trace begins or ends anywhere. Both are compared at every
//! event; only when one has moved is the context variable looked up again. So a recorder can be freed at any time:
//! moving the epoch first makes every thread forget its pointer.

use super::{arguments, code, context};
use crate::os::clock;
use pyo3::Python;
use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use xray_core::model::ContextId;
use xray_core::trace::{CallKey, Entered, Entry, Exit, Recorder};

/// One context's part of a trace.
pub(crate) struct Strand {
    /// The thread (later: task, greenlet) it belongs to.
    pub(crate) context: ContextId,
    /// Name of a thread that the transaction started; `None` for the transaction's own.
    pub(crate) name: Option<String>,
    /// Its start.
    pub(crate) started_ticks: u64,
    /// The tree.
    pub(crate) recorder: Recorder,
    /// Segments that are open, innermost last.
    pub(crate) segments: Vec<CallKey>,
}

/// Finds the strand of the running context, or null; runs no Python code.
pub(crate) type FindStrand = fn(Python<'_>) -> *mut Strand;

static FIND_STRAND: OnceLock<FindStrand> = OnceLock::new();

/// Says who knows the transactions: once, when the module is loaded.
pub(crate) fn find_strands_by(find: FindStrand) {
    // A second load of the module brings the same function.
    let _ = FIND_STRAND.set(find);
}

struct Slot {
    version: Cell<u64>,
    epoch: Cell<u64>,
    strand: Cell<*mut Strand>,
}

thread_local! {
    static SLOT: Slot =
        const { Slot { version: Cell::new(0), epoch: Cell::new(0), strand: Cell::new(std::ptr::null_mut()) } };
}

/// Starts at 1, so that a new slot is stale. Changed only with the GIL held.
static EPOCH: AtomicU64 = AtomicU64::new(1);

/// Whether there can be a trace at all: a session records or drains.
static ARMED: AtomicBool = AtomicBool::new(false);

/// Says whether a session records or drains.
pub(crate) fn set_armed(armed: bool) {
    ARMED.store(armed, Ordering::Relaxed);
}

/// Whether a session records or drains: one load, for what is called much more often than anything is traced.
#[inline(always)]
pub(crate) fn is_armed() -> bool {
    ARMED.load(Ordering::Relaxed)
}

/// Makes every thread look up its recorder again. To be called with the GIL held, before a strand is freed or recycled
/// and after a trace has begun.
pub(crate) fn forget_recorders(_py: Python<'_>) {
    EPOCH.fetch_add(1, Ordering::Relaxed);
}

/// The strand that the running thread records into, or null.
///
/// # Safety
/// The GIL must be held. The pointer is good until the GIL is released or [`forget_recorders`] is called.
#[inline(always)]
pub(crate) unsafe fn current_strand() -> *mut Strand {
    // SAFETY: the GIL is held.
    let version = unsafe { context::version() };
    SLOT.with(|slot| {
        if slot.version.get() == version && slot.epoch.get() == EPOCH.load(Ordering::Relaxed) {
            slot.strand.get()
        } else {
            refresh(slot, version)
        }
    })
}

#[cold]
#[inline(never)]
fn refresh(slot: &Slot, version: u64) -> *mut Strand {
    // SAFETY: only `current_strand` calls this, whose caller holds the GIL.
    let py = unsafe { Python::assume_attached() };
    let strand = FIND_STRAND.get().map_or(std::ptr::null_mut(), |find| find(py));
    slot.version.set(version);
    slot.epoch.set(EPOCH.load(Ordering::Relaxed));
    slot.strand.set(strand);
    strand
}

/// A call, resumption or throw of `code` begins.
///
/// # Safety
/// The GIL must be held, `code` must be a code object and `frame` the one in which the call runs.
#[inline(always)]
pub(crate) unsafe fn enter(code: *mut pyo3::ffi::PyObject, how: Entry, frame: arguments::Frame) {
    // SAFETY: the GIL is held; a non-null strand is alive until the GIL is released, and nothing below releases it.
    unsafe {
        let strand = current_strand();
        if let Some(strand) = strand.as_mut() {
            let entered = strand.recorder.enter(CallKey(code as u64), how, clock::ticks());
            if entered != Entered::Known {
                entered_specially(strand, code, how, entered, frame);
            }
        }
    }
}

/// A call of `code` returns, suspends or unwinds.
///
/// # Safety
/// As for [`enter`].
#[inline(always)]
pub(crate) unsafe fn leave(code: *mut pyo3::ffi::PyObject, how: Exit) {
    // SAFETY: as in `enter`.
    unsafe {
        if let Some(strand) = current_strand().as_mut() {
            strand.recorder.leave(CallKey(code as u64), how, clock::ticks());
        }
    }
}

/// # Safety
/// As for [`enter`].
#[cold]
#[inline(never)]
unsafe fn entered_specially(
    strand: &mut Strand,
    code: *mut pyo3::ffi::PyObject,
    how: Entry,
    entered: Entered,
    frame: arguments::Frame,
) {
    // SAFETY: the caller holds the GIL and gives a code object with its frame. No Python code runs below.
    unsafe {
        let py = Python::assume_attached();
        if entered == Entered::New {
            if code::pin(py, code).own {
                return strand.recorder.hide_top();
            }
            if !arguments::are_wanted(py, code) {
                return;
            }
            strand.recorder.mark_top();
        }
        if how == Entry::Start
            && let Some(text) = arguments::of_call(py, code, frame)
        {
            strand.recorder.describe_top(&text);
        }
    }
}

/// Whether the running context is being traced.
pub(crate) fn is_tracing(_py: Python<'_>) -> bool {
    // SAFETY: the GIL is held.
    unsafe { !current_strand().is_null() }
}

/// A segment begins in the running context; false when it is not traced.
pub(crate) fn enter_segment(_py: Python<'_>, key: CallKey) -> bool {
    // SAFETY: the GIL is held, and the strand is used only here.
    unsafe {
        let Some(strand) = current_strand().as_mut() else { return false };
        strand.segments.push(key);
        strand.recorder.enter(key, Entry::Start, clock::ticks());
        true
    }
}

/// The innermost open segment of the running context ends.
pub(crate) fn leave_segment(_py: Python<'_>, rows: u64, how: Exit) {
    // SAFETY: as in `enter_segment`.
    unsafe {
        if let Some(strand) = current_strand().as_mut()
            && let Some(key) = strand.segments.pop()
        {
            strand.recorder.add_rows(rows);
            strand.recorder.leave(key, how, clock::ticks());
        }
    }
}

/// The garbage collector starts in the running context. Not one of its open segments, whose order is the program's own.
pub(super) fn enter_pause(_py: Python<'_>, key: CallKey) {
    // SAFETY: as in `enter_segment`.
    unsafe {
        if let Some(strand) = current_strand().as_mut() {
            strand.recorder.enter(key, Entry::Start, clock::ticks());
        }
    }
}

/// It has ended. Of a pause that began before the trace nothing is open, and this does nothing.
pub(super) fn leave_pause(_py: Python<'_>, key: CallKey) {
    // SAFETY: as in `enter_segment`.
    unsafe {
        if let Some(strand) = current_strand().as_mut() {
            strand.recorder.leave(key, Exit::Return, clock::ticks());
        }
    }
}

/// The innermost open segment of the running context gives way to what runs beside it, and may go on later. `None` when
/// there is none.
pub(crate) fn suspend_segment(_py: Python<'_>) -> Option<CallKey> {
    // SAFETY: as in `enter_segment`.
    unsafe {
        let strand = current_strand().as_mut()?;
        let key = strand.segments.pop()?;
        strand.recorder.leave(key, Exit::Yield, clock::ticks());
        Some(key)
    }
}

/// A segment that was suspended goes on; false when the running context is not traced.
pub(crate) fn resume_segment(_py: Python<'_>, key: CallKey) -> bool {
    // SAFETY: as in `enter_segment`.
    unsafe {
        let Some(strand) = current_strand().as_mut() else { return false };
        strand.segments.push(key);
        strand.recorder.enter(key, Entry::Resume, clock::ticks());
        true
    }
}

/// Something that has no duration happens in the running context.
pub(crate) fn mark(_py: Python<'_>, key: CallKey) {
    // SAFETY: as in `enter_segment`.
    unsafe {
        if let Some(strand) = current_strand().as_mut() {
            let now = clock::ticks();
            strand.recorder.enter(key, Entry::Start, now);
            strand.recorder.leave(key, Exit::Return, now);
        }
    }
}

/// The open segments of the running context, innermost last.
pub(crate) fn open_segments<R>(_py: Python<'_>, look: impl FnOnce(&[CallKey]) -> R) -> Option<R> {
    // SAFETY: as in `enter_segment`; `look` has no Python object to run code with.
    unsafe { current_strand().as_ref().map(|strand| look(&strand.segments)) }
}

/// Runs `body` while the calling thread records into `strand`: to measure what an event costs.
pub(crate) fn with_strand<R>(_py: Python<'_>, strand: &mut Strand, body: impl FnOnce() -> R) -> R {
    let strand: *mut Strand = strand;
    // SAFETY: the GIL is held.
    let version = unsafe { context::version() };
    SLOT.with(|slot| {
        slot.version.set(version);
        slot.epoch.set(EPOCH.load(Ordering::Relaxed));
        slot.strand.set(strand);
    });
    let result = body();
    // A stale epoch: the next event looks the strand up afresh.
    SLOT.with(|slot| {
        slot.epoch.set(0);
        slot.strand.set(std::ptr::null_mut());
    });
    result
}
