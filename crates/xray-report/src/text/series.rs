//! Throughput and response time over the session.

use super::page::Page;
use super::span::Span;
use crate::model::Report;
use crate::view::numbers::{counted, decimal, ms};
use crate::view::seconds::{Column, Columns};

/// Columns for the names of the lines.
const LABEL: usize = 11;
/// Columns for the highest value at the end of a line.
const PEAK: usize = 16;

pub(crate) fn draw(page: &mut Page, report: &Report) {
    let room = page.width().saturating_sub(LABEL + PEAK).min(120);
    let Some(time) = Columns::of(&report.series, report.session.duration_ns, room) else { return };
    page.heading("Over time");
    let stretch = (room / time.columns.len()).clamp(1, 6);
    let theme = page.theme();
    let rate = |of: fn(&Column) -> f64| -> Vec<Option<f64>> { time.columns.iter().map(|c| Some(of(c))).collect() };
    let times = |of: fn(&Column) -> Option<u64>| -> Vec<Option<f64>> {
        time.columns.iter().map(|c| of(c).map(|ns| ns as f64)).collect()
    };
    let lines = [
        ("matching/s", rate(|c| c.matched_per_s), false),
        ("other/s", rate(|c| c.other_per_s), false),
        ("p50 ms", times(|c| c.p50_ns), true),
        ("p95 ms", times(|c| c.p95_ns), true),
    ];
    for (label, values, is_time) in lines {
        let peak = values.iter().flatten().copied().fold(0.0, f64::max);
        if peak <= 0.0 {
            continue;
        }
        let peak_text = if is_time { ms(peak as u64) } else { decimal(peak) };
        page.line(&[
            Span::plain(format!("{label:<LABEL$}")),
            Span::new(sparkline(&values, peak, stretch), if is_time { theme.other_bar } else { theme.bar }),
            Span::new(format!("  peak {peak_text}"), theme.faint),
        ]);
    }
    let width = time.columns.len() * stretch;
    let end = format!("{} s", time.seconds);
    let axis = format!("{:LABEL$}0 s{end:>rest$}", "", rest = width.saturating_sub(3).max(end.len() + 1));
    page.line(&[Span::new(axis, theme.faint)]);
    if time.seconds_each > 1 {
        page.remark(format!(
            "One column is {}; response times are the highest of its seconds.",
            counted(time.seconds_each, "second", "seconds")
        ));
    }
}

/// Block characters from zero to the peak; a space where there is no value or nothing happened.
fn sparkline(values: &[Option<f64>], peak: f64, stretch: usize) -> String {
    const LEVELS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
    values
        .iter()
        .map(|value| match value {
            Some(v) if *v > 0.0 => LEVELS[((v / peak * 8.0).ceil() as usize).clamp(1, 8) - 1],
            _ => " ",
        })
        .map(|block| block.repeat(stretch))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::sparkline;

    #[test]
    fn levels_go_from_zero_to_the_peak() {
        assert_eq!(sparkline(&[Some(1.0), Some(8.0), None, Some(0.0), Some(0.001)], 8.0, 1), "▁█  ▁");
        assert_eq!(sparkline(&[Some(4.0), Some(8.0)], 8.0, 3), "▄▄▄███");
    }
}
