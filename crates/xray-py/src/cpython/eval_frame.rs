//! Tracing by the frame evaluation hook (PEP 523) on 3.11, which has no `sys.monitoring`. The hook is in place only
//! while a traced request is in flight; between requests the interpreter runs as if xray were not there.

use super::gil_cell::GilHeld;
use super::{arguments, slot, thread_state};
use crate::os::thread;
use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::prelude::*;
use std::cell::Cell;
use std::ffi::c_int;
use std::sync::atomic::{AtomicU64, Ordering};
use xray_core::trace::{Entry, Exit};

/// `struct _PyInterpreterFrame` of 3.11 (Include/internal/pycore_frame.h), as far as it is read here.
#[repr(C)]
pub(super) struct Frame {
    function: *mut ffi::PyObject,
    globals: *mut ffi::PyObject,
    builtins: *mut ffi::PyObject,
    locals: *mut ffi::PyObject,
    code: *mut ffi::PyObject,
    frame_object: *mut ffi::PyObject,
    previous: *mut Frame,
    previous_instruction: *const u16,
    stack_top: c_int,
    is_entry: bool,
    owner: u8,
    /// The first of the local variables, which begin with the parameters.
    variables: [*mut ffi::PyObject; 1],
}

/// `PyCodeObject` of 3.11 (Include/cpython/code.h), up to its flags.
#[repr(C)]
struct Code {
    head: ffi::PyVarObject,
    constants: *mut ffi::PyObject,
    names: *mut ffi::PyObject,
    exception_table: *mut ffi::PyObject,
    flags: c_int,
}

const OWNED_BY_GENERATOR: u8 = 1;
/// A generator's `gi_frame_state` stands so many bytes before its frame; this value says that it has yielded.
const STATE_BEFORE_FRAME: usize = 5;
const SUSPENDED: i8 = -1;
/// For the self-test: the value before the first run, and where the frame is in its generator.
const CREATED: i8 = -2;
const FRAME_IN_GENERATOR: usize = 80;
/// Opcode of 3.11: the last instruction of a generator's frame before its body first runs.
const RETURN_GENERATOR: u8 = 75;
/// `CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR`
const MAKES_GENERATOR: c_int = 0x20 | 0x80 | 0x200;
/// Every Python call takes C stack while the hook is in place. With less than this left, the hook steps aside.
const STACK_RESERVE: usize = 512 * 1024;
/// Threads with small stacks keep this part of theirs in reserve.
const STACK_RESERVE_PART: usize = 3;

type EvalFrame = unsafe extern "C" fn(*mut ffi::PyThreadState, *mut Frame, c_int) -> *mut ffi::PyObject;

unsafe extern "C" {
    fn _PyEval_EvalFrameDefault(state: *mut ffi::PyThreadState, frame: *mut Frame, throw: c_int) -> *mut ffi::PyObject;
    fn _PyInterpreterState_GetEvalFrameFunc(interpreter: *mut ffi::PyInterpreterState) -> Option<EvalFrame>;
    fn _PyInterpreterState_SetEvalFrameFunc(interpreter: *mut ffi::PyInterpreterState, function: EvalFrame);
}

/// How often the hook stepped aside for want of C stack; the traces then in flight are incomplete.
static STEPPED_ASIDE: AtomicU64 = AtomicU64::new(0);

/// Who was looked at last, and the part of its stack in which the hook records: to ask a thread's own storage costs more.
static LAST_ROOM: GilHeld<Cell<Room>> = GilHeld::new(Cell::new(Room { thread: u64::MAX, floor: 0, size: 0 }));

/// A part of a thread's stack.
#[derive(Clone, Copy)]
struct Room {
    /// Number of its thread state.
    thread: u64,
    /// Lowest address.
    floor: usize,
    /// Bytes from there up.
    size: usize,
}

