//! The slowest components by their own time.

use super::histogram::bar;
use super::page::Page;
use super::span::Span;
use super::table::{Column, Table};
use crate::model::{Component, Report};
use crate::view::numbers::{count, counted, decimal, ms, percent};
use crate::view::place::place;

/// Components shown unless everything is asked for.
const MOST: usize = 15;
/// From this width the place has a column.
const PLACE_COLUMN: usize = 110;
/// From this width kind and calls have columns.
const ALL_COLUMNS: usize = 80;

pub(crate) fn draw(page: &mut Page, report: &Report) {
    page.heading("Slowest components (all traced requests, by own time)");
    if report.components.is_empty() {
        page.remark("No request was traced.");
        return;
    }
    let (with_place, all) = (page.width() >= PLACE_COLUMN, page.width() >= ALL_COLUMNS);
    let mut columns = vec![Column::name("Component", 0)];
    if all {
        columns.extend([Column::word("Kind", 0), Column::number("Calls", 0), Column::number("Calls/req", 0)]);
    }
    columns.extend([Column::number("Self ms", 0), Column::number("%", 0)]);
    if all {
        columns.push(Column::word("Share", 2));
    }
    if with_place {
        columns.push(Column::place("Where", 1));
    }
    let mut table = Table::new(columns);
    let theme = page.theme();
    let most = if page.full() { usize::MAX } else { MOST };
    let (shown, rest) = crate::view::rest::split(&report.components, most);
    for component in shown.iter().copied().chain(rest.as_ref()) {
        let here = place(component.file.as_deref(), component.line);
        let mut cells = vec![Span::new(name(component), theme.strong)];
        if all {
            cells.extend(
                [component.kind.to_owned(), count(component.calls), decimal(component.calls_per_request)]
                    .map(Span::plain),
            );
        }
        cells.extend([ms(component.self_ns), percent(component.share)].map(Span::plain));
        if all {
            cells.push(Span::new(bar(component.share, 10), theme.bar));
        }
        if with_place {
            cells.push(Span::new(&here, theme.faint));
        }
        let mut below = Vec::new();
        let remainder = component.kind == "remainder";
        let mut facts = Vec::new();
        if !all && !remainder {
            let calls = counted(component.calls, "call", "calls");
            facts.push(format!("{}, {calls}, {}/req", component.kind, decimal(component.calls_per_request)));
        }
        if !with_place && !here.is_empty() {
            facts.push(here);
        }
        if !facts.is_empty() {
            below.push(Span::new(format!("  {}", facts.join(", ")), theme.faint));
        }
        if let Some(detail) = &component.detail {
            below.push(Span::new(format!("  {}", Span::sentence(detail, theme.faint).text()), theme.faint));
        }
        table.row(cells, below);
    }
    table.draw(page);
}

fn name(component: &Component) -> String {
    match component.members {
        Some(members) => format!("remainder ({})", counted(members, "component", "components")),
        None => component.name.clone(),
    }
}
