//! Which traces of a session are kept, out of all that were recorded.
//!
//! `--traces N` keeps three disjoint classes: up to a quarter of N from the failed traces and up to half of N from
//! the others, each the longest ones first; what is left of N is filled from all other traces by the smallest seeded
//! hash of the trace id, a fair random share. A trace's first class is a property of the trace alone and each
//! choice is the top of a total order, so choosing commutes with merging:
//! `keep(keep(A) ∪ keep(B)) == keep(A ∪ B)`. Two facts carry the proof. The tops of a union are tops of their own
//! set. And a set's remainder competes for at least as many places as the union's does (fewer tops are taken), among
//! no more competitors, so a trace that fills a place in the union fills one in its own set.

use crate::id::trace_hash;
use crate::model::TraceId;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// What retention knows of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceRank {
    /// Identity.
    pub id: TraceId,
    /// Wall time.
    pub duration_ns: u64,
    /// Ended by an exception or with status 500 or above.
    pub failed: bool,
}

/// Whether an offered trace is among those kept so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is. A later one may still push it out.
    Kept,
    /// It is not, and whatever comes later it never will be: it need not be written.
    NotKept,
}

/// Longest first, then by id.
type ByDuration = BTreeSet<(Reverse<u64>, TraceId)>;

/// The traces kept so far; each offer costs O(log n).
#[derive(Clone, Debug)]
pub struct Retention {
    seed: u64,
    limit: usize,
    failed: ByDuration,
    slow: ByDuration,
    random: BTreeSet<(u64, TraceId)>,
}

impl Retention {
    /// Keeps at most `limit` traces; `seed` is the session's.
    pub fn new(limit: u32, seed: u64) -> Self {
        Self { seed, limit: limit as usize, failed: BTreeSet::new(), slow: BTreeSet::new(), random: BTreeSet::new() }
    }

    /// Offers one trace.
    pub fn offer(&mut self, trace: TraceRank) -> Verdict {
        let slow_limit = self.limit.div_ceil(2);
        let failed_limit = self.limit.div_ceil(4).min(self.limit - slow_limit);
        let (class, limit) = match trace.failed {
            true => (&mut self.failed, failed_limit),
            false => (&mut self.slow, slow_limit),
        };
        class.insert((Reverse(trace.duration_ns), trace.id));
        if class.len() > limit {
            let pushed_out = class.pop_last();
            self.random.extend(pushed_out.map(|(_, id)| (trace_hash(self.seed, id), id)));
        }
        // The classes only grow, so this only shrinks: what was cut here never comes back.
        let places = self.limit - self.failed.len() - self.slow.len();
        while self.random.len() > places {
            self.random.pop_last();
        }
        if self.holds(trace) { Verdict::Kept } else { Verdict::NotKept }
    }

    fn holds(&self, trace: TraceRank) -> bool {
        let class = if trace.failed { &self.failed } else { &self.slow };
        class.contains(&(Reverse(trace.duration_ns), trace.id))
            || self.random.contains(&(trace_hash(self.seed, trace.id), trace.id))
    }

    /// The traces kept so far, by id.
    pub fn kept(&self) -> BTreeSet<TraceId> {
        let by_duration = self.failed.iter().chain(&self.slow).map(|(_, id)| *id);
        by_duration.chain(self.random.iter().map(|(_, id)| *id)).collect()
    }
}

