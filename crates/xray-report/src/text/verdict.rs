//! The first lines: the answer, what may mislead about it, what stands out.

use super::page::Page;
use super::span::Span;
use crate::model::Report;
use crate::view::numbers::percent;
use crate::view::words;

pub(crate) fn draw(page: &mut Page, report: &Report) {
    let theme = page.theme();
    page.sentence("", &Span::sentence(&report.verdict.text, theme.strong));
    for alert in words::alerts(report) {
        page.sentence("! ", &Span::sentence(alert, theme.warning));
    }
    for (at, finding) in report.verdict.findings.iter().enumerate() {
        let text = format!("{} ({} % of the traced time)", finding.text.trim_end_matches('.'), percent(finding.share));
        page.sentence(&format!("{}. ", at + 1), &Span::sentence(text, theme.problem));
    }
    page.remark(words::requests(report));
}
