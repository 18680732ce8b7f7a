//! Copies of the process's memory, taken in one go as far as it is known what will be needed.

use crate::os::memory::{Memory, Region};
use std::time::Instant;

/// The kernel copies by pages, so nothing is gained by asking for less.
pub(super) const PAGE: usize = 4096;
/// Pages of one snapshot: more than the deepest stack that is kept needs.
const MOST_BYTES: usize = 4 << 20;

#[derive(Clone, Copy)]
struct Part {
    at: usize,
    len: usize,
    /// Where it is in `bytes`.
    offset: usize,
}

/// Copied memory, by address.
pub(super) struct Snapshot {
    memory: Memory,
    /// The copies, and behind them what is left of earlier ones: to clear it would cost as much as to copy it.
    bytes: Vec<u8>,
    used: usize,
    parts: Vec<Part>,
    /// The part that was asked for last: the next question is mostly about the same one.
    last: usize,
    /// The two copies of what was copied twice; the first hides all others.
    twice: Vec<[Part; 2]>,
    /// Calls to the kernel, and those that found something not mapped.
    pub(super) reads: u64,
    /// How long the first one since [`Self::clear`] took.
    pub(super) took_ns: u64,
    pub(super) faults: u64,
}

impl Snapshot {
    pub(super) fn new(memory: Memory) -> Self {
        Self {
            memory,
            bytes: Vec::new(),
            used: 0,
            parts: Vec::new(),
            last: 0,
            twice: Vec::new(),
            reads: 0,
            took_ns: 0,
            faults: 0,
        }
    }

    /// Forgets what was copied.
    pub(super) fn clear(&mut self) {
        self.used = 0;
        self.parts.clear();
        self.last = 0;
        self.twice.clear();
    }

    /// Copies these regions with one call; false when one of them is not there as a whole. What was copied before
    /// hides what overlaps it.
    pub(super) fn fetch(&mut self, regions: &[Region]) -> bool {
        let before = self.used;
        let wanted = regions.iter().fold(0_usize, |sum, region| sum.saturating_add(region.len));
        if wanted > MOST_BYTES - before.min(MOST_BYTES) {
            return false;
        }
        self.used = before + wanted;
        if self.bytes.len() < self.used {
            self.bytes.resize(self.used, 0);
        }
        let into = &mut self.bytes[before..self.used];
        self.reads += 1;
        let begin = Instant::now();
        let read = self.memory.read(regions, into).unwrap_or(0);
        if before == 0 {
            self.took_ns = begin.elapsed().as_nanos() as u64;
        }
        let mut offset = before;
        for region in regions {
            let len = (before + read).saturating_sub(offset).min(region.len);
            if len > 0 {
                self.parts.push(Part { at: region.at, len, offset });
            }
            offset += region.len;
        }
        self.faults += u64::from(read < wanted);
        read == wanted
    }

    /// Copied bytes, if all of them are in one part.
    pub(super) fn bytes(&mut self, at: usize, len: usize) -> Option<&[u8]> {
        let holds = |part: &Part| at >= part.at && at - part.at <= part.len && part.len - (at - part.at) >= len;
        if let Some([first, _]) = self.twice.iter().find(|[first, _]| holds(first)) {
            return self.bytes_of(*first, at, len);
        }
        if !self.parts.get(self.last).is_some_and(holds) {
            self.last = self.parts.iter().position(holds)?;
        }
        self.bytes_of(self.parts[self.last], at, len)
    }

    fn bytes_of(&self, part: Part, at: usize, len: usize) -> Option<&[u8]> {
        let start = part.offset + (at - part.at);
        self.bytes.get(start..start + len)
    }

    /// Of the regions of the only call since [`Self::clear`], so many from `index` on were copied a second time by as
    /// many that follow.
    pub(super) fn are_twice(&mut self, index: usize, count: usize) {
        if self.parts.len() < index + 2 * count {
            return;
        }
        let copies: Vec<Part> = self.parts.drain(index..index + 2 * count).collect();
        let (first, second) = copies.split_at(count);
        self.twice.extend(first.iter().zip(second).map(|(first, second)| [*first, *second]));
        self.twice.retain(|[first, second]| first.len == second.len);
    }

    /// The second copy of what was copied twice, and the one with all around it.
    pub(super) fn other_copies(&self, at: usize, len: usize) -> [Option<&[u8]>; 2] {
        let holds = |part: &Part| at >= part.at && at - part.at <= part.len && part.len - (at - part.at) >= len;
        let second = self.twice.iter().map(|[_, second]| *second).find(holds);
        let around = self.parts.iter().copied().find(holds);
        [second, around].map(|part| self.bytes_of(part?, at, len))
    }

    /// The same; what was not copied yet is copied now, with the pages that it is in.
    pub(super) fn bytes_or_fetch(&mut self, at: usize, len: usize) -> Option<&[u8]> {
        if self.bytes(at, len).is_none() {
            let first = at / PAGE * PAGE;
            let end = at.checked_add(len)?.checked_next_multiple_of(PAGE)?;
            self.fetch(&[Region { at: first, len: end - first }]);
        }
        self.bytes(at, len)
    }
}

/// The word at an offset.
pub(super) fn word_in(bytes: &[u8], offset: usize) -> Option<u64> {
    bytes.get(offset..)?.first_chunk().map(|word| u64::from_le_bytes(*word))
}

/// The half word at an offset.
pub(super) fn half_in(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().map(|half| u32::from_le_bytes(*half))
}
