//! What was lost.

use super::page::Page;
use super::span::Span;
use crate::model::Report;
use crate::view::loss::losses;

pub(crate) fn draw(page: &mut Page, report: &Report) {
    page.heading("What was lost");
    let theme = page.theme();
    let lines = losses(&report.loss);
    if lines.is_empty() && !report.recovered {
        page.remark("Nothing.");
    }
    if report.recovered {
        page.sentence("! ", &Span::sentence("The file is damaged or cut: what came after is missing.", theme.warning));
    }
    for line in lines {
        let (lead, style) = if line.misleads { ("! ", theme.warning) } else { ("- ", theme.faint) };
        page.sentence(lead, &Span::sentence(format!("{}.", line.text), style));
    }
}
