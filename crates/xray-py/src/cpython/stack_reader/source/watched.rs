//! What is remembered of a thread from one look to the next.

use super::super::codes::{Codes, Shows};
use super::super::threads::ThreadName;
use super::super::visit::{Plan, StateWords};
use super::super::walk::{End, Frame, Walk};
use crate::os::thread;
use xray_core::model::ThreadState;
use xray_core::sample::{StackId, Stacks};

/// A thread, from tick to tick.
pub(super) struct Thread {
    pub(super) name: ThreadName,
    pub(super) own: bool,
    pub(super) cpu_ns: u64,
    pub(super) seen_ns: u64,
    pub(super) plan: Plan,
    pub(super) words: StateWords,
    /// What it did when it was looked at last.
    pub(super) state: ThreadState,
    /// The system call that it was in then, if it was blocked.
    pub(super) call: Option<&'static str>,
    /// The reference to its transaction in the context that it is in; 0 for none.
    pub(super) reference: usize,
    pub(super) kept: Kept,
    /// In this tick.
    pub(super) now: Now,
}

/// A thread in one tick.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Now {
    pub(super) moved: bool,
    pub(super) gone: bool,
    /// It was copied, and nothing proves yet that it stood still meanwhile.
    pub(super) unproven: bool,
    pub(super) used_ns: u64,
}

/// The stack that was read last.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Innermost first, and the stack that each of them ends.
    pub(super) frames: Vec<Frame>,
    pub(super) ids: Vec<StackId>,
    /// What the ids rest on: epoch of the stacks, and what was forgotten of codes.
    pub(super) rests_on: Option<(u64, u64)>,
    pub(super) stack: StackId,
    pub(super) torn: bool,
}

impl Thread {
    /// One that was not looked at yet.
    pub(super) fn new(name: ThreadName) -> Self {
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
    pub(super) fn take(&mut self, walk: &mut Walk, end: End) {
        let same = |(old, new): &(&Frame, &Frame)| (old.code, old.instruction) == (new.code, new.instruction);
        let common = self.frames.iter().rev().zip(walk.frames.iter().rev()).take_while(same).count();
        std::mem::swap(&mut self.frames, &mut walk.frames);
        // `ids` has the outermost last, too; those of the innermost frames are to be found.
        let old = self.ids.len();
        self.ids.drain(..old - common.min(old));
        self.torn = end != End::Whole;
    }

    /// Numbers the stack.
    pub(super) fn resolve(&mut self, codes: &mut Codes, stacks: &mut Stacks) {
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
