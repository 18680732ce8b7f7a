//! Latency histograms: the HDR histogram, always with the same bounds, so that any two can be added.

use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};
use std::io::Cursor;

/// Lowest value told apart, in nanoseconds.
pub const LOWEST_NS: u64 = 1_000;
/// Highest value; longer ones are recorded as this (1 hour).
pub const HIGHEST_NS: u64 = 3_600_000_000_000;
/// Significant decimal digits: every value is right within 0.1 %.
pub const SIGNIFICANT_DIGITS: u8 = 3;
/// Longest V2 encoding accepted from a file.
const MAX_ENCODED_BYTES: usize = 1 << 20;

/// A histogram of wall times in nanoseconds (Gil Tene's HDR histogram), 1 µs to 1 h with three digits. It holds no
/// buckets until the first value: an empty one costs nothing, a filled one about 184 KiB.
#[derive(Clone, Debug, Default)]
pub struct LatencyHistogram {
    inner: Option<Box<Histogram<u64>>>,
}

/// Why histogram bytes were refused.
#[derive(Debug, thiserror::Error)]
pub enum HistogramError {
    /// The header does not fit the bytes: the crate would believe it and allocate.
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

fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, SIGNIFICANT_DIGITS).expect("constant bounds are valid")
}

impl LatencyHistogram {
    /// Adds one wall time. Values outside the bounds count as the nearest bound.
    pub fn record(&mut self, ns: u64) {
        self.inner.get_or_insert_with(|| Box::new(empty())).saturating_record(ns.clamp(LOWEST_NS, HIGHEST_NS));
    }

    /// Adds all values of another histogram.
    pub fn add(&mut self, other: &LatencyHistogram) {
        if let Some(theirs) = &other.inner {
            let ours = self.inner.get_or_insert_with(|| Box::new(empty()));
            ours.add(theirs.as_ref()).expect("all histograms have the same bounds");
        }
    }

    /// Number of values.
    pub fn count(&self) -> u64 {
        self.inner.as_ref().map_or(0, |h| h.len())
    }

    /// The value at a percentile (0 to 100), in nanoseconds; 0 when empty.
    pub fn percentile(&self, percentile: f64) -> u64 {
        self.inner.as_ref().map_or(0, |h| h.value_at_percentile(percentile))
    }

    /// Smallest and largest value, in nanoseconds; `None` when empty.
    pub fn range(&self) -> Option<(u64, u64)> {
        self.inner.as_ref().map(|h| (h.min(), h.max()))
    }

    /// Mean, in nanoseconds; 0 when empty.
    pub fn mean(&self) -> f64 {
        self.inner.as_ref().map_or(0.0, |h| h.mean())
    }

    /// The recorded buckets, ascending: (highest value of the bucket in nanoseconds, count).
    pub fn buckets(&self) -> Vec<(u64, u64)> {
        self.inner
            .as_ref()
            .map_or_else(Vec::new, |h| h.iter_recorded().map(|v| (v.value_iterated_to(), v.count_at_value())).collect())
    }

    /// HDR V2 bytes (not deflated): what other HDR implementations read. Empty for an empty histogram.
    pub fn to_v2(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Some(histogram) = &self.inner {
            V2Serializer::new().serialize(histogram.as_ref(), &mut bytes).expect("writing to memory cannot fail");
        }
        bytes
    }

    /// Reads what [`Self::to_v2`] wrote. The bytes may be hostile: the header is checked before the counts are read.
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
        if word(12) != u32::from(SIGNIFICANT_DIGITS) || long(16) != LOWEST_NS || long(24) != HIGHEST_NS {
            return Err(HistogramError::Foreign("other bounds"));
        }
        let inner = Deserializer::new().deserialize(&mut Cursor::new(bytes)).map_err(|_| HistogramError::Counts)?;
        Ok(Self { inner: Some(Box::new(inner)) })
    }
}

impl PartialEq for LatencyHistogram {
    fn eq(&self, other: &Self) -> bool {
        match (&self.inner, &other.inner) {
            (Some(a), Some(b)) => a == b,
            (None, None) => true,
            (Some(one), None) | (None, Some(one)) => one.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_its_own_bytes() {
        let mut histogram = LatencyHistogram::default();
        for i in 1..10_000_u64 {
            histogram.record(i * 12_345);
        }
        let back = LatencyHistogram::from_v2(&histogram.to_v2()).unwrap();
        assert_eq!(back, histogram);
        assert_eq!(back.count(), 9_999);
    }

    #[test]
    fn refuses_a_lying_length_before_allocating() {
        let mut histogram = LatencyHistogram::default();
        histogram.record(5_000_000);
        let mut bytes = histogram.to_v2();
        bytes[4..8].copy_from_slice(&0xEB00_0000_u32.to_be_bytes());
        assert!(matches!(LatencyHistogram::from_v2(&bytes), Err(HistogramError::Length { .. })));
    }

    #[test]
    fn an_empty_one_equals_a_fresh_one_and_has_no_bytes() {
        assert_eq!(LatencyHistogram::from_v2(&[]).unwrap(), LatencyHistogram::default());
        assert!(LatencyHistogram::default().to_v2().is_empty());
    }
}
