//! From the innermost frame outward through copied memory.

use super::layout::{BEFORE_FRAME, Calls, GENERATOR, GENERATOR_STATE, Layout, Shows};
use super::snapshot::{PAGE, Snapshot, half_in, word_in};
use crate::os::memory::Region;
use xray_core::limits::SAMPLE_DEPTH;

/// Frames visited at most: entry frames and hidden ones are not on the stack that is kept.
const MOST_STEPS: usize = 2 * SAMPLE_DEPTH + 64;

/// Of the innermost frames: pieces at most, longest piece, and what may be between two frames of a piece.
const PIECES: usize = 6;
pub(super) const PIECE: usize = 4096;
const GAP: usize = 1024;

/// One function's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Its address.
    pub(super) at: usize,
    /// Its code object's.
    pub(super) code: usize,
    /// The instruction that it is at.
    pub(super) instruction: usize,
    /// Its owner is a generator or coroutine.
    pub(super) generator: bool,
    /// Called from C: not by the interpreter's own loop.
    pub(super) from_c: bool,
    /// How many words it has on its stack, when it has put it down: as it does while it waits for a frame that its
    /// own loop has called. `None` while it runs (and while C runs that it has called).
    pub(super) stack_words: Option<u32>,
    /// It is a generator's that does not run: what is read here is what is left of it.
    pub(super) ended: bool,
}

/// How a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// At the thread's outermost frame.
    Whole,
    /// There are more frames than are kept.
    Cut,
    /// At a generator that nothing has called: this last frame had ended when it was copied.
    Suspended,
    /// Something was not as it must be: the frames changed while they were copied.
    Broken,
}

/// The frames of one thread, innermost first, and the pages that they are in.
#[derive(Debug, Default)]
pub(super) struct Walk {
    pub(super) frames: Vec<Frame>,
    /// In the order in which they were first needed.
    pub(super) pages: Vec<usize>,
}

impl Walk {
    /// Follows the frames from `top`. What is not copied yet is copied on the way.
    pub(super) fn run(&mut self, layout: &Layout, snapshot: &mut Snapshot, top: usize) -> End {
        self.frames.clear();
        self.pages.clear();
        let mut next = top;
        let mut outermost_is_entry = false;
        let mut outermost_is_generator = false;
        let mut circle = Circle::default();
        for _ in 0..MOST_STEPS {
            if next == 0 {
                let whole = match layout.frame.calls {
                    Calls::Flag(_) => !outermost_is_generator,
                    Calls::Frame(_) => outermost_is_entry,
                };
                return match whole || top == 0 {
                    true => End::Whole,
                    false if outermost_is_generator => End::Suspended,
                    false => End::Broken,
                };
            }
            let Some(header) = Header::read(layout, snapshot, next) else { return End::Broken };
            self.need(layout.frame.head(next));
            let entry = matches!(layout.frame.calls, Calls::Frame(owner) if header.owner >= owner);
            (outermost_is_entry, outermost_is_generator) = (entry, header.owner == GENERATOR);
            if entry {
                // The frame inside of it was called by C.
                if let Some(called) = self.frames.last_mut() {
                    called.from_c = true;
                }
            } else {
                if self.frames.len() == SAMPLE_DEPTH {
                    return End::Cut;
                }
                self.frames.push(header.frame(next));
            }
            next = header.previous;
            if circle.closes_at(next) {
                self.frames.truncate(1);
                return End::Broken;
            }
        }
        End::Broken
    }

    /// Where the heads of the innermost frames are, neighbours together: of as many frames as fit into a few pieces.
    pub(super) fn innermost(&self, layout: &Layout) -> Innermost {
        let mut innermost = Innermost::default();
        for frame in &self.frames {
            if !innermost.add(layout.frame.head(frame.at)) {
                break;
            }
        }
        innermost
    }

