//! The session: limits, processes, how each traced and sampled, notes.

use super::page::Page;
use super::span::Span;
use super::table::{Column, Table};
use crate::model::Report;
use crate::view::mechanisms::mechanisms;
use crate::view::numbers::count;
use crate::view::words::{self, clock_time};

/// Processes shown unless everything is asked for.
const MOST: usize = 8;

pub(crate) fn draw(page: &mut Page, report: &Report) {
    page.heading("Session");
    let theme = page.theme();
    for (label, text) in words::session(&report.session) {
        page.sentence(&format!("{label:<13}"), &Span::sentence(text, theme.segment));
    }
    processes(page, report);
    for text in mechanisms(&report.session.processes) {
        page.sentence("", &Span::sentence(text, theme.faint));
    }
    page.remark(format!("File format {}, report by xray {}.", report.format_version, report.xray_version));
    if !report.notes.is_empty() {
        page.heading("Notes");
        for note in &report.notes {
            let (lead, style) = if note.severity == "warning" { ("! ", theme.warning) } else { ("- ", theme.faint) };
            page.sentence(lead, &Span::sentence(&note.message, style));
        }
    }
}

fn processes(page: &mut Page, report: &Report) {
    let processes = &report.session.processes;
    if processes.is_empty() {
        page.remark("No process joined.");
        return;
    }
    let mut table = Table::new(vec![
        Column::number("Process", 0),
        Column::name("Host", 3),
        Column::word("Python", 1),
        Column::name("Framework", 2),
        Column::word("Joined", 4),
        Column::word("Left", 5),
        Column::word("End", 0),
    ]);
    let most = if page.full() { usize::MAX } else { MOST };
    for p in processes.iter().take(most) {
        let cells = [
            p.pid.to_string(),
            p.host.clone(),
            p.python.clone(),
            p.framework.clone().unwrap_or_else(|| "-".to_owned()),
            clock_time(&p.joined_at),
            clock_time(&p.left_at),
            p.end.to_owned(),
        ];
        table.row(cells.map(Span::plain).into(), vec![]);
    }
    table.draw(page);
    if processes.len() > most {
        page.remark(format!("… {} more (--full).", count((processes.len() - most) as u64)));
    }
}
