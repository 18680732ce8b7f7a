//! The interpreter's threads: which there are, without walking their list at every tick.

use super::layout::{Layout, gil};
use super::snapshot::word_in;
use crate::os::memory::{Memory, Region};

/// Threads looked at, at most.
const MOST_THREADS: usize = 10_000;

/// One thread as the interpreter's list names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ThreadName {
    /// Address of its `PyThreadState`.
    pub(super) at: usize,
    /// The interpreter's number for it, never used twice.
    pub(super) id: u64,
    /// What `threading.get_ident()` says.
    pub(super) ident: u64,
    /// Its number in the kernel.
    pub(super) tid: u32,
}

impl ThreadName {
    /// What a copy of a `PyThreadState` says.
    pub(super) fn of(layout: &Layout, at: usize, state: &[u8]) -> Option<Self> {
        let field = |offset| word_in(state, offset);
        let thread = &layout.thread;
        Some(Self {
            at,
            id: field(thread.id)?,
            ident: field(thread.ident)?,
            tid: u32::try_from(field(thread.native_id)?).ok()?,
        })
    }
}

/// The GIL at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gil {
    /// The thread state that has it, or had it last.
    pub(super) last_holder: usize,
    /// Whether it is taken.
    pub(super) locked: bool,
    /// How often it went from one thread to another.
    pub(super) switches: u64,
}

impl Gil {
    /// Between the two looks no other thread has had it than this one: all others stood still.
    pub(super) fn only_holder_until(&self, later: &Self) -> Option<usize> {
        (self.switches == later.switches && self.last_holder == later.last_holder).then_some(self.last_holder)
    }
}

/// Where the interpreter is.
pub(super) struct Interpreter {
    layout: Layout,
    memory: Memory,
    at: usize,
    gil: usize,
    state: Vec<u8>,
}

/// What moves when a thread is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ListMark {
    next_id: u64,
    head: usize,
}

impl Interpreter {
    /// The interpreter at an address, with its lock at another.
    pub(super) fn new(layout: Layout, memory: Memory, at: usize, gil: usize) -> Self {
        let state = vec![0; layout.thread.size];
        Self { layout, memory, at, gil, state }
    }

    /// The lock and the list's mark, now.
    pub(super) fn look(&mut self) -> Option<(Gil, ListMark)> {
        let mut bytes = [0; 16 + gil::WORDS];
        let regions = [
            Region { at: self.at + self.layout.interpreter_threads, len: 16 },
            Region { at: self.gil, len: gil::WORDS },
        ];
        let read = self.memory.read(&regions, &mut bytes).ok()?;
        if read != bytes.len() {
            return None;
        }
        let (list, lock) = bytes.split_at(16);
        let mark = ListMark { next_id: word_in(list, 0)?, head: word_in(list, 8)? as usize };
        Some((lock_in(lock)?, mark))
    }

    /// The lock, now.
    pub(super) fn gil(&mut self) -> Option<Gil> {
        let mut bytes = [0; gil::WORDS];
        let region = Region { at: self.gil, len: bytes.len() };
        let read = self.memory.read(&[region], &mut bytes).ok()?;
        if read == bytes.len() { lock_in(&bytes) } else { None }
    }

    /// Whether a thread that sleeps on this address waits for the lock.
    pub(super) fn is_waited_on(&self, address: u64) -> bool {
        let offset = usize::try_from(address).ok().and_then(|address| address.checked_sub(self.gil));
        offset.is_some_and(|offset| gil::WAITED_ON.contains(&offset))
    }

    /// Walks the list. Threads that have not begun to run have no number in the kernel yet and are left out.
    pub(super) fn list(&mut self, mark: ListMark, into: &mut Vec<ThreadName>) {
        into.clear();
        let mut next = mark.head;
        for _ in 0..MOST_THREADS {
            if next == 0 || !next.is_multiple_of(8) {
                return;
            }
            let region = Region { at: next, len: self.state.len() };
            if self.memory.read(&[region], &mut self.state).ok() != Some(self.state.len()) {
                return;
            }
            let thread = &self.layout.thread;
            if word_in(&self.state, thread.interpreter) != Some(self.at as u64) {
                // The thread ended while the list was walked; the next look begins anew.
                return;
            }
            into.extend(ThreadName::of(&self.layout, next, &self.state).filter(|thread| thread.tid != 0));
            next = word_in(&self.state, thread.next).unwrap_or(0) as usize;
        }
    }
}

fn lock_in(bytes: &[u8]) -> Option<Gil> {
    Some(Gil {
        last_holder: word_in(bytes, gil::LAST_HOLDER)? as usize,
        locked: bytes[gil::LOCKED] == 1,
        switches: word_in(bytes, gil::SWITCHES)?,
    })
}