    /// The pages of this region were needed.
    pub(super) fn need(&mut self, region: Region) {
        for page in [region.at / PAGE * PAGE, (region.at + region.len - 1) / PAGE * PAGE] {
            if self.pages.last() != Some(&page) && !self.pages.contains(&page) {
                self.pages.push(page);
            }
        }
    }
}

/// The innermost frames' heads.
#[derive(Debug, Default)]
pub(super) struct Innermost {
    /// How many frames.
    pub(super) frames: usize,
    pub(super) regions: Vec<Region>,
}

impl Innermost {
    /// One more frame; false when there is no room for it.
    fn add(&mut self, head: Region) -> bool {
        let near = |region: &Region| region.joined(&head).len <= (region.len + head.len + GAP).min(PIECE);
        if let Some(region) = self.regions.iter_mut().find(|region| near(region)) {
            *region = region.joined(&head);
        } else if self.regions.len() < PIECES {
            self.regions.push(head);
        } else {
            return false;
        }
        self.frames += 1;
        true
    }
}

/// Finds out that a chain runs in a circle, as it can where a frame's memory was used again while it was copied: by
/// comparison with one place of it, which is a later one after twice as many steps (R. P. Brent, An improved Monte Carlo
/// factorization algorithm, BIT 20, 1980).
#[derive(Debug, Default)]
struct Circle {
    place: usize,
    steps: u32,
}

impl Circle {
    /// The chain goes on at `next`; whether it has been there.
    fn closes_at(&mut self, next: usize) -> bool {
        if next == self.place && next != 0 {
            return true;
        }
        self.steps += 1;
        if self.steps.is_power_of_two() {
            self.place = next;
        }
        false
    }
}

/// What a frame's head says.
#[derive(PartialEq, Eq)]
pub(super) struct Header {
    pub(super) code: usize,
    pub(super) previous: usize,
    pub(super) instruction: usize,
    pub(super) owner: u8,
    /// Its own mark that C has called it.
    pub(super) is_entry: bool,
    /// Words on its stack, its variables included; `None` while it runs.
    pub(super) stack_words: Option<u32>,
    /// It is a generator's, which says that it does not run.
    pub(super) ended: bool,
}

impl Header {
    /// The head of the frame at an address.
    pub(super) fn read(layout: &Layout, snapshot: &mut Snapshot, at: usize) -> Option<Self> {
        if !at.is_multiple_of(8) || at < BEFORE_FRAME {
            return None;
        }
        let head = layout.frame.head(at);
        Self::of(layout, at, snapshot.bytes_or_fetch(head.at, head.len)?)
    }

    /// Of the bytes of [`FrameLayout::head`].
    pub(super) fn of(layout: &Layout, at: usize, bytes: &[u8]) -> Option<Self> {
        let frame = &layout.frame;
        let (before, bytes) = bytes.split_at_checked(BEFORE_FRAME)?;
        let owner = bytes[frame.owner];
        Some(Self {
            code: (word_in(bytes, frame.code)? & !frame.code_tag) as usize,
            previous: word_in(bytes, frame.previous)? as usize,
            instruction: word_in(bytes, frame.instruction)? as usize,
            owner,
            is_entry: match frame.calls {
                Calls::Flag(at) => bytes[at] != 0,
                Calls::Frame(_) => false,
            },
            stack_words: match frame.shows {
                Shows::Running => half_in(bytes, frame.stack_top).filter(|top| *top != u32::MAX),
                Shows::Alive => word_in(bytes, frame.stack_top)
                    .and_then(|top| (top as usize).checked_sub(at + frame.variables))
                    .and_then(|len| u32::try_from(len / 8).ok()),
            },
            ended: owner == GENERATOR && before[BEFORE_FRAME - GENERATOR_STATE] != frame.executing,
        })
    }

    /// As a frame of a stack.
    pub(super) fn frame(&self, at: usize) -> Frame {
        Frame {
            at,
            code: self.code,
            instruction: self.instruction,
            generator: self.owner == GENERATOR,
            from_c: self.is_entry,
            stack_words: self.stack_words,
            ended: self.ended,
        }
    }
}
