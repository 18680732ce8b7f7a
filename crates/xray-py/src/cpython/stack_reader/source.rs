//! One look at all threads.

mod copies;
mod watched;

use super::super::frames::LabelOfReference;
use super::codes::{Codes, Shows};
use super::contexts::Contexts;
use super::destroyed::{self, Destroyed};
use super::layout::{GilAt, Layout};
use super::self_test;
use super::snapshot::Snapshot;
use super::states::{self, Preempted};
use super::threads::{Gil, Interpreter, ListMark, ThreadName};
use super::visit::{StateWords, Visit};
use super::walk::{End, Walk};
use crate::os::memory::Memory;
use crate::os::thread;
use pyo3::ffi;
use pyo3::prelude::*;
use std::ffi::c_char;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use watched::{Now, Thread};
use xray_core::clock::Clock;
use xray_core::model::{Symbol, ThreadState};
use xray_core::sample::{
    CallSites, FrameAt, GilOwner, Seen, SourceClosed, StackId, StackSource, Stacks, Tick, WaitsFor,
};
use xray_core::trace::CallKey;

/// Tries to look at all threads while no code is freed that is on their stacks.
const TICK_TRIES: usize = 3;

/// Reads stacks by copies of memory.
pub(crate) struct MemoryStackSource {
    layout: Layout,
    interpreter_at: usize,
    interpreter: Interpreter,
    snapshot: Snapshot,
    walk: Walk,
    codes: Codes,
    sites: CallSites,
    contexts: Contexts,
    destroyed: Destroyed,
    threads: Vec<Thread>,
    mark: Option<ListMark>,
    listed_ns: u64,
    label: LabelOfReference,
    /// Kernel id of the sampler's thread, for the meter of its cost.
    own_tid: Arc<AtomicU32>,
}

/// What the self-test compares.
pub(super) struct OwnStack {
    pub(super) name: ThreadName,
    pub(super) gil: Gil,
    pub(super) words: StateWords,
    /// Address of the code object, and place.
    pub(super) frames: Vec<(usize, FrameAt)>,
}

impl MemoryStackSource {
    /// A reader of this interpreter; files below `own_directory` are xray's. It has shown that it reads right; what it
    /// rests on is undone by [`super::destroyed::unwatch`].
    ///
    /// # Errors
    /// Why stacks cannot be read so here.
    pub(crate) fn arm(
        py: Python<'_>,
        own_directory: &str,
        label: LabelOfReference,
        own_tid: Arc<AtomicU32>,
    ) -> Result<Self, String> {
        if compiles_while_it_runs(py) {
            return Err("frames of code that the interpreter has compiled do not show where they are".to_owned());
        }
        destroyed::watch(py)?;
        let armed =
            Self::new(py, own_directory.to_owned(), label, own_tid).and_then(|source| self_test::run(py, source));
        if armed.is_err() {
            destroyed::unwatch(py);
        }
        armed
    }

    fn new(
        py: Python<'_>,
        own_directory: String,
        label: LabelOfReference,
        own_tid: Arc<AtomicU32>,
    ) -> Result<Self, String> {
        let layout = Layout::of_this_python()?;
        // SAFETY: the GIL is held (`py`); the main interpreter lives as long as the process.
        let interpreter_at = unsafe { ffi::PyInterpreterState_Main() } as usize;
        let mut memory = Memory::of_this_process();
        let gil = gil_of(&layout, &mut memory, interpreter_at).ok_or("process_vm_readv is not allowed here")?;
        let code_type = &raw const ffi::PyCode_Type as usize;
        Ok(Self {
            interpreter_at,
            interpreter: Interpreter::new(layout.clone(), Memory::of_this_process(), interpreter_at, gil),
            snapshot: Snapshot::new(memory),
            walk: Walk::default(),
            codes: Codes::new(layout.clone(), Memory::of_this_process(), code_type, own_directory),
            sites: CallSites::default(),
            contexts: Contexts::learn(py)?,
            layout,
            destroyed: Destroyed::from_now(),
            threads: Vec::new(),
            mark: None,
            listed_ns: 0,
            label,
            own_tid,
        })
    }