/// Chooses among traces that are all there, as a merge does. The order of `traces` does not matter.
pub fn keep(traces: impl IntoIterator<Item = TraceRank>, limit: u32, seed: u64) -> BTreeSet<TraceId> {
    let mut retention = Retention::new(limit, seed);
    for trace in traces {
        retention.offer(trace);
    }
    retention.kept()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// Short durations, so that ties are common.
    fn traces() -> impl Strategy<Value = Vec<TraceRank>> {
        vec((0..8_u64, any::<bool>()), 0..60).prop_map(|ranks| {
            let rank = |(i, (duration_ns, failed))| TraceRank { id: TraceId(i as u64), duration_ns, failed };
            ranks.into_iter().enumerate().map(rank).collect()
        })
    }

    fn select(traces: &[TraceRank], ids: &BTreeSet<TraceId>) -> Vec<TraceRank> {
        traces.iter().copied().filter(|t| ids.contains(&t.id)).collect()
    }

    /// The definition, word by word, over the whole set.
    fn by_definition(traces: &[TraceRank], limit: usize, seed: u64) -> BTreeSet<TraceId> {
        let longest = |failed: bool, limit: usize| {
            let mut class: Vec<_> = traces.iter().filter(|t| t.failed == failed).collect();
            class.sort_by_key(|t| (Reverse(t.duration_ns), t.id));
            class.into_iter().take(limit).map(|t| t.id).collect::<Vec<_>>()
        };
        let slow = longest(false, limit.div_ceil(2));
        let failed = longest(true, limit.div_ceil(4).min(limit - limit.div_ceil(2)));
        let mut kept: BTreeSet<_> = slow.into_iter().chain(failed).collect();
        let mut rest: Vec<_> = traces.iter().map(|t| t.id).filter(|id| !kept.contains(id)).collect();
        rest.sort_by_key(|id| (trace_hash(seed, *id), *id));
        rest.truncate(limit - kept.len());
        kept.extend(rest);
        kept
    }

    proptest! {
        #[test]
        fn equals_its_definition(traces in traces(), limit in 0..24_u32, seed: u64) {
            let kept = keep(traces.iter().copied(), limit, seed);
            prop_assert_eq!(kept.len(), traces.len().min(limit as usize));
            prop_assert_eq!(kept, by_definition(&traces, limit as usize, seed));
        }

        #[test]
        fn choosing_commutes_with_any_partition_and_order(
            traces in traces(), parts in vec(0..5_usize, 60), order in Just((0..5_usize).collect::<Vec<_>>()).prop_shuffle(),
            limit in 0..24_u32, seed: u64,
        ) {
            let mut union = Vec::new();
            for part in order {
                let own: Vec<_> = traces.iter().zip(&parts).filter(|(_, p)| **p == part).map(|(t, _)| *t).collect();
                union.extend(select(&own, &keep(own.iter().copied(), limit, seed)));
                // associative: choosing in between changes nothing
                union = select(&union, &keep(union.iter().copied(), limit, seed));
            }
            let kept = keep(union.iter().copied(), limit, seed);
            prop_assert_eq!(&kept, &keep(traces.iter().copied(), limit, seed));
            let again = keep(union.iter().chain(&union).copied(), limit, seed);
            prop_assert_eq!(again, kept, "idempotent");
        }

        #[test]
        fn what_is_not_kept_at_once_is_never_kept(traces in traces(), limit in 0..24_u32, seed: u64) {
            let mut retention = Retention::new(limit, seed);
            let mut written = BTreeSet::new();
            for trace in &traces {
                if retention.offer(*trace) == Verdict::Kept {
                    written.insert(trace.id);
                }
            }
            prop_assert!(retention.kept().is_subset(&written));
            prop_assert_eq!(keep(select(&traces, &written), limit, seed), retention.kept());
        }
    }

    #[test]
    fn a_hundred_of_a_thousand_are_half_slowest_a_quarter_failed_and_the_rest_by_chance() {
        let rank = |i: u64| TraceRank { id: TraceId(i), duration_ns: i, failed: i.is_multiple_of(10) };
        let kept = keep((0..1_000).map(rank), 100, 3);
        assert_eq!(kept.len(), 100);
        assert!((751..1_000).rev().filter(|i| i % 10 == 0).take(25).all(|i| kept.contains(&TraceId(i))));
        assert!((0..1_000).rev().filter(|i| i % 10 != 0).take(50).all(|i| kept.contains(&TraceId(i))));
        assert!(kept.iter().filter(|id| id.0 < 500).count() > 5, "a random share is kept of the fast ones");
    }

    #[test]
    fn the_only_place_goes_to_the_slowest() {
        let rank = |i: u64| TraceRank { id: TraceId(i), duration_ns: i, failed: false };
        assert_eq!(keep((0..50).map(rank), 1, 9), BTreeSet::from([TraceId(49)]));
    }
}
