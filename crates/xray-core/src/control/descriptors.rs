//! The descriptors that agent threads own: a forked child inherits copies of them, and must close these, because the
//! threads do not exist there. Without that they would pile up over generations of forks, and a child that holds a
//! dead parent's listening socket would let controllers wait for an answer that never comes.
//!
//! Only what a thread of the agent owns belongs here. What Python objects own is closed by them, in the child as well.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};

/// Descriptors that one process can note: some for the control thread and a session, one for each connection.
const MOST: usize = crate::limits::CONTROL_CONNECTIONS + 32;
const FREE: i32 = -1;

/// No lock: one that another thread holds during a fork would stay locked in the child.
static NOTED: [AtomicI32; MOST] = [const { AtomicI32::new(FREE) }; MOST];

/// A value with a descriptor that an agent thread owns. It is noted after it was opened, and struck out before it is
/// closed, so that a child never closes a number that was given out again; a fork at that very instant leaves the child
/// a copy too many, which does no harm.
#[derive(Debug)]
pub struct AgentOwned<T> {
    // Dropped in this order.
    _note: Option<Note>,
    value: T,
}

#[derive(Debug)]
struct Note(&'static AtomicI32);

thread_local! {
    static IS_AGENT: Cell<bool> = const { Cell::new(false) };
}

/// Says that the calling thread is the agent's: what it opens is its own, see [`AgentOwned::by_thread`].
pub fn this_thread_is_the_agents() {
    IS_AGENT.set(true);
}

impl<T: AsFd> AgentOwned<T> {
    /// Notes the descriptor of `value` until it is dropped. When there is no room, children keep their copy of it.
    pub fn new(value: T) -> Self {
        let descriptor = value.as_fd().as_raw_fd();
        let mut places = NOTED.iter();
        let is_taken =
            |place: &&AtomicI32| place.compare_exchange(FREE, descriptor, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        Self { _note: places.find(is_taken).map(Note), value }
    }

    /// The value, noted no more.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// As [`Self::new`] in threads of the agent; in others the value is not the agent's.
    pub fn by_thread(value: T) -> Self {
        if IS_AGENT.get() { Self::new(value) } else { Self { _note: None, value } }
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        self.0.store(FREE, Ordering::Release);
    }
}

/// In a forked child: the inherited copies, to be closed by the caller. They are noted no more.
pub fn take_inherited() -> BTreeSet<RawFd> {
    NOTED.iter().map(|place| place.swap(FREE, Ordering::AcqRel)).filter(|descriptor| *descriptor != FREE).collect()
}

impl<T> std::ops::Deref for AgentOwned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> std::ops::DerefMut for AgentOwned<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: AsFd> AsFd for AgentOwned<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.value.as_fd()
    }
}

impl<T: Read> Read for AgentOwned<T> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.value.read(into)
    }
}

impl<T: Write> Write for AgentOwned<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.value.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.value.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::{AgentOwned, NOTED, Ordering};
    use std::os::fd::AsRawFd;

    #[test]
    fn is_noted_until_it_is_closed() {
        let file = AgentOwned::new(std::fs::File::open("/dev/null").unwrap());
        let descriptor = file.as_raw_fd();
        let noted = || NOTED.iter().any(|place| place.load(Ordering::Relaxed) == descriptor);
        assert!(noted());
        drop(file);
        assert!(!noted());
    }
}
