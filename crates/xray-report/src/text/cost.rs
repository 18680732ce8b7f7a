//! What tracing cost, and what the budget did about it.

use super::page::Page;
use super::span::Span;
use crate::model::Report;
use crate::view::numbers::{count, decimal, duration};
use crate::view::words;

/// Decisions shown unless everything is asked for.
const MOST: usize = 5;

pub(crate) fn draw(page: &mut Page, report: &Report) {
    page.heading("What tracing cost");
    let theme = page.theme();
    for line in words::tracing_cost(&report.tracing_cost, report.session.limits.max_overhead) {
        page.sentence("", &Span::sentence(line, theme.segment));
    }
    let most = if page.full() { usize::MAX } else { MOST };
    for d in report.decisions.iter().take(most) {
        let change = format!("{} {} -> {}", d.what.replace('_', " "), decimal(d.from), decimal(d.to));
        let text = format!("{change}: {}", d.because);
        page.sentence(&format!("  after {}: ", duration(d.at_ns)), &Span::sentence(text, theme.faint));
    }
    if report.decisions.len() > most {
        page.remark(format!("  … {} more changes (--full).", count((report.decisions.len() - most) as u64)));
    }
}
