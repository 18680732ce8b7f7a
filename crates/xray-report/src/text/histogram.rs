//! How many requests took how long, each arm beside the other.

use super::page::Page;
use super::span::Span;
use crate::model::Report;
use crate::view::bins::Bins;
use crate::view::numbers::{count, duration, share};

/// Most lines of the histogram.
const LINES: usize = 16;

pub(crate) fn draw(page: &mut Page, report: &Report) {
    let Some(bins) = Bins::of(&report.latency, LINES) else { return };
    page.heading("Requests by response time");
    let theme = page.theme();
    let labels: Vec<String> = bins.from_ns.iter().map(|ns| duration(*ns)).collect();
    let label_width = labels.iter().map(|l| Span::plain(l).width()).max().unwrap_or(0).max("from".len());
    let arms: Vec<_> = [("traced", &bins.traced, theme.bar), ("control", &bins.control, theme.other_bar)]
        .into_iter()
        .filter(|(_, counts, _)| counts.iter().any(|n| *n > 0))
        .collect();
    let count_width = arms.iter().flat_map(|(_, counts, _)| *counts).map(|n| count(*n).len()).max().unwrap_or(1);
    let room = page.width().saturating_sub(label_width + arms.len() * (count_width + 3));
    let bar_width = (room / arms.len().max(1)).clamp(1, 60);

    let mut header = vec![Span::new(format!("{:>label_width$}", "from"), theme.faint)];
    for (name, _, _) in &arms {
        let width = bar_width + count_width;
        header.push(Span::new(format!("  {name:<width$} "), theme.faint));
    }
    page.line(&header);
    let peak = bins.peak_share();
    for (at, label) in labels.iter().enumerate() {
        let pad = " ".repeat(label_width - Span::plain(label).width());
        let mut line = vec![Span::plain(format!("{pad}{label}"))];
        for (_, counts, style) in &arms {
            let sum: u64 = counts.iter().sum();
            let bar = bar(share(counts[at], sum) / peak, bar_width);
            let number = if counts[at] == 0 { String::new() } else { count(counts[at]) };
            line.push(Span::plain("  "));
            line.push(Span::new(format!("{bar:<bar_width$}"), *style));
            line.push(Span::plain(format!(" {number:>count_width$}")));
        }
        page.line(&line);
    }
    if arms.len() > 1 {
        page.remark("Bars are shares of each arm, so arms of different size compare.");
    }
}

/// A bar of block characters, `part` (0 to 1) of `width` columns; something is never nothing.
pub(crate) fn bar(part: f64, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if !part.is_finite() || part <= 0.0 {
        return String::new();
    }
    let eighths = ((part.min(1.0) * width as f64 * 8.0).round() as usize).max(1);
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn bars_are_in_proportion() {
        assert_eq!(bar(1.0, 4), "████");
        assert_eq!(bar(0.5, 3), "█▌");
        assert_eq!(bar(0.000_1, 10), "▏");
        assert_eq!([bar(0.0, 9), bar(f64::NAN, 9)], ["", ""]);
        assert_eq!(bar(7.0, 2), "██");
    }
}