thread_local! {
    /// Lowest stack address at which the hook still records, and the bytes from there up; 0 = not yet known.
    static STACK_ROOM: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// Whether nobody else uses the hook.
pub(super) fn is_free(_py: Python<'_>) -> bool {
    // SAFETY: the GIL is held, so there is a current interpreter.
    unsafe { _PyInterpreterState_GetEvalFrameFunc(ffi::PyInterpreterState_Get()) }
        .is_none_or(|function| std::ptr::fn_addr_eq(function, _PyEval_EvalFrameDefault as EvalFrame))
}

/// Checks by experiment that frames and code objects are laid out as this file believes.
///
/// # Errors
/// When they are not: then nothing may rely on it.
pub(super) fn self_test(py: Python<'_>) -> PyResult<()> {
    for program in ["None", "(None for _ in ())"] {
        let code = py.import("builtins")?.call_method1("compile", (program, "<xray>", "eval"))?;
        let inner = code.getattr("co_consts")?.get_item(0)?;
        let code = if inner.hasattr("co_flags")? { inner } else { code };
        let expected: c_int = code.getattr("co_flags")?.extract()?;
        // SAFETY: a live code object, larger than what is read of it.
        let read = unsafe { (*code.as_ptr().cast::<Code>()).flags };
        if read != expected {
            return Err(PyRuntimeError::new_err("code objects are not laid out as this version of xray expects"));
        }
    }
    let generator = py.eval(c"(None for _ in (1,))", None, None)?;
    // SAFETY: a live generator, whose frame begins at this offset.
    let state = || unsafe { generator.as_ptr().cast::<i8>().add(FRAME_IN_GENERATOR - STATE_BEFORE_FRAME).read() };
    let created = state();
    generator.call_method0("__next__")?;
    if (created, state()) != (CREATED, SUSPENDED) {
        return Err(PyRuntimeError::new_err("generators are not laid out as this version of xray expects"));
    }
    Ok(())
}

/// Puts the hook in place, unless it is there; false when somebody else's is.
pub(super) fn install(py: Python<'_>) -> bool {
    if is_ours(py) {
        return true;
    }
    if !is_free(py) {
        return false;
    }
    // SAFETY: the GIL is held; `record_frame` has the type of an evaluation function of 3.11.
    unsafe { _PyInterpreterState_SetEvalFrameFunc(ffi::PyInterpreterState_Get(), record_frame) };
    true
}

/// Takes the hook away, if it is ours.
pub(super) fn remove(py: Python<'_>) {
    if is_ours(py) {
        // SAFETY: the GIL is held. Frames that run under our hook return through it; new ones no longer enter it.
        unsafe { _PyInterpreterState_SetEvalFrameFunc(ffi::PyInterpreterState_Get(), _PyEval_EvalFrameDefault) };
    }
}

fn is_ours(_py: Python<'_>) -> bool {
    // SAFETY: the GIL is held, so there is a current interpreter.
    unsafe { _PyInterpreterState_GetEvalFrameFunc(ffi::PyInterpreterState_Get()) }
        .is_some_and(|function| std::ptr::fn_addr_eq(function, record_frame as EvalFrame))
}

/// How often the hook stepped aside so far.
pub(super) fn stepped_aside() -> u64 {
    STEPPED_ASIDE.load(Ordering::Relaxed)
}

/// Every Python call takes C stack while the hook is in place, in all threads: without it, the interpreter runs deep
/// recursion without any. It comes back with the next trace that begins.
///
/// # Safety
/// The GIL must be held.
#[cold]
#[inline(never)]
unsafe fn step_aside() {
    STEPPED_ASIDE.fetch_add(1, Ordering::Relaxed);
    // SAFETY: called by the hook, so the GIL is held.
    remove(unsafe { Python::assume_attached() });
}

unsafe extern "C" fn record_frame(
    state: *mut ffi::PyThreadState,
    frame: *mut Frame,
    throw: c_int,
) -> *mut ffi::PyObject {
    // SAFETY: called by the interpreter with the GIL held and its own arguments, which are passed on unchanged. The
    // frame is alive until evaluation returns; it is not read after that (a generator's may be gone), and `code` is
    // kept alive by the session's pin, taken when it was first recorded.
    unsafe {
        let code = (*frame).code;
        let running = thread_state::running_in(state);
        // Of threads that are not traced, too: their calls go through here as well.
        if near_stack_end(running.thread, &raw const code as usize) {
            step_aside();
            return _PyEval_EvalFrameDefault(state, frame, throw);
        }
        let Some(how) = entry(frame, throw) else {
            return _PyEval_EvalFrameDefault(state, frame, throw);
        };
        let strand = slot::strand_of(running);
        if strand.is_null() {
            return _PyEval_EvalFrameDefault(state, frame, throw);
        }
        let is_generators = (*frame).owner == OWNED_BY_GENERATOR;
        enter(strand, code, how, frame);
        let result = _PyEval_EvalFrameDefault(state, frame, throw);
        let how = match result.is_null() {
            true => Exit::Unwind,
            false if is_generators && has_yielded(frame) => Exit::Yield,
            false => Exit::Return,
        };
        leave(slot::strand_of(thread_state::running_in(state)), code, how);
        result
    }
}

/// Not part of the hook, which is on the C stack once for each open call: what it takes there decides how deep calls go.
///
/// # Safety
/// As for [`slot::enter`].
#[inline(never)]
unsafe fn enter(strand: *mut slot::Strand, code: *mut ffi::PyObject, how: Entry, frame: *mut Frame) {
    // SAFETY: by the caller's promise.
    unsafe { slot::enter(strand, code, how, arguments::Frame(frame)) }
}

/// The same for its end.
///
/// # Safety
/// As for [`slot::leave`].
#[inline(never)]
unsafe fn leave(strand: *mut slot::Strand, code: *mut ffi::PyObject, how: Exit) {
    // SAFETY: by the caller's promise.
    unsafe { slot::leave(strand, code, how) }
}

/// Whether the generator that this frame is part of is suspended after its evaluation.
///
/// # Safety
/// The frame must be a generator's, and the generator alive: whoever resumed it holds a reference until it has the
/// result.
unsafe fn has_yielded(frame: *const Frame) -> bool {
    // SAFETY: the field is inside the generator, in front of its frame (`self_test` checks where).
    unsafe { frame.cast::<i8>().sub(STATE_BEFORE_FRAME).read() == SUSPENDED }
}

/// How the frame is entered; `None` for a call that only makes a generator, which runs nothing of its body.
///
/// # Safety
/// `frame` must be the live frame that the interpreter is about to evaluate.
#[inline(always)]
unsafe fn entry(frame: *const Frame, throw: c_int) -> Option<Entry> {
    // SAFETY: a live frame, by the caller; `code` is a code object and `previous_instruction` points into its
    // bytecode.
    unsafe {
        let flags = (*(*frame).code.cast::<Code>()).flags;
        if flags & MAKES_GENERATOR == 0 {
            return Some(Entry::Start);
        }
        if (*frame).owner != OWNED_BY_GENERATOR {
            return None;
        }
        if throw != 0 {
            return Some(Entry::Throw);
        }
        let opcode = (*(*frame).previous_instruction).to_le_bytes()[0];
        Some(if opcode == RETURN_GENERATOR { Entry::Start } else { Entry::Resume })
    }
}

/// The value of the parameter at this position.
///
/// # Safety
/// The GIL must be held; `frame` is alive, its function has so many parameters, and it has not run past its first
/// instruction.
pub(super) unsafe fn argument(py: Python<'_>, frame: *const Frame, position: usize) -> Option<Bound<'_, PyAny>> {
    // SAFETY: by the caller's promise. What a generator's body shares with functions inside it is in a cell by then.
    unsafe {
        let value = (&raw const (*frame).variables).cast::<*mut ffi::PyObject>().add(position).read();
        if !value.is_null() && (*frame).owner == OWNED_BY_GENERATOR && ffi::PyCell_Check(value) != 0 {
            return Bound::from_owned_ptr_or_opt(py, ffi::PyCell_Get(value));
        }
        Bound::from_borrowed_ptr_or_opt(py, value)
    }
}

/// # Safety
/// The GIL must be held, by the thread with this number; `here` is an address in its stack.
#[inline(always)]
unsafe fn near_stack_end(thread: u64, here: usize) -> bool {
    // SAFETY: by the caller's promise.
    let last = LAST_ROOM.get(unsafe { Python::assume_attached() });
    let room = last.get();
    // Both: the stack of a thread that has ended may be another's now, and a thread state may be used by another thread.
    if room.thread == thread && here.wrapping_sub(room.floor) < room.size {
        return false;
    }
    near_own_stack_end(last, thread, here)
}

#[cold]
#[inline(never)]
fn near_own_stack_end(last: &Cell<Room>, number: u64, here: usize) -> bool {
    STACK_ROOM.with(|room| {
        if room.get().0 == 0 {
            let (low, size) = thread::stack_bounds().unwrap_or((0, 0));
            let reserve = STACK_RESERVE.min(size / STACK_RESERVE_PART);
            room.set(((low + reserve).max(1), size - reserve));
        }
        let (floor, size) = room.get();
        last.set(Room { thread: number, floor, size });
        here < floor
    })
}
