//! Stacks of all threads, read with the GIL held, through CPython's public interface only.
//!
//! Nothing can move while the GIL is held, so a stack is never torn. What it cannot see is a thread in the middle of
//! long C code that holds the GIL: its stack is read right after, with the whole time as its weight.

use super::{code, context, thread_state};
use crate::gate;
use crate::os::thread;
use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use std::collections::HashMap;
use std::ffi::c_int;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use xray_core::clock::Clock;
use xray_core::limits::{SAMPLE_DEPTH_UNDER_GIL, SAMPLE_LINES};
use xray_core::model::{ThreadKind, ThreadState, TraceId};
use xray_core::sample::{FrameAt, Seen, SourceClosed, StackId, StackSource, Tick};
use xray_core::trace::CallKey;

/// A thread counts as on the CPU when it had it for this share of the time since its last sample.
const ON_CPU_SHARE: f64 = 0.5;
/// Below this share it was blocked. Between the two it ran and waited in turns: nobody can say more from here.
const BLOCKED_SHARE: f64 = 0.1;

struct KnownThread {
    tid: Option<u32>,
    cpu_ns: u64,
    seen_ns: u64,
    tick: u64,
}

/// The transaction of a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    /// For whom its samples count.
    pub(crate) kind: ThreadKind,
    /// The trace, if it is traced.
    pub(crate) trace: Option<TraceId>,
}

impl Label {
    /// In no transaction.
    pub(crate) const NONE: Self = Self { kind: ThreadKind::Other, trace: None };
}

/// Knows the transaction of a context by the address of what xray's variable refers to it with (0: by nothing), without
/// the GIL.
pub(crate) type LabelOfReference = fn(usize) -> Label;

/// Reads stacks under the GIL.
pub(crate) struct GilStackSource {
    label: LabelOfReference,
    threads: HashMap<u64, KnownThread>,
    tick: u64,
    /// Lines of instructions; the code objects are pinned.
    lines: HashMap<(CallKey, c_int), u32>,
    /// Kernel id of the sampler's thread, for the meter of its cost.
    own_tid: Arc<AtomicU32>,
}

impl GilStackSource {
    /// A source that publishes its thread's kernel id.
    pub(crate) fn new(label: LabelOfReference, own_tid: Arc<AtomicU32>) -> Self {
        Self { label, threads: HashMap::new(), tick: 0, lines: HashMap::new(), own_tid }
    }

    fn read(&mut self, py: Python<'_>, clock: &dyn Clock, into: &mut Tick<'_>) -> PyResult<()> {
        let now_ns = clock.now_ns();
        into.read_at(now_ns);
        self.tick += 1;
        let frames = super::loaded_module(py, "sys")
            .ok_or_else(|| PyRuntimeError::new_err("sys is gone"))?
            .call_method0("_current_frames")?;
        let references: HashMap<u64, usize> = thread_state::context_of_each(py)
            .iter()
            .map(|(ident, context)| (*ident, context::value_in(context)))
            .collect();
        for (ident, frame) in frames.cast::<PyDict>()? {
            let ident: u64 = ident.extract()?;
            let label = (self.label)(references.get(&ident).copied().unwrap_or(0));
            let (state, cpu_ns) = self.state_of(py, ident, now_ns);
            let (frames, cut) = self.walk(py, &frame);
            let stack = into.stacks().of(&frames);
            let torn = cut || stack.is_none();
            let stack = stack.unwrap_or(StackId::EMPTY);
            into.push(Seen { thread: ident, kind: label.kind, state, trace: label.trace, cpu_ns, torn, stack });
        }
        let tick = self.tick;
        self.threads.retain(|_, thread| thread.tick == tick);
        Ok(())
    }

    /// What the thread did since its last sample, and its CPU time in it.
    fn state_of(&mut self, py: Python<'_>, ident: u64, now_ns: u64) -> (ThreadState, u64) {
        let tick = self.tick;
        let known = self.threads.entry(ident).or_insert_with(|| {
            let tid = native_id(py, ident);
            KnownThread { tid, cpu_ns: tid.and_then(thread::cpu_ns).unwrap_or(0), seen_ns: 0, tick }
        });
        known.tick = tick;
        let Some(cpu) = known.tid.and_then(thread::cpu_ns) else { return (ThreadState::Unknown, 0) };
        let (used, elapsed) = (cpu.saturating_sub(known.cpu_ns), now_ns.saturating_sub(known.seen_ns));
        let first = known.seen_ns == 0;
        (known.cpu_ns, known.seen_ns) = (cpu, now_ns);
        if first || elapsed == 0 {
            return (ThreadState::Unknown, 0);
        }
        let share = used as f64 / elapsed as f64;
        let state = if share >= ON_CPU_SHARE {
            ThreadState::OnCpu
        } else if share < BLOCKED_SHARE {
            ThreadState::Blocked
        } else {
            ThreadState::Waiting
        };
        (state, used)
    }

