//! From clock ticks to nanoseconds.

/// How long a tick of the tracer's clock is: a fixed-point factor, so that the same ticks always give the same
/// nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TickScale {
    /// Nanoseconds per tick, times 2^32.
    factor: u64,
}

impl TickScale {
    /// For a clock that ticks in nanoseconds.
    pub const NANOSECONDS: Self = Self { factor: 1 << 32 };

    /// `ns_per_tick` as calibrated; what is not a positive number below 2^31 counts as 1.
    pub fn from_ns_per_tick(ns_per_tick: f64) -> Self {
        let factor = (ns_per_tick * (1_u64 << 32) as f64).round();
        if factor >= 1.0 && factor < (1_u64 << 63) as f64 { Self { factor: factor as u64 } } else { Self::NANOSECONDS }
    }

    /// Nanoseconds of so many ticks, rounded down; monotonic.
    pub fn ns(self, ticks: u64) -> u64 {
        u64::try_from((u128::from(ticks) * u128::from(self.factor)) >> 32).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_at_three_gigahertz_is_right_within_a_microsecond() {
        let scale = TickScale::from_ns_per_tick(1.0 / 3.0);
        let day_ns = 86_400_000_000_000_u64;
        assert!(scale.ns(day_ns * 3).abs_diff(day_ns) < 100_000, "{}", scale.ns(day_ns * 3));
        assert_eq!(TickScale::NANOSECONDS.ns(u64::MAX), u64::MAX);
    }

    #[test]
    fn nonsense_counts_as_nanoseconds() {
        for nonsense in [f64::NAN, 0.0, -1.0, f64::INFINITY] {
            assert_eq!(TickScale::from_ns_per_tick(nonsense), TickScale::NANOSECONDS);
        }
    }
}
