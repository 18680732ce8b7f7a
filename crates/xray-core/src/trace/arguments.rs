//! What marked functions were called with: a text for each call that has an entry in the timeline.

use super::allowance::Allowance;
use crate::limits::{ARGUMENTS_BYTES, TRACE_BYTES};

/// Memory is taken in such pieces.
const PIECE: usize = 8 << 10;
/// Left for everything else, when texts take memory.
const KEEP: usize = TRACE_BYTES / 4;

/// What a kept text takes besides itself, in a list that doubles.
const ENTRY_BYTES: usize = 2 * size_of::<(u64, Box<str>)>();

fn bytes_of(text: &str) -> usize {
    text.len() + ENTRY_BYTES
}

/// Texts by the number of the event that entered the call, so always sorted.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    kept: Vec<(u64, Box<str>)>,
    bytes: usize,
    /// Memory taken so far; at most [`ARGUMENTS_BYTES`].
    taken: usize,
}

impl Arguments {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Keeps the text of a call. When there are too many, those go whose calls `needed` (event number and duration)
    /// does not have, for they have ended without an entry in the timeline; then those of the shortest calls.
    pub(super) fn add(
        &mut self,
        entered: u64,
        text: &str,
        memory: &Allowance,
        needed: impl FnOnce() -> Vec<(u64, u64)>,
    ) {
        let size = bytes_of(text);
        if self.bytes + size > self.taken {
            if self.taken < ARGUMENTS_BYTES && memory.take(PIECE, KEEP) {
                self.taken += PIECE;
            } else {
                self.make_room(needed());
            }
        }
        if self.bytes + size <= self.taken {
            self.bytes += size;
            self.kept.push((entered, text.into()));
        }
    }

    /// Frees half of the room or more.
    #[cold]
    fn make_room(&mut self, mut needed: Vec<(u64, u64)>) {
        needed.sort_unstable();
        let duration =
            |entered: u64| needed.binary_search_by_key(&entered, |(entered, _)| *entered).ok().map(|at| needed[at].1);
        let mut longest_first: Vec<(u64, usize)> =
            self.kept.iter().filter_map(|(entered, text)| Some((duration(*entered)?, bytes_of(text)))).collect();
        longest_first.sort_unstable_by(|a, b| b.cmp(a));
        let mut bytes = 0;
        let first_cut = longest_first.iter().find(|(_, more)| {
            bytes += more;
            bytes > self.taken / 2
        });
        let shortest = first_cut.map_or(0, |(cut, _)| cut.saturating_add(1));
        self.kept.retain(|(entered, _)| duration(*entered).is_some_and(|duration| duration >= shortest));
        self.bytes = self.kept.iter().map(|(_, text)| bytes_of(text)).sum();
    }

    /// Memory in use.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether there is a text for this call.
    pub(super) fn has(&self, entered: u64) -> bool {
        self.kept.binary_search_by_key(&entered, |(entered, _)| *entered).is_ok()
    }

    /// Everything kept.
    pub(super) fn take(&mut self) -> Vec<(u64, Box<str>)> {
        std::mem::take(self).kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "tag='django', limit=10";

    fn kept(arguments: &mut Arguments) -> Vec<u64> {
        let kept = arguments.take();
        assert!(kept.iter().map(|(_, text)| text.len() + ENTRY_BYTES).sum::<usize>() <= ARGUMENTS_BYTES);
        kept.into_iter().map(|(entered, _)| entered).collect()
    }

    #[test]
    fn texts_of_calls_that_nobody_needs_make_room() {
        let mut arguments = Arguments::default();
        let memory = Allowance::default();
        for entered in 0..100_000 {
            arguments.add(entered, TEXT, &memory, || vec![(99_999, 1), (3, 7)]);
        }
        let kept = kept(&mut arguments);
        assert_eq!((kept[0], kept[1] > 3, kept.last()), (3, true, Some(&99_999)));
    }

    #[test]
    fn when_all_are_needed_the_longest_calls_keep_theirs() {
        let mut arguments = Arguments::default();
        let memory = Allowance::default();
        let duration = |entered: u64| if entered.is_multiple_of(1_000) { 500 } else { entered % 10 };
        for entered in 0..100_000 {
            arguments.add(entered, TEXT, &memory, || (0..entered).map(|e| (e, duration(e))).collect());
        }
        let kept = kept(&mut arguments);
        assert_eq!(kept.iter().filter(|entered| entered.is_multiple_of(1_000)).count(), 100);
    }

    #[test]
    fn calls_of_one_length_that_are_too_many_all_go() {
        let mut arguments = Arguments::default();
        let memory = Allowance::default();
        (0..100_000)
            .for_each(|entered| arguments.add(entered, TEXT, &memory, || (0..entered).map(|e| (e, 5)).collect()));
        assert!(!kept(&mut arguments).is_empty());
    }
}
