//! The kept traces.

use super::page::Page;
use super::span::Span;
use super::table::{Column, Table};
use crate::model::Report;
use crate::view::numbers::{count, ms};
use crate::view::words::clock_time;

/// Traces shown unless everything is asked for.
const MOST: usize = 10;

pub(crate) fn draw(page: &mut Page, report: &Report) {
    page.heading(&format!("Kept traces ({}), slowest first", count(report.traces.len() as u64)));
    if report.traces.is_empty() {
        page.remark("No trace was kept.");
        return;
    }
    let mut table = Table::new(vec![
        Column::word("Trace", 0),
        Column::number("ms", 0),
        Column::number("CPU ms", 3),
        Column::number("Status", 1),
        Column::word("Started", 2),
        Column::name("Worker", 4),
        Column::name("Thread", 6),
        Column::number("Calls", 5),
    ]);
    let theme = page.theme();
    let most = if page.full() { report.traces.len() } else { MOST };
    for trace in report.traces.iter().take(most) {
        let status = trace.status.map_or_else(|| "-".to_owned(), |s| s.to_string());
        table.row(
            vec![
                Span::new(&trace.id, theme.strong),
                Span::plain(ms(trace.duration_ns)),
                Span::plain(ms(trace.cpu_ns)),
                Span::plain(status),
                Span::plain(clock_time(&trace.started_at)),
                Span::plain(&trace.process),
                Span::plain(&trace.thread),
                Span::plain(count(trace.calls)),
            ],
            Some(trace.flags())
                .filter(|f| !f.is_empty())
                .map(|f| Span::new(format!("  {f}"), theme.warning))
                .into_iter()
                .collect(),
        );
    }
    table.draw(page);
    if report.traces.len() > most {
        page.remark(format!("… {} more (--full lists all).", count((report.traces.len() - most) as u64)));
    }
    page.remark("One of them in full: --trace ID.");
}
