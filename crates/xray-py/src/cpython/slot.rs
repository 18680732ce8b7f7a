//! Which recorder, if any, the running context records into: the check in front of every event.
//!
//! The answer of the last event is remembered, with whose it was: the thread and its context counter. While both stand
//! still it holds; only when one has moved is the context variable looked up again. Everything here happens with the
//! GIL held, so there is one such memory for all threads, and a recorder can be freed at any time: whoever does makes
//! the slot forget first. It also costs less than a thread's own storage would, which a shared library must ask for.

use super::thread_state::{self, Running};
use super::{arguments, code, gil_cell::GilHeld};
use crate::os::clock;
use pyo3::Python;
use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
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
    /// Its suspension.
    pub(crate) suspension: Suspension,
}

/// How the coroutines of a strand came to wait. A task suspends by yields from the innermost coroutine to the outermost,
/// and goes on by resumptions the other way round.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Suspension {
    /// The function whose yield began the present run of yields, and the number of the run's last event.
    innermost: u64,
    last_yield: u64,
    /// The function that waits, 0 when none does, and since when.
    waiting: u64,
    since: u64,
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
    whose: Cell<Running>,
    strand: Cell<*mut Strand>,
    /// A thread that records into a strand of no trace: [`with_strand`].
    scratch: Cell<(u64, *mut Strand)>,
}

/// No thread has this number.
const NOBODY: Running = Running { thread: u64::MAX, version: 0 };

static SLOT: GilHeld<Slot> = GilHeld::new(Slot {
    whose: Cell::new(NOBODY),
    strand: Cell::new(std::ptr::null_mut()),
    scratch: Cell::new((NOBODY.thread, std::ptr::null_mut())),
});

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

/// Makes every thread look up its recorder again: before a strand is freed or recycled, and after a trace has begun.
pub(crate) fn forget_recorders(py: Python<'_>) {
    SLOT.get(py).whose.set(NOBODY);
}

/// The strand that the running context records into, or null.
///
/// # Safety
/// The GIL must be held. The pointer is good until the GIL is released or [`forget_recorders`] is called.
#[inline(always)]
pub(crate) unsafe fn current_strand() -> *mut Strand {
    // SAFETY: the GIL is held.
    unsafe { strand_of(thread_state::running()) }
}

/// The strand that the running context records into, or null.
///
/// # Safety
/// As for [`current_strand`]; and `running` is who runs now.
#[inline(always)]
pub(super) unsafe fn strand_of(running: Running) -> *mut Strand {
    // SAFETY: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    let slot = SLOT.get(py);
    if slot.whose.get() == running { slot.strand.get() } else { refresh(py, running) }
}

/// Looks up the strand of the running context now, and mutes or unmutes the thread accordingly.
pub(crate) fn look_up_now(py: Python<'_>) {
    // SAFETY: the GIL is held.
    refresh(py, unsafe { thread_state::running() });
}

#[cold]
#[inline(never)]
fn refresh(py: Python<'_>, running: Running) -> *mut Strand {
    let slot = SLOT.get(py);
    let strand = match slot.scratch.get() {
        (thread, strand) if thread == running.thread => strand,
        _ => FIND_STRAND.get().map_or(std::ptr::null_mut(), |find| find(py)),
    };
    slot.whose.set(running);
    slot.strand.set(strand);
    #[cfg(Py_3_12)]
    super::muting::set_hearing(py, !strand.is_null());
    strand
}