    /// The frames of a stack, innermost first, without xray's own; and whether it was cut.
    fn walk(&mut self, py: Python<'_>, innermost: &Bound<'_, PyAny>) -> (Vec<FrameAt>, bool) {
        let mut frames = Vec::with_capacity(64);
        let mut next = Some(innermost.clone());
        while let Some(frame) = next {
            if frames.len() == SAMPLE_DEPTH_UNDER_GIL {
                return (frames, true);
            }
            // SAFETY: a live frame object; the code object is a new reference, kept until it is pinned.
            let (code, own, offset) = unsafe {
                let raw = frame.as_ptr().cast::<ffi::PyFrameObject>();
                let code = Bound::from_owned_ptr(py, ffi::PyFrame_GetCode(raw).cast());
                let own = code::pin(py, code.as_ptr()).own;
                (code, own, ffi::PyFrame_GetLasti(raw))
            };
            if !own {
                let line = self.line(&code, offset);
                frames.push(FrameAt { code: CallKey(code.as_ptr() as u64), line });
            }
            next = caller(py, &frame);
        }
        (frames, false)
    }

    /// The line of an instruction of a pinned code object; 0 when unknown.
    fn line(&mut self, code: &Bound<'_, PyAny>, offset: c_int) -> u32 {
        if self.lines.len() >= SAMPLE_LINES {
            self.lines.clear();
        }
        *self.lines.entry((CallKey(code.as_ptr() as u64), offset)).or_insert_with(|| {
            // SAFETY: a live code object; any offset is allowed, one outside gives -1.
            let line = unsafe { ffi::PyCode_Addr2Line(code.as_ptr().cast(), offset) };
            u32::try_from(line).unwrap_or(0)
        })
    }
}

impl StackSource for GilStackSource {
    fn sample(&mut self, clock: &dyn Clock, tick: &mut Tick<'_>) -> Result<(), SourceClosed> {
        if self.tick == 0 {
            self.own_tid.store(crate::os::thread::tid(), Ordering::Relaxed);
        }
        match gate::attached(|py| self.read(py, clock, tick)) {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => {
                log::warn!("xray: stacks could not be read: {error}");
                Err(SourceClosed)
            }
            None => Err(SourceClosed),
        }
    }
}

/// Kernel id of a thread that `threading` knows; looked up without running Python code.
fn native_id(py: Python<'_>, ident: u64) -> Option<u32> {
    thread_object(py, ident)?.getattr("_native_id").ok()?.extract().ok()
}

/// Name of the thread, as `threading` knows it.
pub(crate) fn thread_name(py: Python<'_>, ident: u64) -> String {
    known_thread_name(py, ident).unwrap_or_else(|| format!("Thread {ident}"))
}

/// The same; `None` when `threading` does not know it.
pub(crate) fn known_thread_name(py: Python<'_>, ident: u64) -> Option<String> {
    let name = thread_object(py, ident)?.getattr("_name").ok()?;
    Some(name.cast::<PyString>().ok()?.to_string_lossy().into_owned())
}

fn thread_object(py: Python<'_>, ident: u64) -> Option<Bound<'_, PyAny>> {
    let threads = super::loaded_module(py, "threading")?.getattr("_active").ok()?;
    threads.cast::<PyDict>().ok()?.get_item(ident).ok()?
}

fn caller<'py>(py: Python<'py>, frame: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    // SAFETY: a live frame object; the result is a new reference or NULL without an exception.
    unsafe { Bound::from_owned_ptr_or_opt(py, ffi::PyFrame_GetBack(frame.as_ptr().cast()).cast()) }
}

/// File and line in the application's own code that the running function was called from: the nearest frame that is
/// neither xray's nor a library's, else the nearest that is not xray's.
pub(crate) fn call_site(py: Python<'_>) -> Option<(String, u32)> {
    // SAFETY: the GIL is held; a borrowed reference or NULL.
    let mut next = unsafe { Bound::from_borrowed_ptr_or_opt(py, ffi::PyEval_GetFrame().cast()) };
    let mut library = None;
    while let Some(frame) = next {
        // SAFETY: a live frame object; the code object is a new reference.
        let (code, place) = unsafe {
            let code = Bound::from_owned_ptr(py, ffi::PyFrame_GetCode(frame.as_ptr().cast()).cast::<ffi::PyObject>());
            let place = code::pin(py, code.as_ptr());
            (code, place)
        };
        if !place.own {
            if !place.library {
                return Some(site(&frame, &code));
            }
            library.get_or_insert_with(|| site(&frame, &code));
        }
        next = caller(py, &frame);
    }
    library
}

fn site(frame: &Bound<'_, PyAny>, code: &Bound<'_, PyAny>) -> (String, u32) {
    // SAFETY: a live frame object.
    let line = unsafe { ffi::PyFrame_GetLineNumber(frame.as_ptr().cast()) };
    let file = code.getattr("co_filename").and_then(|name| name.extract()).unwrap_or_default();
    (file, u32::try_from(line).unwrap_or(0))
}
