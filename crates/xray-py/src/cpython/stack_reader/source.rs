//! One look at all threads.

use super::super::frames::LabelOfReference;
use super::codes::{Codes, Shows};
use super::contexts::Contexts;
use super::destroyed::{self, Destroyed};
use super::layout::{GilAt, Layout};
use super::live::{self, Settled};
use super::self_test;
use super::snapshot::Snapshot;
use super::states::{self, Preempted};
use super::threads::{Gil, Interpreter, ListMark, ThreadName};
use super::visit::{Plan, StateWords, Visit};
use super::walk::{End, Frame, Walk};
use crate::os::memory::Memory;
use crate::os::thread;
use pyo3::ffi;
use pyo3::prelude::*;
use std::collections::HashMap;
use std::ffi::c_char;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use xray_core::clock::Clock;
use xray_core::model::{Symbol, ThreadState};
use xray_core::sample::{
    CallSites, FrameAt, GilOwner, Seen, SourceClosed, StackId, StackSource, Stacks, Tick, WaitsFor,
};
use xray_core::trace::CallKey;

/// Tries to copy the stack of the one thread that may be running Python code meanwhile: so many for a copy that is of one
/// instant for sure, as many for a quick one that may have missed a call that had just begun or ended, as many for any.
const TRIES_EACH: usize = 8;
/// The same in frames walked, as deep stacks take long; after four times as many a thread is given up for this tick.
const FRAMES_EACH: usize = 1000;
/// Tries to look at all threads while no code is freed that is on their stacks.
const TICK_TRIES: usize = 3;
/// Time after which the list of threads is walked although no thread was made: some may have ended.
const LIST_AGAIN_NS: u64 = 100_000_000;

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

struct Thread {
    name: ThreadName,
    own: bool,
    cpu_ns: u64,
    seen_ns: u64,
    plan: Plan,
    words: StateWords,
    /// What it did when it was looked at last.
    state: ThreadState,
    /// The system call that it was in then, if it was blocked.
    call: Option<&'static str>,
    /// The reference to its transaction in the context that it is in; 0 for none.
    reference: usize,
    kept: Kept,
    /// In this tick.
    now: Now,
}

/// A thread in one tick.
#[derive(Clone, Copy, Debug, Default)]
struct Now {
    moved: bool,
    gone: bool,
    /// It was copied, and nothing proves yet that it stood still meanwhile.
    unproven: bool,
    used_ns: u64,
}

/// The stack that was read last.
#[derive(Debug, Default)]
struct Kept {
    /// Innermost first, and the stack that each of them ends.
    frames: Vec<Frame>,
    ids: Vec<StackId>,
    /// What the ids rest on: epoch of the stacks, and what was forgotten of codes.
    rests_on: Option<(u64, u64)>,
    stack: StackId,
    torn: bool,
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

    /// Looks at all threads; nothing is resolved yet.
    fn copy_all(&mut self, now_ns: u64) -> Option<()> {
        let (gil, mark) = self.interpreter.look()?;
        if self.mark != Some(mark) || now_ns.saturating_sub(self.listed_ns) >= LIST_AGAIN_NS {
            self.list(mark);
            self.listed_ns = now_ns;
        }
        for at in 0..self.threads.len() {
            self.copy(at, now_ns, &gil);
        }
        if !self.threads.iter().any(|thread| thread.now.unproven) {
            return Some(());
        }
        let later = self.interpreter.gil()?;
        if gil.only_holder_until(&later).is_none() {
            // Some thread took the GIL meanwhile: those that were taken for frozen are copied once more, with care.
            for at in 0..self.threads.len() {
                if self.threads[at].now.unproven && !self.threads[at].now.gone {
                    self.copy_moving(at);
                }
            }
        }
        Some(())
    }

    fn list(&mut self, mark: ListMark) {
        let mut names = Vec::with_capacity(self.threads.len() + 4);
        self.interpreter.list(mark, &mut names);
        let mut known: HashMap<usize, Thread> =
            std::mem::take(&mut self.threads).into_iter().map(|thread| (thread.name.at, thread)).collect();
        let same = |name: &ThreadName, thread: &Thread| thread.name == *name;
        self.threads = names
            .into_iter()
            .map(|name| known.remove(&name.at).filter(|known| same(&name, known)).unwrap_or_else(|| Thread::new(name)))
            .collect();
        self.mark = Some(mark);
    }

    fn copy(&mut self, at: usize, now_ns: u64, gil: &Gil) {
        let thread = &mut self.threads[at];
        if thread.own {
            return;
        }
        let Some(cpu_ns) = thread::cpu_ns(thread.name.tid) else {
            thread.now.gone = true;
            self.mark = None;
            return;
        };
        let first = thread.seen_ns == 0;
        let moved = first || cpu_ns != thread.cpu_ns;
        thread.now.moved |= moved;
        thread.now.used_ns += if first { 0 } else { cpu_ns.saturating_sub(thread.cpu_ns) };
        (thread.cpu_ns, thread.seen_ns) = (cpu_ns, now_ns);
        // The clock of a thread that runs can stand still for a moment: where a hypervisor takes cores away, the kernel
        // takes that time off it afterwards.
        let has_gil = thread.name.at == gil.last_holder;
        let may_run = has_gil && gil.locked;
        if !moved && !thread.kept.torn && !may_run {
            return;
        }
        if has_gil {
            self.copy_moving(at);
        } else {
            self.copy_frozen(at);
        }
    }

