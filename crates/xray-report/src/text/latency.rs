//! Percentiles of each arm.

use super::page::Page;
use super::span::Span;
use super::table::{Column, Table};
use crate::model::{Latency, Report};
use crate::view::numbers::{count, ms_or_dash};

pub(crate) fn draw(page: &mut Page, report: &Report) {
    page.heading("Response time (ms)");
    let mut table = Table::new(vec![
        Column::word("Arm", 0),
        Column::number("Requests", 1),
        Column::number("min", 6),
        Column::number("mean", 5),
        Column::number("p50", 0),
        Column::number("p75", 8),
        Column::number("p90", 7),
        Column::number("p95", 0),
        Column::number("p99", 4),
        Column::number("p99.9", 3),
        Column::number("max", 2),
    ]);
    let arms = &report.latency;
    for (name, arm) in [("traced", &arms.traced), ("control", &arms.control), ("all", &arms.all)] {
        let values = percentiles(arm).map(|ns| Span::plain(ms_or_dash(ns)));
        table.row([Span::plain(name), Span::plain(count(arm.count))].into_iter().chain(values).collect(), vec![]);
    }
    table.draw(page);
    if arms.all.count > 0 && [&arms.all, &arms.traced, &arms.control].iter().any(|arm| arm.p99_ns.is_none()) {
        page.remark("-: too few requests for this percentile.");
    }
}

fn percentiles(arm: &Latency) -> [Option<u64>; 9] {
    [arm.min_ns, arm.mean_ns, arm.p50_ns, arm.p75_ns, arm.p90_ns, arm.p95_ns, arm.p99_ns, arm.p999_ns, arm.max_ns]
}
