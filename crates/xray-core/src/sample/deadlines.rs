//! When to sample: once in each period of an absolute grid, at a random instant of it.
//!
//! The grid keeps delays from adding up. The instant is uniform over the whole period, so that work in step with the
//! grid is seen at all its phases; for the same reason a sample stands for its whole period (and for those before it
//! that were missed), not for the time since the last sample, which depends on the phase.

use crate::id::mix;

const SECOND_NS: u64 = 1_000_000_000;

/// The ticks of one rate; the grid starts anew when the rate changes.
#[derive(Debug)]
pub(super) struct Deadlines {
    /// The instants are a function of this and the number of the period.
    seed: u64,
    hz: u32,
    start_ns: u64,
    /// Number of the period that the next tick is for.
    next: u64,
    /// Number of the first period that no tick stands for.
    open: u64,
}

impl Deadlines {
    pub(super) fn new(seed: u64, hz: u32, now_ns: u64) -> Self {
        Self { seed, hz, start_ns: now_ns, next: 0, open: 0 }
    }

    /// Changes the rate from now on.
    pub(super) fn set_rate(&mut self, hz: u32, now_ns: u64) {
        if hz != self.hz {
            *self = Self::new(mix(self.seed), hz, now_ns);
        }
    }

    pub(super) fn period_ns(&self) -> u64 {
        (SECOND_NS / u64::from(self.hz.max(1))).max(1)
    }

    /// The next deadline. `None` at rate 0.
    pub(super) fn next_ns(&self) -> Option<u64> {
        (self.hz > 0).then(|| self.deadline_ns(self.next))
    }

    /// A tick saw what it saw at this instant. It is the tick of the last period whose deadline is over: one that comes
    /// late, as every sleeper does, is still that of its period until the next one is due.
    pub(super) fn read_at(&mut self, at_ns: u64) -> Read {
        let period = self.due_at(at_ns).map_or(self.next, |due| due.max(self.next));
        let read = Read {
            stands_for_ns: (period + 1 - self.open).saturating_mul(self.period_ns()),
            missed: period - self.next,
        };
        (self.next, self.open) = (period + 1, period + 1);
        read
    }

    /// A tick was done. Says how many were missed because it took so long.
    pub(super) fn done(&mut self, now_ns: u64) -> u64 {
        let missed = self.due_at(now_ns).map_or(0, |due| (due + 1).saturating_sub(self.next));
        self.next += missed;
        missed
    }

    /// The last period whose deadline is over at this instant.
    fn due_at(&self, at_ns: u64) -> Option<u64> {
        let period = at_ns.saturating_sub(self.start_ns) / self.period_ns();
        if self.deadline_ns(period) <= at_ns { Some(period) } else { period.checked_sub(1) }
    }

    fn deadline_ns(&self, period: u64) -> u64 {
        let within = mix(self.seed ^ mix(period)) % self.period_ns();
        self.start_ns.saturating_add(period.saturating_mul(self.period_ns())).saturating_add(within)
    }
}

/// What a tick turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Read {
    /// The time that it stands for: its period, and those before it that no tick was for.
    pub(super) stands_for_ns: u64,
    /// Ticks that were due since the one before was done, and that this one came too late for.
    pub(super) missed: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_period_is_sampled_or_missed_and_the_weights_are_all_of_them(
            seed: u64, hz in 1_u32..20_000,
            delays in prop::collection::vec((0_u64..50_000_000, 0_u64..50_000_000), 1..200),
        ) {
            let mut deadlines = Deadlines::new(seed, hz, 1_000);
            let (mut now, mut ticks, mut missed, mut weight) = (1_000, 0, 0, 0);
            let period = deadlines.period_ns();
            for (late, work) in delays {
                let deadline = deadlines.next_ns().unwrap();
                prop_assert_eq!((deadline - 1_000) / period, deadlines.next);
                now = now.max(deadline) + late;
                let read = deadlines.read_at(now);
                prop_assert!(deadlines.next_ns().unwrap() > now, "nothing that was due is due still");
                weight += read.stands_for_ns;
                missed += read.missed;
                prop_assert_eq!(weight, deadlines.next * period);
                now += work;
                missed += deadlines.done(now);
                ticks += 1;
                prop_assert!(deadlines.next_ns().unwrap() > now, "nothing is made up for");
                prop_assert_eq!(deadlines.next, ticks + missed);
            }
        }

        #[test]
        fn who_is_late_by_less_than_the_time_to_the_next_deadline_misses_none(seed: u64, part in 0.0_f64..0.999) {
            let mut deadlines = Deadlines::new(seed, 1_000, 1_000);
            for _ in 0..100 {
                let (due, next) = (deadlines.deadline_ns(deadlines.next), deadlines.deadline_ns(deadlines.next + 1));
                let read = deadlines.read_at(due + ((next - due) as f64 * part) as u64);
                prop_assert_eq!(read, Read { stands_for_ns: 1_000_000, missed: 0 });
                prop_assert_eq!(deadlines.done(due), 0);
            }
        }
    }

    #[test]
    fn work_in_step_with_the_grid_is_seen_at_all_its_phases_with_equal_weight() {
        for late in [0, 70_000] {
            let mut deadlines = Deadlines::new(7, 100, 0);
            let mut weights = [0; 10];
            for _ in 0..6_000 {
                let at = deadlines.next_ns().unwrap() + late;
                weights[(at % 10_000_000 / 1_000_000) as usize] += deadlines.read_at(at).stands_for_ns;
            }
            let total: u64 = weights.iter().sum();
            for weight in weights {
                let share = weight as f64 / total as f64;
                assert!((share - 0.1).abs() < 0.016, "{weights:?}");
            }
        }
    }

    #[test]
    fn a_new_rate_starts_a_new_grid_and_rate_zero_has_no_deadline() {
        let mut deadlines = Deadlines::new(1, 100, 0);
        deadlines.set_rate(10, 5_000_000);
        let deadline = deadlines.next_ns().unwrap();
        assert!((5_000_000..105_000_000).contains(&deadline), "{deadline}");
        deadlines.set_rate(0, 6_000_000);
        assert_eq!(deadlines.next_ns(), None);
    }
}
