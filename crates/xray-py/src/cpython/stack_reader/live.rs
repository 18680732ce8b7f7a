//! Which frames were there at the instant of the copy.
//!
//! The pointer to the innermost frame is copied a fraction of a microsecond before the frames are, and a thread that
//! runs calls and returns meanwhile. But the frames show by themselves which of them runs. Until Python 3.13 it has its
//! stack in use, and those that wait for it have put theirs down. From 3.14 on a frame that ends has its code taken away,
//! so it is the last of those that have theirs. The copy is taken at its word: what is above the one that runs had ended,
//! and what one that waits has called is looked for.

use super::codes::Codes;
use super::layout::{GENERATOR, Layout, Shows};
use super::snapshot::{Snapshot, word_in};
use super::walk::{End, Frame, Header, Walk};

/// Calls that began between the pointer's copy and the frames': more take longer than a copy does.
const MOST_NEW: usize = 64;

/// Of what a frame iterates over there may be something else on top: what it sends, and since 3.15 an index.
const MOST_ABOVE: u32 = 3;

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

/// Brings a walk to the instant of the copy.
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
    together &= !drop_ended(layout, codes, walk);
    let reads = snapshot.reads;
    let added = add_begun(layout, snapshot, codes, walk);
    together &= !added || snapshot.reads == reads;
    together &= innermost_stayed(layout, snapshot, walk);
    if !generators_are_awaited(layout, snapshot, codes, walk) {
        return Settled::No;
    }
    let waits = |innermost: &Frame| layout.frame.shows == Shows::Running && innermost.stack_words.is_some();
    if together && !walk.frames.first().is_some_and(waits) { Settled::Surely(end) } else { Settled::Perhaps(end) }
}

/// Whether the innermost frames were the same in two copies, a fraction of a microsecond apart: then they were so in
/// between (Afek, Attiya, Dolev, Gafni, Merritt and Shavit, Atomic snapshots of shared memory, JACM 40, 1993). Lines of a
/// cache that another core writes to arrive one after the other, and a call may end and another one begin between two of
/// them; generators are on pages of their own, which are copied one after the other. Of the frame that runs, what it
/// does may have changed, but not whose it is. The one that has called it, and the outermost of them, must be the same in
/// the copy of the pages around them, too.
fn innermost_stayed(layout: &Layout, snapshot: &mut Snapshot, walk: &Walk) -> bool {
    let count = walk.innermost(layout).frames;
    walk.frames[..count].iter().enumerate().all(|(depth, frame)| {
        let of = |bytes: Option<&[u8]>| Header::of(layout, frame.at, bytes?);
        let head = layout.frame.head(frame.at);
        let [second, around] = snapshot.other_copies(head.at, head.len).map(of);
        let first = Header::read(layout, snapshot, frame.at);
        let (Some(first), Some(second)) = (first, second) else { return false };
        match depth {
            0 => {
                let is_same = |other: Header| (first.code, first.previous) == (other.code, other.previous);
                is_same(second) && around.is_none_or(is_same)
            }
            _ => first == second && ((depth != 1 && depth + 1 != count) || around.is_none_or(|around| first == around)),
        }
    })
}

/// Whether each generator's caller has it on its stack. Generators take each other's places in memory, in the same few
/// of them again and again: a copy that takes longer than they live may show one that is called by what is now in the
/// place of its caller, and again in the second copy.
fn generators_are_awaited(layout: &Layout, snapshot: &mut Snapshot, codes: &mut Codes, walk: &Walk) -> bool {
    let pairs = walk.frames.windows(2).take(walk.innermost(layout).frames);
    pairs.filter(|pair| pair[0].generator && !pair[0].from_c).all(|pair| {
        let [callee, caller] = [pair[0], pair[1]];
        // What is awaited of an asynchronous generator is an object that refers to it.
        codes.at(callee.code).is_none_or(|code| code.is_asynchronous_generator)
            || caller.stack_words.is_some_and(|words| has_on_stack(layout, snapshot, caller.at, words, callee.at))
    })
}

