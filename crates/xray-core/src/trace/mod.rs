//! The deterministic half: what one traced context called, exactly.
//!
//! A [`Recorder`] is filled in the hot path, by every call and return of a traced transaction. It gives a
//! [`RecordedTree`] in raw clock ticks, which [`TraceBody`] turns into the model's nodes and timeline.

mod allowance;
mod arguments;
mod convert;
mod functions;
mod index;
mod place;
mod pool;
mod recorder;
mod scale;
mod timeline;
mod tree;

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;

pub use allowance::Allowance;
pub use convert::{Strand, Subject, TraceBody};
pub use recorder::Recorder;
pub use scale::TickScale;
pub use tree::{NodeName, RecordedEntry, RecordedNode, RecordedTree};

/// What is called: the address of a code object, or a segment id shifted left with the lowest bit set. Unique while a
/// session holds a reference to the code object. 0 is not a key. A sampler that holds no references numbers the code
/// objects that it sees instead, with the highest bit set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallKey(pub u64);

impl CallKey {
    /// The key of a segment (SQL statement, template, ...).
    pub fn segment(id: u64) -> Self {
        Self(id << 1 | 1)
    }

    /// The key of the `number`-th code object that a sampler has seen.
    pub fn of_sampler(number: u64) -> Self {
        Self(1 << 63 | number << 1)
    }

    /// Whether this is a segment's key, not a code object's.
    pub fn is_segment(self) -> bool {
        self.0 & 1 == 1
    }
}

/// How a call was entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It began.
    Start,
    /// A generator or coroutine went on after a yield.
    Resume,
    /// A generator or coroutine went on with an exception thrown into it (also by `close`).
    Throw,
}

/// How a call was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It returned.
    Return,
    /// A generator or coroutine gave control back and may go on later.
    Yield,
    /// An exception left it.
    Unwind,
}

/// What [`Recorder::enter`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entered {
    /// The path was there.
    Known,
    /// The path, or in a full recorder the function, is new: the caller must keep its code object alive, and call
    /// [`Recorder::hide_top`] if it is xray's own, or [`Recorder::mark_top`] if its arguments are wanted.
    New,
    /// The path was there, and it is a call whose arguments are wanted: [`Recorder::describe_top`].
    Marked,
}