    /// Copies the stack of a thread that does not have the GIL.
    fn copy_frozen(&mut self, at: usize) {
        let visit = self.visit(at, false);
        let thread = &mut self.threads[at];
        match visit {
            Visit::Gone => (thread.now.gone, self.mark) = (true, None),
            Visit::Walked(end, words) => {
                thread.words = words;
                thread.reference = self.contexts.value(words.context).unwrap_or(0);
                thread.now.unproven = true;
                thread.plan.learn(&self.layout, &self.walk);
                thread.kept.take(&mut self.walk, end);
            }
        }
    }

    /// Copies the stack of a thread that may be running: until a copy is of one piece.
    fn copy_moving(&mut self, at: usize) {
        let mut end = End::Broken;
        let mut walked = 0;
        for tried in 0..3 * TRIES_EACH {
            let reads = self.snapshot.reads;
            let Visit::Walked(this_end, words) = self.visit(at, true) else {
                (self.threads[at].now.gone, self.mark) = (true, None);
                return;
            };
            self.threads[at].words = words;
            let quick = self.threads[at].plan.was_quick(self.snapshot.took_ns);
            let settled = self.settle(at, this_end, reads, quick);
            self.threads[at].plan.learn(&self.layout, &self.walk);
            walked += self.walk.frames.len();
            let late = (tried / TRIES_EACH).max(walked / FRAMES_EACH);
            end = match settled {
                Settled::Surely(end) if quick || late > 1 => end,
                Settled::Perhaps(end) if late > 1 || quick && late == 1 => end,
                _ => End::Broken,
            };
            if end != End::Broken && !self.knows_whose(at) && late == 0 {
                end = End::Broken;
            }
            if end != End::Broken || walked >= 4 * FRAMES_EACH {
                break;
            }
        }
        let thread = &mut self.threads[at];
        thread.now.unproven = false;
        thread.kept.take(&mut self.walk, end);
    }

    /// Looks whose code the thread ran when it was copied; false when it has entered another context since.
    fn knows_whose(&mut self, at: usize) -> bool {
        let Self { layout, contexts, threads, .. } = self;
        let thread = &mut threads[at];
        let reference = contexts.value(thread.words.context);
        let still = contexts.is_entered(thread.name.at + layout.thread.context, &thread.words);
        thread.reference = reference.filter(|_| still).unwrap_or(0);
        still
    }

    /// Brings a walk to the instant of its copy.
    fn settle(&mut self, at: usize, end: End, reads_before: u64, quick: bool) -> Settled {
        let Self { layout, snapshot, codes, sites, walk, threads, .. } = self;
        let settled = live::settle(layout, snapshot, codes, walk, &threads[at].kept.frames, end, reads_before);
        // Those that were there before have been looked at before.
        let kept = &threads[at].kept.frames;
        let known = walk.frames.iter().rev().zip(kept.iter().rev()).take_while(|(new, old)| new == old).count();
        let new = &walk.frames[..walk.frames.len() - known];
        if !new.iter().all(|frame| codes.place(frame.code, frame.instruction).is_some()) {
            return Settled::No;
        }
        let calls =
            walk.frames.windows(2).take(new.len()).map(|pair| ((pair[1].code, pair[1].instruction), pair[0].code));
        match settled {
            Settled::Surely(_) if quick => calls.for_each(|(site, callee)| sites.learn(site, callee)),
            Settled::Surely(_) => {}
            _ if calls.into_iter().all(|(site, callee)| sites.may_call(site, callee)) => {}
            _ => return Settled::No,
        }
        settled
    }

    fn visit(&mut self, at: usize, moving: bool) -> Visit {
        let thread = &mut self.threads[at];
        thread.plan.visit(&self.layout, &mut self.snapshot, &thread.name, self.interpreter_at, &mut self.walk, moving)
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

impl Thread {
    fn new(name: ThreadName) -> Self {
        Self {
            own: thread::is_own(name.tid),
            name,
            cpu_ns: 0,
            seen_ns: 0,
            plan: Plan::default(),
            words: StateWords::default(),
            state: ThreadState::Unknown,
            call: None,
            reference: 0,
            kept: Kept::default(),
            now: Now::default(),
        }
    }
}

impl Kept {
    /// Takes a walk over. What it has in common with the one before keeps its numbers.
    fn take(&mut self, walk: &mut Walk, end: End) {
        let same = |(old, new): &(&Frame, &Frame)| (old.code, old.instruction) == (new.code, new.instruction);
        let common = self.frames.iter().rev().zip(walk.frames.iter().rev()).take_while(same).count();
        std::mem::swap(&mut self.frames, &mut walk.frames);
        // `ids` has the outermost last, too; those of the innermost frames are to be found.
        let old = self.ids.len();
        self.ids.drain(..old - common.min(old));
        self.torn = end != End::Whole;
    }

    /// Numbers the stack.
    fn resolve(&mut self, codes: &mut Codes, stacks: &mut Stacks) {
        let rests_on = (stacks.epoch(), codes.forgotten);
        if self.rests_on != Some(rests_on) {
            self.ids.clear();
        }
        let mut new = Vec::with_capacity(self.frames.len() - self.ids.len());
        let mut caller = self.ids.first().copied().unwrap_or(StackId::EMPTY);
        for frame in self.frames[..self.frames.len() - self.ids.len()].iter().rev() {
            match codes.place(frame.code, frame.instruction) {
                Some(Shows::Function(at)) => match stacks.below(caller, at) {
                    Some(stack) => caller = stack,
                    None => self.torn = true,
                },
                Some(Shows::Nothing) => {}
                None => self.torn = true,
            }
            new.push(caller);
        }
        if !new.is_empty() {
            new.reverse();
            new.append(&mut self.ids);
            self.ids = new;
        }
        self.rests_on = Some((stacks.epoch(), codes.forgotten));
        self.stack = caller;
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
