//! The lines of one trace, as the sampler saw them.

use super::page::Page;
use super::span::Span;
use super::table::{Column, Table};
use crate::model::TraceSamples;
use crate::view::numbers::{counted, duration, ms};
use crate::view::place::place;
use crate::view::states::main_state;

/// Lines shown unless everything is asked for.
const MOST: usize = 12;

pub(super) fn draw(page: &mut Page, samples: &TraceSamples) {
    if samples.count == 0 {
        return;
    }
    let theme = page.theme();
    let most = if page.full() { usize::MAX } else { MOST };
    let columns = vec![
        Column::number("Self (ms)", 0),
        Column::number("Total (ms)", 1),
        Column::word("Mostly", 2),
        Column::name("Function", 0),
        Column::place("Line", 0),
    ];
    let mut table = Table::new(columns).anchored(3);
    let shown = samples.lines.iter().filter(|line| line.self_count > 0 || page.full()).take(most);
    for line in shown {
        let state = if line.self_ns > 0 { main_state(&line.self_states_ns) } else { "" };
        table.row(
            vec![
                Span::plain(ms(line.self_ns)),
                Span::plain(ms(line.ns)),
                Span::new(state, theme.faint),
                Span::plain(&line.name),
                Span::new(place(line.file.as_deref(), line.line), theme.faint),
            ],
            Vec::new(),
        );
    }
    page.heading("Lines");
    table.draw(page);
    let dropped = match samples.dropped {
        0 => String::new(),
        dropped => format!("; {} did not fit", counted(dropped, "more", "more")),
    };
    page.remark(format!(
        "Sampled, not exact: {} of this request's threads, {} in all{dropped}.",
        counted(samples.count, "sample", "samples"),
        duration(samples.ns)
    ));
}
