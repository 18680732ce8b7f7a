//! Latency histograms: the HDR histogram, always with the same bounds, so that any two can be added.
//!
//! A real HDR histogram with these bounds takes 184 KiB, and a session has one per second. Here a histogram keeps
//! only the buckets that are in use, so it costs what was recorded, from one value to millions, and a file of many
//! small histograms cannot make a reader take gigabytes. Bucket bounds, percentiles, mean and bytes are those of the
//! `hdrhistogram` crate; the tests compare them.

use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2Serializer};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Lowest value told apart, in nanoseconds.
pub const LOWEST_NS: u64 = 1_000;
/// Highest value; longer ones are recorded as this (1 hour).
pub const HIGHEST_NS: u64 = 3_600_000_000_000;
/// Significant decimal digits: every value is right within 0.1 %.
pub const SIGNIFICANT_DIGITS: u8 = 3;
/// Longest V2 encoding accepted from a file.
const MAX_ENCODED_BYTES: usize = 1 << 20;
/// Most values one bucket can hold: the most that V2 bytes can say.
const MAX_COUNT: u64 = i64::MAX as u64;

/// An HDR histogram with these bounds and no values: it knows the buckets.
static BOUNDS: LazyLock<Histogram<u64>> = LazyLock::new(dense);

fn dense() -> Histogram<u64> {
    Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, SIGNIFICANT_DIGITS).expect("constant bounds are valid")
}

/// Makes what all histograms share, now: in a process that may fork, before there are threads. A child that was forked while
/// another thread was making it would wait for that thread for ever.
pub fn prepare() {
    LazyLock::force(&BOUNDS);
}

/// A histogram of wall times in nanoseconds (Gil Tene's HDR histogram), 1 µs to 1 h with three digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatencyHistogram {
    /// Lowest value of each bucket in use, and its count, never 0.
    counts: BTreeMap<u64, u64>,
    /// Sum of the counts.
    total: u64,
}

/// Why histogram bytes were refused.
#[derive(Debug, thiserror::Error)]
pub enum HistogramError {
    /// The header does not fit the bytes.
    #[error("histogram header says {declared} bytes of counts but {present} are there")]
    Length {
        /// From the header.
        declared: u64,
        /// What is left.
        present: u64,
    },
    /// Not a V2 histogram with this program's bounds.
    #[error("not a histogram of this program: {0}")]
    Foreign(&'static str),
    /// Counts that do not decode.
    #[error("histogram counts are damaged")]
    Counts,
}

impl LatencyHistogram {
    /// Adds one wall time. Values outside the bounds count as the nearest bound.
    pub fn record(&mut self, ns: u64) {
        self.add_count(BOUNDS.lowest_equivalent(ns.clamp(LOWEST_NS, HIGHEST_NS)), 1);
    }

    /// Adds all values of another histogram.
    pub fn add(&mut self, other: &LatencyHistogram) {
        for (&bucket, &count) in &other.counts {
            self.add_count(bucket, count);
        }
    }

    fn add_count(&mut self, bucket: u64, count: u64) {
        let here = self.counts.entry(bucket).or_default();
        *here = here.saturating_add(count).min(MAX_COUNT);
        self.total = self.total.saturating_add(count);
    }

    /// Number of values.
    pub fn count(&self) -> u64 {
        self.total
    }

    /// The value at a percentile (0 to 100), in nanoseconds; 0 when empty. It is the highest value of its bucket
    /// (of the lowest bucket at percentile 0 the lowest), as HDR histograms have it.
    pub fn percentile(&self, percentile: f64) -> u64 {
        let quantile = (percentile / 100.0).min(1.0);
        let rank = ((quantile * self.total as f64).ceil() as u64).max(1);
        let mut reached = 0_u64;
        for (&bucket, &count) in &self.counts {
            reached = reached.saturating_add(count);
            if reached >= rank {
                return if quantile == 0.0 { bucket } else { BOUNDS.highest_equivalent(bucket) };
            }
        }
        // Rounding of counts above 2^53 can put the rank past the last value.
        self.range().map_or(0, |(_, highest)| highest)
    }

