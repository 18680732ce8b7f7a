//! The longest calls of a trace with their starts, in bounded memory.

use super::allowance::Allowance;
use crate::limits::TRACE_BYTES;

/// One kept call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// Node as the recorder writes it in a frame.
    pub(super) node: u32,
    /// False for the resumption of a generator.
    pub(super) is_call: bool,
    pub(super) start: u64,
    pub(super) duration: u64,
    /// Number of the event that entered it, and of the one that left it.
    pub(super) entered: u64,
    pub(super) left: u64,
    /// Calls made inside it.
    pub(super) inside: u64,
}

/// All calls at or above a threshold that rises when there are too many.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Timeline {
    /// Shorter calls are not kept, in ticks.
    pub(super) threshold: u64,
    pub(super) kept: Vec<Kept>,
    most: usize,
}

/// Entries of a new timeline.
const FIRST: usize = 16;
/// Memory of one entry: itself, and its duration while the threshold is raised.
const ENTRY_BYTES: usize = size_of::<Kept>() + size_of::<u64>();
/// Left for the functions, when the timeline takes memory.
const KEEP: usize = TRACE_BYTES / 8;

impl Timeline {
    /// For at most so many entries, if there is memory.
    pub(super) fn new(most: usize) -> Self {
        Self { kept: Vec::new(), most: most.max(1), threshold: 0 }
    }

    /// Empties it. Memory from before is taken from the allowance, or given up.
    pub(super) fn begin(&mut self, memory: &Allowance) {
        self.clear();
        let (held, first) = (self.kept.capacity(), FIRST.min(self.most));
        if held > first && memory.take(held * ENTRY_BYTES, KEEP) {
            return;
        }
        memory.take_anyway(first * ENTRY_BYTES);
        self.kept = Vec::with_capacity(first);
    }

    pub(super) fn clear(&mut self) {
        self.kept.clear();
        self.threshold = 0;
    }

    /// Keeps a call that is at or above the threshold.
    #[inline]
    pub(super) fn push(&mut self, call: Kept, memory: &Allowance) {
        if self.kept.len() < self.kept.capacity() {
            self.kept.push(call);
        } else {
            self.push_into_full(call, memory);
        }
    }

    #[cold]
    #[inline(never)]
    fn push_into_full(&mut self, call: Kept, memory: &Allowance) {
        match memory.grow(self.kept.len(), self.most, ENTRY_BYTES, KEEP) {
            Some(more) => self.kept.reserve_exact(more),
            None => self.raise(),
        }
        if call.duration >= self.threshold {
            self.kept.push(call);
        }
    }

    /// Memory in use.
    pub(super) fn bytes(&self) -> usize {
        self.kept.capacity() * ENTRY_BYTES
    }

    /// Raises the threshold at least to the median, so that half of the room or more is free again: all calls at or
    /// above it stay, however many compactions there were.
    #[cold]
    fn raise(&mut self) {
        let mut durations: Vec<u64> = self.kept.iter().map(|call| call.duration).collect();
        self.threshold = threshold_for(&mut durations, self.kept.len() / 2);
        let threshold = self.threshold;
        self.kept.retain(|call| call.duration >= threshold);
    }
}

/// The lowest threshold that at most `room` of the durations (more than `room`) reach.
pub(super) fn threshold_for(durations: &mut [u64], room: usize) -> u64 {
    let (_, first_cut, _) = durations.select_nth_unstable_by(room, |a, b| b.cmp(a));
    first_cut.saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn call(duration: u64) -> Kept {
        Kept { node: 0, is_call: true, start: 0, duration, entered: 0, left: 0, inside: 0 }
    }

    proptest! {
        #[test]
        fn keeps_all_calls_at_or_above_the_threshold_and_no_other(
            durations in prop::collection::vec(0_u64..500, 0..2_000),
        ) {
            let mut timeline = Timeline::new(50);
            let memory = Allowance::default();
            timeline.begin(&memory);
            for duration in &durations {
                if *duration >= timeline.threshold {
                    timeline.push(call(*duration), &memory);
                }
                prop_assert!(timeline.kept.len() <= 50);
            }
            let kept: Vec<u64> = timeline.kept.iter().map(|call| call.duration).collect();
            let expected: Vec<u64> = durations.into_iter().filter(|d| *d >= timeline.threshold).collect();
            prop_assert_eq!(kept, expected);
        }
    }
}
