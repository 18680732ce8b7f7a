//! Latency of the arms.

use crate::model::{Latencies, Latency};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use xray_core::model::{ArmStats, SessionData};

pub(super) fn latencies(data: &SessionData) -> Latencies {
    let mut all = data.traced.clone();
    all.add(&data.control);
    Latencies { traced: latency(&data.traced), control: latency(&data.control), all: latency(&all) }
}

/// A percentile is told only when at least one value lies above it on average: the 99th from 100 values on.
fn latency(arm: &ArmStats) -> Latency {
    let histogram = &arm.latency;
    let count = histogram.count();
    let range = histogram.range();
    let at = |percentile: f64, least: u64| (count >= least).then(|| histogram.percentile(percentile));
    let mean = |count: u64| u64::try_from(arm.wall_sum_ns / u128::from(count)).unwrap_or(u64::MAX);
    Latency {
        count,
        min_ns: range.map(|(min, _)| min),
        mean_ns: (count > 0).then(|| mean(count)),
        p50_ns: at(50.0, 1),
        p75_ns: at(75.0, 1),
        p90_ns: at(90.0, 1),
        p95_ns: at(95.0, 1),
        p99_ns: at(99.0, 100),
        p999_ns: at(99.9, 1_000),
        max_ns: range.map(|(_, max)| max),
        hdr_v2_base64: STANDARD.encode(histogram.to_v2()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(values: impl IntoIterator<Item = u64>) -> ArmStats {
        let mut arm = ArmStats::default();
        for ns in values {
            arm.latency.record(ns);
            arm.wall_sum_ns += u128::from(ns);
        }
        arm
    }

    #[test]
    fn percentiles_need_enough_values() {
        let none = latency(&arm([]));
        assert_eq!((none.count, none.p50_ns, none.mean_ns, none.max_ns), (0, None, None, None));
        let few = latency(&arm((1..=99).map(|ms| ms * 1_000_000)));
        assert!(few.p95_ns.is_some() && few.p99_ns.is_none() && few.p999_ns.is_none());
        assert_eq!(few.mean_ns, Some(50_000_000), "the mean is exact");
        let enough = latency(&arm((1..=1_000).map(|ms| ms * 1_000_000)));
        assert!(enough.p999_ns.is_some());
        let p99 = enough.p99_ns.unwrap();
        assert!(p99.abs_diff(990_000_000) < 1_000_000, "{p99}");
    }
}