    /// The stack of the calling thread, innermost first, as code object and line; for the self-test. The GIL is held,
    /// so nothing moves.
    pub(super) fn own_stack(&mut self, tid: u32) -> Result<OwnStack, String> {
        let (gil, mark) = self.interpreter.look().ok_or("process_vm_readv is not allowed here")?;
        self.list(mark);
        let at = self.threads.iter().position(|thread| thread.name.tid == tid);
        let at = at.ok_or("the running thread is not in the interpreter's list")?;
        let Visit::Walked(end, words) = self.visit(at, false) else {
            return Err("the running thread is taken for gone".to_owned());
        };
        if end != End::Whole {
            return Err(format!("the walk ended early ({end:?}) after {} frames", self.walk.frames.len()));
        }
        let mut frames = Vec::new();
        for frame in &self.walk.frames {
            if frame.ended {
                return Err("a generator that runs does not say so".to_owned());
            }
            match self.codes.place(frame.code, frame.instruction) {
                Some(Shows::Function(place)) => frames.push((frame.code, place)),
                Some(Shows::Nothing) => {}
                None => return Err("a frame has no code".to_owned()),
            }
        }
        Ok(OwnStack { name: self.threads[at].name, gil, words, frames })
    }

    /// What each thread does; who has the GIL meanwhile, if that matters.
    fn look_at_states(&mut self) -> Option<Gil> {
        let still_blocked = |thread: &Thread| !thread.now.moved && thread.state == ThreadState::Blocked;
        if self.threads.iter().all(|thread| thread.own || thread.now.gone || still_blocked(thread)) {
            return None;
        }
        let mut preempted = Preempted::default();
        let gil = self.interpreter.gil();
        let holds = |gil: &Option<Gil>, thread: &Thread| gil.is_none_or(|gil| gil.last_holder == thread.name.at);
        let Self { interpreter, threads, .. } = self;
        for (at, thread) in threads.iter_mut().enumerate().filter(|(_, thread)| !thread.own && !thread.now.gone) {
            let Now { moved, used_ns, .. } = thread.now;
            if !moved && states::sleeps(thread.state) {
                // Who has not run has not woken up.
                continue;
            }
            let before = thread.state;
            let looked =
                states::look(thread.name.tid, thread.cpu_ns, moved, |address| interpreter.is_waited_on(address));
            (thread.state, thread.call) = (looked.state, looked.call);
            if before == ThreadState::WaitingForGil
                && states::still_waits(thread.state, used_ns)
                && !holds(&gil, thread)
            {
                thread.state = before;
            }
            if thread.state == ThreadState::Waiting && moved {
                preempted.consider(at, thread.name.tid, used_ns);
            }
        }
        if let Some(thread) = preempted.thread().and_then(|at| threads.get_mut(at)) {
            thread.state = ThreadState::OnCpu;
        }
        gil
    }

    /// Who has the GIL.
    fn owner(&self, gil: Option<Gil>) -> GilOwner {
        let gil = gil.filter(|gil| gil.locked);
        match gil.and_then(|gil| self.threads.iter().find(|thread| thread.name.at == gil.last_holder)) {
            None => GilOwner::Nobody,
            Some(thread) if thread.own => GilOwner::Xray,
            Some(thread) => {
                let kind = (self.label)(thread.reference).kind;
                GilOwner::Thread { ident: thread.name.ident, kind, stack: thread.kept.stack }
            }
        }
    }

    /// Whether a file is one of xray's.
    pub(super) fn is_own(&self, file: &str) -> bool {
        self.codes.is_own(file)
    }

    /// Begins anew to know code objects.
    pub(super) fn forget_codes(&mut self) {
        self.codes.forget_all();
    }

    /// Names of code objects, for the self-test.
    pub(super) fn take_names(&mut self) -> Vec<(CallKey, Symbol)> {
        self.codes.take_names()
    }

