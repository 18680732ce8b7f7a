//! When to sample: on an absolute grid, so that delays do not add up, with jitter, so that no periodic work hides.

use crate::id::mix;

const SECOND_NS: u64 = 1_000_000_000;

/// The ticks of one rate; the grid starts anew when the rate changes.
#[derive(Debug)]
pub(super) struct Deadlines {
    seed: u64,
    /// Ticks so far: the jitter is a function of the seed and this.
    count: u64,
    hz: u32,
    start_ns: u64,
    /// Number of the next tick on the grid.
    next: u64,
}

impl Deadlines {
    pub(super) fn new(seed: u64, hz: u32, now_ns: u64) -> Self {
        Self { seed, count: 0, hz, start_ns: now_ns, next: 1 }
    }

    /// Changes the rate from now on.
    pub(super) fn set_rate(&mut self, hz: u32, now_ns: u64) {
        if hz != self.hz {
            (self.hz, self.start_ns, self.next) = (hz, now_ns, 1);
        }
    }

    pub(super) fn period_ns(&self) -> u64 {
        (SECOND_NS / u64::from(self.hz.max(1))).max(1)
    }

    /// The next deadline: its place on the grid, up to a quarter of a period earlier or later. `None` at rate 0.
    pub(super) fn next_ns(&self) -> Option<u64> {
        let quarter = self.period_ns() / 4;
        let jitter = mix(self.seed ^ mix(self.count)) % (2 * quarter + 1);
        let place = self.start_ns.saturating_add(self.next.saturating_mul(self.period_ns()));
        (self.hz > 0).then(|| place.saturating_add(jitter).saturating_sub(quarter))
    }

    /// A tick was done; the next one is the first whose place on the grid is still to come. Says how many were missed.
    pub(super) fn done(&mut self, now_ns: u64) -> u64 {
        let passed = now_ns.saturating_sub(self.start_ns) / self.period_ns();
        let expected = self.next + 1;
        self.next = expected.max(passed + 1);
        self.count += 1;
        self.next - expected
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn deadlines_stay_on_the_grid_whatever_the_delays(
            seed: u64, hz in 1_u32..2_000, delays in prop::collection::vec(0_u64..50_000_000, 1..200),
        ) {
            let mut deadlines = Deadlines::new(seed, hz, 1_000);
            let (mut now, mut ticks, mut missed) = (1_000, 0, 0);
            let period = deadlines.period_ns();
            for delay in delays {
                let deadline = deadlines.next_ns().unwrap();
                let place = (deadline - 1_000 + period / 2) / period;
                prop_assert!(deadline.abs_diff(1_000 + place * period) <= period / 4);
                now = now.max(deadline) + delay;
                missed += deadlines.done(now);
                ticks += 1;
                prop_assert!(deadlines.next_ns().unwrap() + period / 4 >= now, "no burst");
                prop_assert_eq!(deadlines.next, 1 + ticks + missed);
            }
        }
    }

    #[test]
    fn a_new_rate_starts_a_new_grid_and_rate_zero_has_no_deadline() {
        let mut deadlines = Deadlines::new(1, 100, 0);
        deadlines.set_rate(10, 5_000_000);
        let deadline = deadlines.next_ns().unwrap();
        assert!((80_000_000..=130_000_000).contains(&deadline), "{deadline}");
        deadlines.set_rate(0, 6_000_000);
        assert_eq!(deadlines.next_ns(), None);
    }
}
