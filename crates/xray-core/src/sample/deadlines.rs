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
    seed: u64,
    /// Ticks so far: the instant is a function of the seed and this.
    count: u64,
    hz: u32,
    start_ns: u64,
    /// Number of the period that the next tick is for.
    next: u64,
    /// Number of the period that the last tick was in.
    last: Option<u64>,
}

impl Deadlines {
    pub(super) fn new(seed: u64, hz: u32, now_ns: u64) -> Self {
        Self { seed, count: 0, hz, start_ns: now_ns, next: 0, last: None }
    }

    /// Changes the rate from now on.
    pub(super) fn set_rate(&mut self, hz: u32, now_ns: u64) {
        if hz != self.hz {
            (self.hz, self.start_ns, self.next, self.last) = (hz, now_ns, 0, None);
        }
    }

    pub(super) fn period_ns(&self) -> u64 {
        (SECOND_NS / u64::from(self.hz.max(1))).max(1)
    }

    /// The next deadline. `None` at rate 0.
    pub(super) fn next_ns(&self) -> Option<u64> {
        let within = mix(self.seed ^ mix(self.count)) % self.period_ns();
        let period = self.start_ns.saturating_add(self.next.saturating_mul(self.period_ns()));
        (self.hz > 0).then(|| period.saturating_add(within))
    }

    /// A tick saw what it saw at this instant: the time that it stands for.
    pub(super) fn read_at(&mut self, at_ns: u64) -> u64 {
        let period = self.period_at(at_ns).max(self.next);
        let periods = period - self.last.map_or(self.next.min(period), |last| last + 1) + 1;
        self.last = Some(period);
        periods.saturating_mul(self.period_ns())
    }

    /// A tick was done. Says how many were missed since the one before.
    pub(super) fn done(&mut self, now_ns: u64) -> u64 {
        let after = self.last.map_or(self.next, |last| last + 1);
        let missed_before = after - (self.next + 1).min(after);
        self.next = after.max(self.period_at(now_ns));
        self.count += 1;
        missed_before + self.next - after
    }

    fn period_at(&self, at_ns: u64) -> u64 {
        at_ns.saturating_sub(self.start_ns) / self.period_ns()
    }
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
                prop_assert!(deadlines.next * period + period > now - 1_000, "the period is not over yet");
                now = now.max(deadline) + late;
                weight += deadlines.read_at(now);
                now += work;
                missed += deadlines.done(now);
                ticks += 1;
                prop_assert_eq!(deadlines.next, ticks + missed);
                prop_assert_eq!(weight, (deadlines.last.unwrap() + 1) * period);
            }
        }
    }

    #[test]
    fn work_in_step_with_the_grid_is_seen_at_all_its_phases_with_equal_weight() {
        let mut deadlines = Deadlines::new(7, 100, 0);
        let mut weights = [0; 10];
        for _ in 0..6_000 {
            let at = deadlines.next_ns().unwrap();
            weights[(at % 10_000_000 / 1_000_000) as usize] += deadlines.read_at(at);
            deadlines.done(at);
        }
        let total: u64 = weights.iter().sum();
        for weight in weights {
            let share = weight as f64 / total as f64;
            assert!((share - 0.1).abs() < 0.016, "{weights:?}");
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