    /// Forgets code that was freed. Whether there was any that was known.
    fn forget_destroyed(&mut self) -> bool {
        let Self { destroyed, codes, sites, .. } = self;
        let before = codes.forgotten;
        if destroyed.take(|address| codes.forget(address)).is_none() {
            codes.forget_all();
        }
        if codes.forgotten == before {
            return false;
        }
        sites.clear();
        true
    }

    fn resolve_all(&mut self, stacks: &mut Stacks) {
        for thread in self.threads.iter_mut().filter(|thread| !thread.own && !thread.now.gone) {
            thread.kept.resolve(&mut self.codes, stacks);
        }
    }

    fn give(&mut self, at: usize, certain: bool, owner: GilOwner, tick: &mut Tick<'_>) {
        let thread = &mut self.threads[at];
        if thread.now.gone {
            return;
        }
        if thread.own {
            tick.skip_own();
            return;
        }
        if thread.kept.frames.is_empty() {
            return;
        }
        if !certain && thread.now.moved {
            (thread.kept.stack, thread.kept.torn) = (StackId::EMPTY, true);
        }
        let label = (self.label)(thread.reference);
        let seen = Seen {
            thread: thread.name.id,
            kind: label.kind,
            state: thread.state,
            trace: label.trace,
            cpu_ns: thread.now.used_ns,
            torn: thread.kept.torn,
            stack: thread.kept.stack,
        };
        match (thread.state, thread.call) {
            (ThreadState::WaitingForGil, _) => tick.push_waiting(seen, WaitsFor::Gil(owner)),
            (ThreadState::Blocked, Some(call)) => tick.push_waiting(seen, WaitsFor::Call(call)),
            _ => tick.push(seen),
        }
    }
}

impl StackSource for MemoryStackSource {
    fn sample(&mut self, clock: &dyn Clock, tick: &mut Tick<'_>) -> Result<(), SourceClosed> {
        if self.own_tid.load(Ordering::Relaxed) == 0 {
            self.own_tid.store(thread::tid(), Ordering::Relaxed);
        }
        let now_ns = clock.now_ns();
        tick.read_at(now_ns);
        self.forget_destroyed();
        self.threads.iter_mut().for_each(|thread| thread.now = Now::default());
        let mut certain = false;
        for _ in 0..TICK_TRIES {
            self.copy_all(now_ns).ok_or(SourceClosed)?;
            self.resolve_all(tick.stacks());
            // Code that was freed meanwhile, and whose address is used again, may have been taken for what it was.
            certain = !self.forget_destroyed();
            if certain {
                break;
            }
        }
        let gil = self.look_at_states();
        let owner = self.owner(gil);
        for at in 0..self.threads.len() {
            self.give(at, certain, owner, tick);
        }
        for (key, symbol) in self.codes.take_names() {
            tick.stacks().name(key, symbol);
        }
        Ok(())
    }
}

/// Whether the interpreter's just-in-time compiler is on (`PYTHON_JIT=1`, Python 3.14 and newer).
fn compiles_while_it_runs(py: Python<'_>) -> bool {
    let compiler = super::super::loaded_module(py, "sys").and_then(|sys| sys.getattr("_jit").ok());
    compiler.and_then(|compiler| compiler.call_method0("is_enabled").ok()?.extract().ok()).unwrap_or(false)
}

unsafe extern "C" {
    /// The runtime's state; only its address is used.
    static _PyRuntime: c_char;
}

fn gil_of(layout: &Layout, memory: &mut Memory, interpreter: usize) -> Option<usize> {
    match layout.gil {
        GilAt::Runtime(offset) => Some(&raw const _PyRuntime as usize + offset),
        GilAt::Interpreter(offset) => {
            let mut pointer = [0; 8];
            let region = crate::os::memory::Region { at: interpreter + offset, len: 8 };
            (memory.read(&[region], &mut pointer).ok()? == 8).then(|| usize::from_le_bytes(pointer))
        }
    }
}
