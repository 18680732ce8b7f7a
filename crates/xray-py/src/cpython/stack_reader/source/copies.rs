//! Copies of the stacks of all threads: of those that stand still one, of the one that may run as many as it takes.

use super::super::live::{self, Settled};
use super::super::threads::{Gil, ListMark, ThreadName};
use super::super::visit::Visit;
use super::super::walk::End;
use super::MemoryStackSource;
use super::watched::Thread;
use crate::os::thread;
use std::collections::HashMap;

/// Tries to copy the stack of the one thread that may be running Python code meanwhile: so many for a copy that is of one
/// instant for sure, as many for a quick one that may have missed a call that had just begun or ended, as many for any.
const TRIES_EACH: usize = 8;
/// The same in frames walked, as deep stacks take long; after four times as many a thread is given up for this tick.
const FRAMES_EACH: usize = 1000;
/// Time after which the list of threads is walked although no thread was made: some may have ended.
const LIST_AGAIN_NS: u64 = 100_000_000;

impl MemoryStackSource {
    /// Looks at all threads; nothing is resolved yet.
    pub(super) fn copy_all(&mut self, now_ns: u64) -> Option<()> {
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

    /// Reads which threads there are.
    pub(super) fn list(&mut self, mark: ListMark) {
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

    /// Copies and walks a thread's stack once.
    pub(super) fn visit(&mut self, at: usize, moving: bool) -> Visit {
        let thread = &mut self.threads[at];
        thread.plan.visit(&self.layout, &mut self.snapshot, &thread.name, self.interpreter_at, &mut self.walk, moving)
    }
}
