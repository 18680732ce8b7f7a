//! Tables on standard output: as wide as the terminal, unbroken lines when piped.

use crate::console;
use crate::errors::CliError;
use crate::units::one_line;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// Alignment of a column.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Writes rows under a heading.
///
/// # Errors
/// [`CliError`] when the output cannot be written.
pub(crate) fn write(columns: &[(&str, Align)], rows: Vec<Vec<String>>) -> Result<(), CliError> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(columns.iter().map(|(name, _)| *name));
    match console::stdout_width() {
        Some(width) => {
            let width = u16::try_from(width).unwrap_or(u16::MAX);
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        None => drop(table.set_content_arrangement(ContentArrangement::Disabled)),
    }
    for row in rows {
        table.add_row(row.iter().map(|cell| one_line(cell)));
    }
    for (index, (_, align)) in columns.iter().enumerate() {
        if let Some(column) = table.column_mut(index) {
            column.set_padding((0, 2));
            if *align == Align::Right {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    let text: String = table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    console::write_stdout(text.as_bytes())
}
