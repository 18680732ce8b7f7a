//! Which frames were there at the instant of the copy.
//!
//! The pointer to the innermost frame is copied a fraction of a microsecond before the frames are, and a thread that
//! runs calls and returns meanwhile. But the frames show by themselves which of them runs: it has its stack in use, and
//! those that wait for it have put theirs down. So the copy is taken at its word: what is above the one that runs had
//! ended, and what one that waits has called is looked for.

use super::codes::Codes;
use super::layout::{GENERATOR, Layout};
use super::snapshot::{Snapshot, word_in};
use super::walk::{End, Frame, Header, Walk};

/// Calls that began between the pointer's copy and the frames': more take longer than a copy does.
const MOST_NEW: usize = 64;

/// Whether a walk is that of one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// It is: all was copied in one go, and its innermost frame runs.
    Surely(End),
    /// It was not copied in one go, or its innermost frame waits for something that was not found, or has just ended.
    Perhaps(End),
    /// It is not.
    No,
}

/// Brings a walk to the instant of the copy. Versions whose frames do not show which of them runs keep it as it is.
/// `before` is the stack that the thread had when it was copied last, innermost first; `reads_before` is how many
/// copies had been made when this one began.
pub(super) fn settle(
    layout: &Layout,
    snapshot: &mut Snapshot,
    codes: &mut Codes,
    walk: &mut Walk,
    before: &[Frame],
    end: End,
    reads_before: u64,
) -> Settled {
    let end = match end {
        End::Broken => return Settled::No,
        End::Suspended => match resumed_by(layout, snapshot, walk, before) {
            Some(caller) => walk.run(layout, snapshot, caller),
            None => return Settled::No,
        },
        end => end,
    };
    if matches!(end, End::Broken | End::Suspended) {
        return Settled::No;
    }
    // What was not copied in one go was copied microseconds apart: the next try knows what is needed. What is only
    // looked at to find that nothing was called there does not count.
    let mut together = snapshot.reads == reads_before + 1;
    if layout.frame.running_shows {
        drop_ended(walk);
        let reads = snapshot.reads;
        let added = add_begun(layout, snapshot, codes, walk);
        together &= !added || snapshot.reads == reads;
        together &= innermost_stayed(layout, snapshot, walk);
    }
    let runs = walk.frames.first().is_none_or(|innermost| innermost.stack_words.is_none());
    if together && (runs || !layout.frame.running_shows) { Settled::Surely(end) } else { Settled::Perhaps(end) }
}

/// Whether the innermost frames were the same in two copies, a fraction of a microsecond apart: then they were so in
/// between (Afek, Attiya, Dolev, Gafni, Merritt and Shavit, Atomic snapshots of shared memory, JACM 40, 1993). Lines of a
/// cache that another core writes to arrive one after the other, and a call may end and another one begin between two of
/// them; generators are on pages of their own, which are copied one after the other. Of the frame that runs, what it
/// does may have changed, but not whose it is. The outermost of them must be the same in the copy of the frames around
/// it, too.
fn innermost_stayed(layout: &Layout, snapshot: &mut Snapshot, walk: &Walk) -> bool {
    let count = walk.innermost(layout).frames;
    walk.frames[..count].iter().enumerate().all(|(depth, frame)| {
        let of = |bytes: Option<&[u8]>| Header::of(layout, bytes?);
        let [second, around] = snapshot.other_copies(frame.at, layout.frame.size).map(of);
        let first = Header::read(layout, snapshot, frame.at);
        let (Some(first), Some(second)) = (first, second) else { return false };
        match depth {
            0 => (first.code, first.previous) == (second.code, second.previous),
            _ => first == second && (depth + 1 != count || around.is_none_or(|around| first == around)),
        }
    })
}

/// The frame that a suspended generator has just returned to: one that was on the stack before, and that has this
/// generator on top of its own stack now.
fn resumed_by(layout: &Layout, snapshot: &mut Snapshot, walk: &Walk, before: &[Frame]) -> Option<usize> {
    let suspended = walk.frames.last()?.at;
    before.iter().map(|frame| frame.at).find(|at| {
        let words = Header::read(layout, snapshot, *at).and_then(|header| header.stack_words);
        let delegate = words.and_then(|words| on_top(layout, snapshot, *at, words));
        delegate.and_then(|object| object.checked_add(layout.frame.in_generator)) == Some(suspended)
    })
}

/// A frame that the interpreter's loop has called is there only while its caller waits.
fn drop_ended(walk: &mut Walk) {
    let frames = &mut walk.frames;
    let ended = |callee: usize| !frames[callee].from_c && frames[callee + 1].stack_words.is_none();
    if let Some(last) = (0..frames.len().saturating_sub(1)).rfind(|callee| ended(*callee)) {
        frames.drain(..=last);
    }
}

/// The object on top of a frame's stack.
fn on_top(layout: &Layout, snapshot: &mut Snapshot, frame: usize, stack_words: u32) -> Option<usize> {
    let top = frame + layout.frame.variables + (stack_words.checked_sub(1)? as usize) * 8;
    Some(word_in(snapshot.bytes_or_fetch(top, 8)?, 0)? as usize)
}

/// What the innermost frame has called, if it waits. Only a chain that ends with a frame that runs is believed: above
/// a frame that waits for something else there may be remains of frames that had ended.
/// Whether there was something.
fn add_begun(layout: &Layout, snapshot: &mut Snapshot, codes: &mut Codes, walk: &mut Walk) -> bool {
    let mut begun: Vec<Frame> = Vec::new();
    let Some(mut caller) = walk.frames.first().copied() else { return false };
    while let Some(words) = caller.stack_words {
        let callee = function(layout, snapshot, codes, &caller)
            .or_else(|| generator(layout, snapshot, codes, &caller, words))
            .filter(|_| begun.len() < MOST_NEW);
        let Some(callee) = callee else { return false };
        begun.push(callee);
        caller = callee;
    }
    for frame in &begun {
        walk.need(frame.at, layout.frame.size);
    }
    begun.reverse();
    let added = !begun.is_empty();
    walk.frames.splice(0..0, begun);
    added
}

/// A function's frame follows its caller's. (The first one in a new piece of the data stack does not, and is not
/// found: it is missing from one in hundreds of stacks that deep.)
fn function(layout: &Layout, snapshot: &mut Snapshot, codes: &mut Codes, caller: &Frame) -> Option<Frame> {
    if caller.generator {
        return None;
    }
    let at = caller.at + codes.at(caller.code)?.frame_len;
    called(layout, snapshot, codes, caller, at, false)
}

/// A generator's is in the generator, which its caller has on top of its stack.
fn generator(
    layout: &Layout,
    snapshot: &mut Snapshot,
    codes: &mut Codes,
    caller: &Frame,
    stack_words: u32,
) -> Option<Frame> {
    let object = on_top(layout, snapshot, caller.at, stack_words)?;
    called(layout, snapshot, codes, caller, object.checked_add(layout.frame.in_generator)?, true)
}

/// The frame at an address, if the caller's loop has called it.
fn called(
    layout: &Layout,
    snapshot: &mut Snapshot,
    codes: &mut Codes,
    caller: &Frame,
    at: usize,
    generator: bool,
) -> Option<Frame> {
    let header = Header::read(layout, snapshot, at)?;
    let is_called = header.previous == caller.at && !header.is_entry && (header.owner == GENERATOR) == generator;
    if !is_called {
        return None;
    }
    codes.place(header.code, header.instruction)?;
    Some(header.frame(at))
}
