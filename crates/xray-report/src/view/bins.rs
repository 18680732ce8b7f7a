//! Response times in log-spaced bins, each arm by the same edges.

use crate::model::{Latencies, Latency};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use xray_core::histogram::{HIGHEST_NS, LatencyHistogram};

/// Preferred numbers: edges a reader can name, evenly spaced on a log scale, finest first.
const SERIES: [&[u64]; 5] = [
    &[100, 112, 125, 140, 160, 180, 200, 224, 250, 280, 315, 355, 400, 450, 500, 560, 630, 710, 800, 900],
    &[100, 125, 160, 200, 250, 315, 400, 500, 630, 800],
    &[100, 160, 250, 400, 630],
    &[100, 200, 500],
    &[100],
];

/// Counts of both arms by response time.
#[derive(Debug, PartialEq)]
pub(crate) struct Bins {
    /// Lower edge of each bin, in nanoseconds, ascending.
    pub(crate) from_ns: Vec<u64>,
    /// Upper edge of the last bin.
    pub(crate) to_ns: u64,
    /// Traced requests by bin.
    pub(crate) traced: Vec<u64>,
    /// Control requests by bin.
    pub(crate) control: Vec<u64>,
}

impl Bins {
    /// The finest bins that are at most `most`; `None` when there are no response times at all.
    pub(crate) fn of(latency: &Latencies, most: usize) -> Option<Self> {
        let (traced, control) = (buckets(&latency.traced), buckets(&latency.control));
        let values = || traced.iter().chain(&control).map(|(ns, _)| *ns);
        let (low, high) = (values().min()?, values().max()?);
        let edges = SERIES.iter().map(|series| edges(series, low, high)).find(|e| e.len() <= most + 1)?;
        let (to_ns, from_ns) = edges.split_last()?;
        let fill = |buckets: &[(u64, u64)]| {
            let mut counts = vec![0; from_ns.len()];
            for (ns, count) in buckets {
                counts[from_ns.partition_point(|from| from <= ns).saturating_sub(1)] += count;
            }
            counts
        };
        Some(Self { traced: fill(&traced), control: fill(&control), from_ns: from_ns.to_vec(), to_ns: *to_ns })
    }

    /// The largest share any bin has of its arm, for one scale over both arms.
    pub(crate) fn peak_share(&self) -> f64 {
        let peak = |counts: &[u64]| {
            let sum: u64 = counts.iter().sum();
            counts.iter().map(|n| super::numbers::share(*n, sum)).fold(0.0, f64::max)
        };
        peak(&self.traced).max(peak(&self.control))
    }
}

/// The recorded buckets of one arm; nothing when the histogram is empty or does not decode.
fn buckets(latency: &Latency) -> Vec<(u64, u64)> {
    let bytes = STANDARD.decode(&latency.hdr_v2_base64).unwrap_or_default();
    LatencyHistogram::from_v2(&bytes).map(|h| h.buckets()).unwrap_or_default()
}

/// The edges of a series around `low..=high`: from the last one not above `low` to the first one above `high`.
fn edges(series: &[u64], low: u64, high: u64) -> Vec<u64> {
    let mut edges = Vec::new();
    let mut scale = 1;
    while scale <= HIGHEST_NS {
        for step in series {
            let edge = step * scale;
            if edge <= low {
                edges.clear();
            }
            edges.push(edge);
            if edge > high {
                return edges;
            }
        }
        scale *= 10;
    }
    edges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::fixture::{latencies, latency_of};
    use proptest::prelude::*;

    #[test]
    fn a_narrow_spread_gets_fine_bins_and_a_wide_one_coarse() {
        let narrow = Bins::of(&latencies(&[41_000_000, 43_000_000, 48_000_000], &[42_000_000]), 16).unwrap();
        assert_eq!((narrow.from_ns[0], narrow.to_ns), (40_000_000, 50_000_000));
        assert_eq!((narrow.traced, narrow.control), (vec![2, 1], vec![1, 0]));
        let wide = Bins::of(&latencies(&[1_000, 3_000_000_000_000], &[]), 16).unwrap();
        assert!(wide.from_ns.len() <= 16);
    }

    #[test]
    fn nothing_recorded_and_nonsense_have_no_bins() {
        assert_eq!(Bins::of(&latencies(&[], &[]), 16), None);
        let mut nonsense = latencies(&[], &[]);
        nonsense.traced.hdr_v2_base64 = "not base64!".to_owned();
        assert_eq!(Bins::of(&nonsense, 16), None);
    }

    proptest! {
        #[test]
        fn every_request_is_in_one_bin(
            traced in prop::collection::vec(0_u64..4_000_000_000_000, 1..50),
            control in prop::collection::vec(1_000_u64..1_000_000_000, 0..50),
            most in 11_usize..40,
        ) {
            let bins = Bins::of(&latencies(&traced, &control), most).unwrap();
            prop_assert_eq!(bins.traced.iter().sum::<u64>(), traced.len() as u64);
            prop_assert_eq!(bins.control.iter().sum::<u64>(), control.len() as u64);
            prop_assert!(bins.from_ns.len() <= most);
            prop_assert!(bins.from_ns.is_sorted());
            prop_assert_eq!(latency_of(&traced).count, traced.len() as u64);
        }
    }
}