    /// Smallest and largest value, in nanoseconds, to the bounds of their buckets; `None` when empty.
    pub fn range(&self) -> Option<(u64, u64)> {
        let (&lowest, _) = self.counts.first_key_value()?;
        let (&highest, _) = self.counts.last_key_value()?;
        Some((lowest, BOUNDS.highest_equivalent(highest)))
    }

    /// Mean, in nanoseconds; 0 when empty. Each value counts as the middle of its bucket.
    pub fn mean(&self) -> f64 {
        let total = self.total as f64;
        let weight = |(&bucket, &count): (&u64, &u64)| BOUNDS.median_equivalent(bucket) as f64 * count as f64 / total;
        self.counts.iter().map(weight).fold(0.0, |sum, part| sum + part)
    }

    /// The recorded buckets, ascending: (highest value of the bucket in nanoseconds, count).
    pub fn buckets(&self) -> Vec<(u64, u64)> {
        self.counts.iter().map(|(&bucket, &count)| (BOUNDS.highest_equivalent(bucket), count)).collect()
    }

    /// Number of values from `low_ns` (inclusive) to `high_ns` (exclusive): a bucket counts where its middle lies,
    /// so neighbouring intervals count every value exactly once.
    pub fn count_between(&self, low_ns: u64, high_ns: u64) -> u64 {
        let inside = |bucket: u64| (low_ns..high_ns).contains(&BOUNDS.median_equivalent(bucket));
        let counts = self.counts.iter().filter(|(bucket, _)| inside(**bucket)).map(|(_, count)| *count);
        counts.fold(0, u64::saturating_add)
    }

    /// About the memory it takes beyond its own size, in bytes: what a reader of hostile files counts.
    pub fn heap_bytes(&self) -> usize {
        // A tree node has at least half of its eleven places of 16 bytes in use.
        self.counts.len() * 40
    }

    /// HDR V2 bytes (not deflated): what other HDR implementations read. Empty for an empty histogram.
    pub fn to_v2(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if !self.counts.is_empty() {
            let mut histogram = dense();
            for (&bucket, &count) in &self.counts {
                histogram.saturating_record_n(bucket, count);
            }
            V2Serializer::new().serialize(&histogram, &mut bytes).expect("counts fit, and memory takes all bytes");
        }
        bytes
    }

    /// Reads what [`Self::to_v2`] wrote. The bytes may be hostile: what this takes in memory is bounded by their
    /// length, which the crate's own deserializer does not promise (it believes any declared length).
    ///
    /// # Errors
    /// [`HistogramError`] when the bytes are not such a histogram.
    pub fn from_v2(bytes: &[u8]) -> Result<Self, HistogramError> {
        const HEADER: usize = 40;
        const V2_COOKIE: u32 = 0x1c84_9303 | 0x10;
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        if bytes.len() < HEADER || bytes.len() > MAX_ENCODED_BYTES {
            return Err(HistogramError::Foreign("impossible size"));
        }
        let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let long = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        if word(0) != V2_COOKIE {
            return Err(HistogramError::Foreign("no V2 cookie"));
        }
        let (declared, present) = (u64::from(word(4)), (bytes.len() - HEADER) as u64);
        if declared != present {
            return Err(HistogramError::Length { declared, present });
        }
        if word(8) != 0 || long(32) != 1.0_f64.to_bits() {
            return Err(HistogramError::Foreign("shifted or scaled values"));
        }
        if word(12) != u32::from(SIGNIFICANT_DIGITS) || long(16) != LOWEST_NS || long(24) != HIGHEST_NS {
            return Err(HistogramError::Foreign("other bounds"));
        }
        Self::from_counts(&bytes[HEADER..])
    }

