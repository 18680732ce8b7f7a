//! One thread's stack: copied with one call as far as it is known what is needed, then walked in the copy.

use super::layout::{Layout, TopAt};
use super::snapshot::{PAGE, Snapshot, word_in};
use super::threads::ThreadName;
use super::walk::{End, PIECE, Walk};
use crate::os::memory::Region;

/// Separate pieces of memory asked for at once: each costs a quarter of a microsecond.
const MOST_REGIONS: usize = 24;

/// Bytes that are copied behind a piece of the innermost frames: what one more needs.
const ONE_MORE: usize = 192;

/// Bytes of the C stack that are copied to find the innermost frame's pointer.
const MOST_OF_C_STACK: usize = 8192;

/// Pieces of the innermost frames, those that were needed before included.
const MOST_PIECES: usize = 8;

/// Visits for which a page is copied although none of them needed it.
const KEEP_UNUSED: u8 = 16;

/// What a visit needs to copy, as the last ones found it.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Where the innermost frame's pointers were, when they are on the C stack: each call from C has its own.
    c_frames: Option<Region>,
    /// The pages of the frames, those of the innermost first, and for how many visits each was not needed.
    pages: Vec<(usize, u8)>,
    /// The same, neighbours together.
    regions: Vec<Region>,
    /// The innermost frames, whose heads change with each call; and for how many visits each piece was not needed.
    innermost: Vec<(Region, u8)>,
    /// How long a copy takes: half of them less.
    usual_ns: u64,
}

/// What a thread's state said when it was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct StateWords {
    /// Address of the running context, and its counter.
    pub(super) context: usize,
    pub(super) context_version: u64,
    /// The innermost frame.
    pub(super) top: usize,
}

/// How a visit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visit {
    /// The thread is there no more.
    Gone,
    /// It was walked.
    Walked(End, StateWords),
}

impl Plan {
    /// Copies and walks once. What changes while it is copied is copied twice when the thread may be `moving`.
    pub(super) fn visit(
        &mut self,
        layout: &Layout,
        snapshot: &mut Snapshot,
        thread: &ThreadName,
        interpreter: usize,
        walk: &mut Walk,
        moving: bool,
    ) -> Visit {
        snapshot.clear();
        let twice: Vec<Region> = self.innermost.iter().filter(|_| moving).map(|(region, _)| *region).collect();
        self.copy(layout, snapshot, thread, &twice);
        let Some(words) = self.state(layout, snapshot, thread, interpreter) else { return Visit::Gone };
        let end = walk.run(layout, snapshot, words.top);
        Visit::Walked(end, words)
    }

    fn copy(&self, layout: &Layout, snapshot: &mut Snapshot, thread: &ThreadName, twice: &[Region]) {
        let mut regions = Vec::with_capacity(2 + 2 * twice.len() + self.regions.len());
        regions.push(Region { at: thread.at, len: layout.thread.size });
        regions.extend(self.c_frames);
        let index = regions.len();
        regions.extend(twice);
        regions.extend(twice);
        regions.extend(&self.regions);
        snapshot.fetch(&regions);
        snapshot.are_twice(index, twice.len());
    }

    /// The thread's state, if it still is that thread's.
    fn state(
        &mut self,
        layout: &Layout,
        snapshot: &mut Snapshot,
        thread: &ThreadName,
        interpreter: usize,
    ) -> Option<StateWords> {
        let at = &layout.thread;
        let state = snapshot.bytes(thread.at, at.size)?;
        if ThreadName::of(layout, thread.at, state)? != *thread || word_in(state, at.interpreter)? != interpreter as u64
        {
            return None;
        }
        let context = word_in(state, at.context)? as usize;
        let context_version = word_in(state, at.context_version)?;
        let top = match at.top {
            TopAt::Thread(field) => word_in(state, field)?,
            TopAt::CFrame(field, inside) => {
                let c_frame = Region { at: word_in(state, field)? as usize, len: inside + 8 };
                self.c_frames = match self.c_frames.map(|known| known.joined(&c_frame)) {
                    Some(joined) if joined.len <= MOST_OF_C_STACK => Some(joined),
                    _ => Some(c_frame),
                };
                word_in(snapshot.bytes_or_fetch(c_frame.at, c_frame.len)?, inside)?
            }
        };
        Some(StateWords { context, context_version, top: top as usize })
    }

    /// Whether a copy took no longer than copies do. What is cold in the caches, or waits for a core in the middle, is of
    /// a longer instant: a thread makes many calls in it, and ends up where it was.
    pub(super) fn was_quick(&mut self, took_ns: u64) -> bool {
        if self.usual_ns == 0 {
            self.usual_ns = took_ns;
        }
        let step = self.usual_ns / 16 + 1;
        self.usual_ns = match took_ns > self.usual_ns {
            true => self.usual_ns + step,
            false => self.usual_ns - step.min(self.usual_ns),
        };
        took_ns <= self.usual_ns + self.usual_ns / 4
    }

    /// Remembers what this walk needed.
    pub(super) fn learn(&mut self, layout: &Layout, walk: &Walk) {
        let mut innermost = walk.innermost(layout).regions;
        for region in &mut innermost {
            let end = region.at + region.len;
            // Not more than is mapped for sure.
            region.len += ONE_MORE.min(end.next_multiple_of(PAGE) - end);
        }
        let mut pieces: Vec<(Region, u8)> = innermost.into_iter().map(|region| (region, 0)).collect();
        for (old, unused) in self.innermost.drain(..).filter(|(_, unused)| *unused < KEEP_UNUSED) {
            match pieces.iter_mut().find(|(new, _)| new.joined(&old).len <= PIECE) {
                Some((new, _)) if new.joined(&old) == *new => {}
                Some(new) => *new = (new.0.joined(&old), unused + 1),
                None => pieces.push((old, unused + 1)),
            }
        }
        self.innermost = pieces;
        self.innermost.truncate(MOST_PIECES);
        self.pages.retain_mut(|(page, unused)| {
            *unused += 1;
            *unused <= KEEP_UNUSED && !walk.pages.contains(page)
        });
        self.pages.splice(0..0, walk.pages.iter().map(|page| (*page, 0)));
        self.regions.clear();
        for (page, _) in &self.pages {
            let beside = |known: &Region| known.at == page + PAGE || known.at + known.len == *page;
            if let Some(known) = self.regions.iter().position(beside).map(|at| &mut self.regions[at]) {
                known.at = known.at.min(*page);
                known.len += PAGE;
            } else if self.regions.len() < MOST_REGIONS {
                self.regions.push(Region { at: *page, len: PAGE });
            }
        }
    }
}