/// A call, resumption or throw of `code` begins in the context that records into `strand`, if it is not null.
///
/// # Safety
/// The GIL must be held, `code` must be a code object, `frame` the one in which the call runs, and `strand` what
/// [`current_strand`] has just said.
#[inline(always)]
pub(crate) unsafe fn enter(strand: *mut Strand, code: *mut pyo3::ffi::PyObject, how: Entry, frame: arguments::Frame) {
    // SAFETY: the GIL is held; a non-null strand is alive until the GIL is released, and nothing below releases it.
    unsafe {
        if let Some(strand) = strand.as_mut() {
            let now = if strand.suspension.waiting != 0 { goes_on(strand, how) } else { clock::ticks() };
            let entered = strand.recorder.enter(CallKey(code as u64), how, now);
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
pub(crate) unsafe fn leave(strand: *mut Strand, code: *mut pyo3::ffi::PyObject, how: Exit) {
    // SAFETY: as in `enter`.
    unsafe {
        if let Some(strand) = strand.as_mut() {
            let now = clock::ticks();
            strand.recorder.leave(CallKey(code as u64), how, now);
            if how == Exit::Yield {
                yielded(strand, code, now);
            }
        }
    }
}

/// `code` has yielded: with it, perhaps, the whole strand.
///
/// # Safety
/// As for [`enter`].
unsafe fn yielded(strand: &mut Strand, code: *mut pyo3::ffi::PyObject, now: u64) {
    let event = strand.recorder.events();
    let suspension = &mut strand.suspension;
    if suspension.last_yield + 1 != event {
        suspension.innermost = code as u64;
    }
    suspension.last_yield = event;
    if strand.recorder.depth() > 0 {
        return;
    }
    // SAFETY: the GIL is held. Both functions have just yielded, so their generators keep the code objects alive.
    unsafe {
        let py = Python::assume_attached();
        if code::pin(py, code).awaits {
            if CallKey(suspension.innermost).is_segment() {
                (suspension.waiting, suspension.since) = (suspension.innermost, now);
                return;
            }
            let innermost = suspension.innermost as *mut pyo3::ffi::PyObject;
            let who = if code::pin(py, innermost).own { code } else { innermost };
            (suspension.waiting, suspension.since) = (who as u64, now);
        }
    }
}

/// The strand has waited since its last event, for a callback or for itself: a segment of its own, so that the rest is
/// time on the CPU.
#[cold]
#[inline(never)]
fn goes_on(strand: &mut Strand, how: Entry) -> u64 {
    let (key, since) = (CallKey(strand.suspension.waiting), strand.suspension.since);
    if key.is_segment() && how != Entry::Start {
        // The coroutines around a segment resume one after the other, up to `resume_segment`: as if they had when the
        // waiting began, for that time is the segment's.
        return since;
    }
    strand.suspension.waiting = 0;
    if strand.recorder.depth() == 0 {
        let (key, how) = if key.is_segment() {
            (key, (Entry::Resume, Exit::Yield))
        } else {
            (code::waiting_in(key), (Entry::Start, Exit::Return))
        };
        strand.recorder.enter(key, how.0, since);
        strand.recorder.leave(key, how.1, clock::ticks());
    }
    clock::ticks()
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
        // What the coroutines around it now wait for.
        strand.suspension.innermost = key.0;
        strand.suspension.last_yield = strand.recorder.events();
        Some(key)
    }
}

/// A segment that was suspended goes on; false when the running context is not traced.
pub(crate) fn resume_segment(_py: Python<'_>, key: CallKey) -> bool {
    // SAFETY: as in `enter_segment`.
    unsafe {
        let Some(strand) = current_strand().as_mut() else { return false };
        let now = if strand.suspension.waiting == key.0 { strand.suspension.since } else { clock::ticks() };
        strand.suspension.waiting = 0;
        strand.segments.push(key);
        strand.recorder.enter(key, Entry::Resume, now);
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

/// Runs `body` while the calling thread records into `strand`, whatever its context: to measure what an event costs.
pub(crate) fn with_strand<R>(py: Python<'_>, strand: &mut Strand, body: impl FnOnce() -> R) -> R {
    let slot = SLOT.get(py);
    // SAFETY: the GIL is held.
    slot.scratch.set((unsafe { thread_state::running() }.thread, strand));
    look_up_now(py);
    let result = body();
    slot.scratch.set((NOBODY.thread, std::ptr::null_mut()));
    forget_recorders(py);
    result
}