    /// Counts of consecutive buckets from the lowest, zig-zag coded; a negative number skips that many empty ones.
    fn from_counts(mut bytes: &[u8]) -> Result<Self, HistogramError> {
        let mut histogram = Self::default();
        let mut index = 0_u64;
        while !bytes.is_empty() {
            let coded = take_varint(&mut bytes).ok_or(HistogramError::Counts)?;
            let number = (coded >> 1) as i64 ^ -((coded & 1) as i64);
            if number < 0 {
                index = index.saturating_add(number.unsigned_abs());
            } else {
                let bucket = lowest_of(index).ok_or(HistogramError::Counts)?;
                if number > 0 {
                    histogram.add_count(bucket, number as u64);
                }
                index += 1;
            }
        }
        Ok(histogram)
    }
}

/// Takes one LEB128-64b9B number: seven bits a byte, lowest first, the ninth byte whole.
fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for place in 0..9 {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        if place == 8 {
            return Some(value | u64::from(byte) << 56);
        }
        value |= u64::from(byte & 0x7F) << (7 * place);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Lowest value of the bucket at an index, as HDR histograms number them; `None` above the highest value. With these
/// bounds the first 2,048 buckets are 512 ns wide, and each further 1,024 are twice as wide as the ones before.
fn lowest_of(index: u64) -> Option<u64> {
    const UNIT_BITS: u64 = LOWEST_NS.ilog2() as u64;
    let lowest = match index {
        0..2_048 => index << UNIT_BITS,
        2_048..40_960 => (1_024 + index % 1_024) << (UNIT_BITS + index / 1_024 - 1),
        _ => return None,
    };
    (lowest <= HIGHEST_NS).then_some(lowest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::serialization::Deserializer;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn filled(values: &[u64]) -> LatencyHistogram {
        let mut histogram = LatencyHistogram::default();
        values.iter().for_each(|&ns| histogram.record(ns));
        histogram
    }

    fn wall_times() -> impl Strategy<Value = Vec<u64>> {
        vec(prop_oneof![0..5_000_u64, 1_000..10_000_000_u64, 0..2 * HIGHEST_NS], 0..300)
    }

    proptest! {
        #[test]
        fn answers_as_the_crate_does(values in wall_times(), percentiles in vec(0.0..=100.0_f64, 8)) {
            let ours = filled(&values);
            let mut theirs = dense();
            values.iter().for_each(|&ns| theirs.saturating_record(ns.clamp(LOWEST_NS, HIGHEST_NS)));
            prop_assert_eq!(ours.count(), theirs.len());
            prop_assert_eq!(ours.mean().to_bits(), theirs.mean().to_bits());
            if !values.is_empty() {
                prop_assert_eq!(ours.range(), Some((theirs.min(), theirs.max())));
                for percentile in percentiles.into_iter().chain([0.0, 50.0, 99.9, 100.0]) {
                    prop_assert_eq!(ours.percentile(percentile), theirs.value_at_percentile(percentile));
                }
            }
            let buckets: Vec<_> = theirs.iter_recorded().map(|v| (v.value_iterated_to(), v.count_at_value())).collect();
            prop_assert_eq!(ours.buckets(), buckets);
        }

        #[test]
        fn other_hdr_programs_read_its_bytes(values in wall_times()) {
            prop_assume!(!values.is_empty());
            let ours = filled(&values);
            let theirs: Histogram<u64> = Deserializer::new().deserialize(&mut ours.to_v2().as_slice()).unwrap();
            prop_assert_eq!(theirs.len(), ours.count());
            prop_assert_eq!(LatencyHistogram::from_v2(&ours.to_v2()).unwrap(), ours);
        }

        #[test]
        fn adding_is_recording_together(a in wall_times(), b in wall_times()) {
            let mut sum = filled(&a);
            sum.add(&filled(&b));
            prop_assert_eq!(&sum, &filled(&[b, a].concat()));
        }

        #[test]
        fn intervals_count_every_value_once(values in wall_times(), cuts in vec(0..HIGHEST_NS, 0..6)) {
            let histogram = filled(&values);
            let mut edges = [cuts, vec![0, u64::MAX]].concat();
            edges.sort_unstable();
            let sum: u64 = edges.windows(2).map(|edge| histogram.count_between(edge[0], edge[1])).sum();
            prop_assert_eq!(sum, histogram.count());
        }

        #[test]
        fn hostile_bytes_are_refused_or_stay_small(
            values in wall_times(), edits in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6), cut in 0..40_usize,
        ) {
            let mut bytes = filled(&values).to_v2();
            prop_assume!(!bytes.is_empty());
            for (at, byte) in edits {
                *at.get_mut(&mut bytes) = byte;
            }
            bytes.truncate(bytes.len() - cut.min(bytes.len()));
            if let Ok(histogram) = LatencyHistogram::from_v2(&bytes) {
                prop_assert!(histogram.counts.len() <= bytes.len());
                let _ = (histogram.percentile(50.0), histogram.percentile(100.0), histogram.mean(), histogram.range());
                prop_assert_eq!(LatencyHistogram::from_v2(&histogram.to_v2()).unwrap().buckets(), histogram.buckets());
            }
        }

        #[test]
        fn arbitrary_counts_are_refused_or_stay_small(payload in vec(any::<u8>(), 0..200)) {
            let mut bytes = filled(&[5_000_000]).to_v2()[..40].to_vec();
            bytes[4..8].copy_from_slice(&(payload.len() as u32).to_be_bytes());
            bytes.extend(&payload);
            if let Ok(histogram) = LatencyHistogram::from_v2(&bytes) {
                prop_assert!(histogram.counts.len() <= payload.len());
                let mut twice = histogram.clone();
                twice.add(&histogram);
                let _ = (twice.percentile(99.0), twice.mean(), twice.to_v2());
            }
        }
    }

    #[test]
    fn bucket_indexes_are_those_of_the_crate() {
        let mut value = 0;
        for index in 0.. {
            let Some(lowest) = lowest_of(index) else {
                assert!(value > HIGHEST_NS);
                return;
            };
            assert_eq!(lowest, value, "at index {index}");
            value = BOUNDS.next_non_equivalent(value);
        }
    }

    #[test]
    fn refuses_a_lying_length() {
        let mut bytes = filled(&[5_000_000]).to_v2();
        bytes[4..8].copy_from_slice(&0xEB00_0000_u32.to_be_bytes());
        assert!(matches!(LatencyHistogram::from_v2(&bytes), Err(HistogramError::Length { .. })));
    }

    #[test]
    fn counts_saturate() {
        let one = {
            let mut bytes = filled(&[5_000_000]).to_v2();
            bytes.truncate(40);
            // the largest positive number, for the lowest bucket
            bytes.extend([0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
            bytes[4..8].copy_from_slice(&9_u32.to_be_bytes());
            LatencyHistogram::from_v2(&bytes).unwrap()
        };
        assert_eq!(one.count(), MAX_COUNT);
        let mut sum = one.clone();
        (0..3).for_each(|_| sum.add(&one));
        assert_eq!(sum.count(), u64::MAX);
        assert_eq!(LatencyHistogram::from_v2(&sum.to_v2()).unwrap().count(), MAX_COUNT);
    }

    #[test]
    fn an_empty_one_equals_a_fresh_one_and_has_no_bytes() {
        assert_eq!(LatencyHistogram::from_v2(&[]).unwrap(), LatencyHistogram::default());
        assert!(LatencyHistogram::default().to_v2().is_empty());
        assert_eq!(LatencyHistogram::default().percentile(50.0), 0);
        assert_eq!(LatencyHistogram::default().range(), None);
    }
}
