//! The session's seconds gathered into as many columns as there is room for.

use crate::model::Second;

/// One column: some whole seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Column {
    /// Matching requests a second.
    pub(crate) matched_per_s: f64,
    /// Other requests a second.
    pub(crate) other_per_s: f64,
    /// Highest median of its seconds.
    pub(crate) p50_ns: Option<u64>,
    /// Highest 95th percentile of its seconds.
    pub(crate) p95_ns: Option<u64>,
}

/// The session over time.
#[derive(Debug, PartialEq)]
pub(crate) struct Columns {
    /// Seconds that each column stands for (the last one may hold fewer).
    pub(crate) seconds_each: u64,
    /// Seconds in all.
    pub(crate) seconds: u64,
    /// The columns, first second first.
    pub(crate) columns: Vec<Column>,
}

impl Columns {
    /// At most `most` columns over the session; `None` when no second was recorded.
    pub(crate) fn of(series: &[Second], duration_ns: u64, most: usize) -> Option<Self> {
        let last = u64::from(series.iter().map(|second| second.t_s).max()?);
        let seconds = (last + 1).max(duration_ns.div_ceil(1_000_000_000));
        let seconds_each = seconds.div_ceil(most.max(1) as u64);
        let mut columns = vec![Column::default(); seconds.div_ceil(seconds_each) as usize];
        for second in series {
            let at = u64::from(second.t_s) / seconds_each;
            let covered = seconds_each.min(seconds - at * seconds_each) as f64;
            let column = &mut columns[at as usize];
            column.matched_per_s += second.matched as f64 / covered;
            column.other_per_s += second.other as f64 / covered;
            column.p50_ns = column.p50_ns.max(second.p50_ns);
            column.p95_ns = column.p95_ns.max(second.p95_ns);
        }
        Some(Self { seconds_each, seconds, columns })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(t_s: u32, matched: u64, p50_ns: Option<u64>) -> Second {
        Second { t_s, matched, other: 1, p50_ns, p95_ns: None, samples: crate::model::SampledThreads::default() }
    }

    #[test]
    fn seconds_without_requests_are_zero_not_missing() {
        let columns = Columns::of(&[second(0, 4, Some(10)), second(3, 2, None)], 4_500_000_000, 80).unwrap();
        assert_eq!((columns.seconds_each, columns.seconds), (1, 5));
        let rates: Vec<f64> = columns.columns.iter().map(|c| c.matched_per_s).collect();
        assert_eq!(rates, [4.0, 0.0, 0.0, 2.0, 0.0]);
        assert_eq!(columns.columns[0].p50_ns, Some(10));
    }

    #[test]
    fn a_long_session_is_gathered_and_rates_stay_rates() {
        let series: Vec<Second> = (0..300).map(|t| second(t, 10, Some(u64::from(t)))).collect();
        let columns = Columns::of(&series, 300_000_000_000, 40).unwrap();
        assert_eq!((columns.seconds_each, columns.columns.len()), (8, 38));
        assert!(columns.columns.iter().all(|c| (c.matched_per_s - 10.0).abs() < 1e-9));
        assert_eq!(columns.columns[0].p50_ns, Some(7));
    }

    #[test]
    fn impossible_times_cost_no_memory() {
        let columns = Columns::of(&[second(u32::MAX, 1, None)], u64::MAX, 100).unwrap();
        assert!(columns.columns.len() <= 100);
        assert_eq!(Columns::of(&[], 1, 10), None);
    }
}
