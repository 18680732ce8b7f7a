//! Lengths for the drawings: every number is a share of 100, the size of each drawing's own coordinates.

use crate::model::Latencies;
use crate::view::bins::Bins;
use crate::view::numbers::{count, decimal, duration, ms, share};
use crate::view::seconds::{Column, Columns};
use serde::Serialize;

/// Most lines of the histogram.
const LINES: usize = 24;

/// A share of 0 to 1 as a length of 100; something is never too small to see.
pub(super) fn part(share: f64) -> String {
    if share.is_finite() && share > 0.0 { format!("{:.1}", (share * 100.0).clamp(0.5, 100.0)) } else { "0".to_owned() }
}

/// Response times by arm.
#[derive(Serialize)]
pub(super) struct Histogram {
    rows: Vec<HistogramRow>,
    to: String,
}

#[derive(Serialize)]
struct HistogramRow {
    from: String,
    traced: String,
    traced_bar: String,
    control: String,
    control_bar: String,
}

impl Histogram {
    pub(super) fn of(latency: &Latencies) -> Option<Self> {
        let bins = Bins::of(latency, LINES)?;
        let peak = bins.peak_share();
        let (traced, control): (u64, u64) = (bins.traced.iter().sum(), bins.control.iter().sum());
        let rows = bins.from_ns.iter().zip(bins.traced.iter().zip(&bins.control)).map(|(from, (t, c))| HistogramRow {
            from: duration(*from),
            traced: count(*t),
            traced_bar: part(share(*t, traced) / peak),
            control: count(*c),
            control_bar: part(share(*c, control) / peak),
        });
        Some(Self { rows: rows.collect(), to: duration(bins.to_ns) })
    }
}

/// One chart over time.
#[derive(Serialize)]
pub(super) struct Line {
    label: &'static str,
    peak: String,
    columns: usize,
    bars: Vec<Bar>,
}

#[derive(Serialize)]
struct Bar {
    at: usize,
    top: String,
    height: String,
}

impl Line {
    pub(super) fn all(time: &Columns) -> Vec<Self> {
        let rate = |of: fn(&Column) -> f64| time.columns.iter().map(of).collect::<Vec<f64>>();
        let times = |of: fn(&Column) -> Option<u64>| -> Vec<f64> {
            time.columns.iter().map(|column| of(column).unwrap_or(0) as f64).collect()
        };
        [
            ("Matching requests a second", rate(|c| c.matched_per_s), false),
            ("Other requests a second", rate(|c| c.other_per_s), false),
            ("Median response time, ms", times(|c| c.p50_ns), true),
            ("95th percentile, ms", times(|c| c.p95_ns), true),
        ]
        .into_iter()
        .filter_map(|(label, values, is_time)| {
            let peak = values.iter().copied().fold(0.0, f64::max);
            let text = if is_time { ms(peak as u64) } else { decimal(peak) };
            (peak > 0.0).then(|| Self { label, peak: text, columns: values.len(), bars: bars(&values, peak) })
        })
        .collect()
    }
}

fn bars(values: &[f64], peak: f64) -> Vec<Bar> {
    let some = values.iter().enumerate().filter(|(_, value)| **value > 0.0);
    some.map(|(at, value)| {
        let height = (value / peak * 100.0).clamp(1.0, 100.0);
        Bar { at, top: format!("{:.1}", 100.0 - height), height: format!("{height:.1}") }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_stay_inside_their_drawing() {
        assert_eq!([0.0, 0.000_1, 0.612, 1.0, 9.0, f64::NAN].map(part), ["0", "0.5", "61.2", "100.0", "100.0", "0"]);
        let bars = bars(&[0.0, 5.0, 10.0], 10.0);
        assert_eq!(bars.len(), 2);
        assert_eq!((bars[0].at, bars[0].top.as_str(), bars[1].height.as_str()), (1, "50.0", "100.0"));
    }
}