/// The frame that a suspended generator has just returned to: one that was on the stack before, and that has this
/// generator on top of its own stack now.
fn resumed_by(layout: &Layout, snapshot: &mut Snapshot, walk: &Walk, before: &[Frame]) -> Option<usize> {
    let suspended = walk.frames.last()?.at;
    before.iter().map(|frame| frame.at).find(|at| {
        let words = Header::read(layout, snapshot, *at).and_then(|header| header.stack_words);
        words.is_some_and(|words| has_on_stack(layout, snapshot, *at, words, suspended))
    })
}

/// Leaves out what had ended. Whether there was a generator among it: what runs now that C has called it, does not show
/// that there is nothing more.
fn drop_ended(layout: &Layout, codes: &mut Codes, walk: &mut Walk) -> bool {
    let frames = &mut walk.frames;
    let generator = frames.iter().rposition(|frame| frame.ended);
    let other = match layout.frame.shows {
        // A frame that the interpreter's loop has called is there only while its caller waits.
        Shows::Running => (0..frames.len().saturating_sub(1))
            .rfind(|callee| !frames[*callee].from_c && frames[callee + 1].stack_words.is_none()),
        Shows::Alive => frames.iter().rposition(|frame| has_ended(codes, frame)),
    };
    if let Some(last) = other.max(generator) {
        frames.drain(..=last);
    }
    generator.is_some()
}

/// Whether a frame has no code any more, or is that of a call that has made a generator, which has it now: no frame of
/// such a call is there for longer than making it takes.
fn has_ended(codes: &mut Codes, frame: &Frame) -> bool {
    frame.code == 0 || !frame.generator && codes.at(frame.code).is_some_and(|code| code.makes_generators)
}

/// Whether a frame has the generator of another one at the end of its stack.
fn has_on_stack(layout: &Layout, snapshot: &mut Snapshot, frame: usize, stack_words: u32, generator: usize) -> bool {
    (1..=MOST_ABOVE).any(|down| {
        let object = word_below_top(layout, snapshot, frame, stack_words, down);
        object.and_then(|object| object.checked_add(layout.frame.in_generator)) == Some(generator)
    })
}

/// The object so many words below the end of a frame's stack.
fn word_below_top(
    layout: &Layout,
    snapshot: &mut Snapshot,
    frame: usize,
    stack_words: u32,
    down: u32,
) -> Option<usize> {
    let at = frame + layout.frame.variables + (stack_words.checked_sub(down)? as usize) * 8;
    Some((word_in(snapshot.bytes_or_fetch(at, 8)?, 0)? & !layout.frame.code_tag) as usize)
}

/// What the innermost frame has called, if it waits. Where only the frame that runs shows it, only a chain that ends with
/// such a one is believed: above a frame that waits for something else there may be remains of frames that had ended.
/// Whether there was something.
fn add_begun(layout: &Layout, snapshot: &mut Snapshot, codes: &mut Codes, walk: &mut Walk) -> bool {
    let mut begun: Vec<Frame> = Vec::new();
    let Some(mut caller) = walk.frames.first().copied() else { return false };
    while let Some(words) = caller.stack_words {
        let callee = function(layout, snapshot, codes, &caller)
            .or_else(|| generator(layout, snapshot, codes, &caller, words))
            .filter(|_| begun.len() < MOST_NEW);
        let Some(callee) = callee else {
            if layout.frame.shows == Shows::Alive {
                break;
            }
            return false;
        };
        begun.push(callee);
        caller = callee;
    }
    for frame in &begun {
        walk.need(layout.frame.head(frame.at));
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

/// A generator's is in the generator, which its caller has on its stack.
fn generator(
    layout: &Layout,
    snapshot: &mut Snapshot,
    codes: &mut Codes,
    caller: &Frame,
    stack_words: u32,
) -> Option<Frame> {
    (1..=MOST_ABOVE).find_map(|down| {
        let object = word_below_top(layout, snapshot, caller.at, stack_words, down)?;
        called(layout, snapshot, codes, caller, object.checked_add(layout.frame.in_generator)?, true)
    })
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
    Some(header.frame(at)).filter(|frame| layout.frame.shows == Shows::Running || !has_ended(codes, frame))
}
