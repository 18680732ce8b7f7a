//! Tables that fit: columns that matter least give way first, then long names are cut. One row is one line; text that
//! needs more room (a statement, a place) goes on a line of its own below the row.

use super::page::Page;
use super::span::Span;
use anstyle::Style;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table as Grid, presets};

/// Empty columns between two columns.
const GAP: usize = 2;
/// A flexible column is not made narrower than this; another column goes first.
const NARROWEST_NAME: usize = 14;

/// One column.
pub(crate) struct Column {
    title: &'static str,
    right: bool,
    flexible: bool,
    cut_start: bool,
    /// Columns with the highest number are left out first; 0 never.
    rank: u8,
}

impl Column {
    /// Numbers: aligned to the right, never cut.
    pub(crate) fn number(title: &'static str, rank: u8) -> Self {
        Self { title, right: true, flexible: false, cut_start: false, rank }
    }

    /// Short words: never cut.
    pub(crate) fn word(title: &'static str, rank: u8) -> Self {
        Self { right: false, ..Self::number(title, rank) }
    }

    /// Names: cut at their end when there is no room.
    pub(crate) fn name(title: &'static str, rank: u8) -> Self {
        Self { flexible: true, ..Self::word(title, rank) }
    }

    /// Places: cut at their beginning when there is no room.
    pub(crate) fn place(title: &'static str, rank: u8) -> Self {
        Self { cut_start: true, ..Self::name(title, rank) }
    }
}

struct Row {
    cells: Vec<Span>,
    below: Vec<Span>,
}

/// A table being filled.
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Row>,
    /// Column under which the lines below a row begin.
    anchor: usize,
}

impl Table {
    pub(crate) fn new(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new(), anchor: 0 }
    }

    /// Lines below a row begin under this column.
    pub(crate) fn anchored(mut self, column: usize) -> Self {
        self.anchor = column;
        self
    }

    /// One row, with lines below it (each cut to the width).
    pub(crate) fn row(&mut self, cells: Vec<Span>, below: Vec<Span>) {
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(Row { cells, below });
    }

    /// Draws the table into the page.
    pub(crate) fn draw(self, page: &mut Page) {
        let widths = self.fit(page.width());
        let shown: Vec<usize> = (0..self.columns.len()).filter(|c| widths[*c].is_some()).collect();
        let width_of = |c: usize| widths[c].unwrap_or(0);

        let mut grid = Grid::new();
        grid.load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(page.width() as u16);
        let heading = page.theme().faint;
        let header: Vec<Span> =
            shown.iter().map(|c| Span::new(self.columns[*c].title, heading).cut(width_of(*c))).collect();
        let mut styles: Vec<Vec<Style>> = vec![header.iter().map(Span::style).collect()];
        grid.add_row(header.iter().map(|span| Cell::new(span.text())));
        for row in &self.rows {
            let cells: Vec<Span> = shown.iter().map(|c| self.cell(row, *c, width_of(*c))).collect();
            styles.push(cells.iter().map(Span::style).collect());
            grid.add_row(cells.iter().map(|span| Cell::new(span.text())));
        }
        for (at, c) in shown.iter().enumerate() {
            if let Some(column) = grid.column_mut(at) {
                let right = self.columns[*c].right;
                column.set_cell_alignment(if right { CellAlignment::Right } else { CellAlignment::Left });
                column.set_padding((0, if at + 1 == shown.len() { 0 } else { GAP as u16 }));
                column.set_constraint(comfy_table::ColumnConstraint::Absolute(comfy_table::Width::Fixed(
                    (width_of(*c) + if at + 1 == shown.len() { 0 } else { GAP }) as u16,
                )));
            }
        }
        let offset: usize = shown.iter().take_while(|c| **c != self.anchor).map(|c| width_of(*c) + GAP).sum();
        for (at, line) in grid.lines().enumerate() {
            let mut spans = Vec::with_capacity(shown.len());
            let mut rest = line.as_str();
            for (place, c) in shown.iter().enumerate() {
                let (cell, after) = split_columns(rest, width_of(*c) + GAP);
                spans.push(Span::new(cell, styles[at][place]));
                rest = after;
            }
            page.line(&spans);
            for below in at.checked_sub(1).map_or(&[][..], |row| &self.rows[row].below) {
                page.line(&[Span::plain(" ".repeat(offset)), below.clone()]);
            }
        }
    }

    fn cell(&self, row: &Row, column: usize, width: usize) -> Span {
        let span = row.cells[column].clone();
        if self.columns[column].cut_start { span.cut_start(width) } else { span.cut(width) }
    }

    /// The width of each column; `None` for one that is left out.
    fn fit(&self, room: usize) -> Vec<Option<usize>> {
        let natural = |c: usize| {
            let cells = self.rows.iter().map(|row| row.cells[c].width());
            cells.chain([self.columns[c].title.len()]).max().unwrap_or(0)
        };
        let mut widths: Vec<Option<usize>> = (0..self.columns.len()).map(|c| Some(natural(c))).collect();
        let least = |widths: &[Option<usize>]| -> usize {
            let used = widths.iter().zip(&self.columns).filter_map(|(width, column)| {
                width.map(|w| GAP + if column.flexible { w.min(NARROWEST_NAME) } else { w })
            });
            used.sum::<usize>().saturating_sub(GAP)
        };
        while least(&widths) > room {
            let last = (0..self.columns.len())
                .filter(|c| widths[*c].is_some() && self.columns[*c].rank > 0)
                .max_by_key(|c| self.columns[*c].rank);
            let Some(last) = last else { break };
            widths[last] = None;
        }
        let total =
            |widths: &[Option<usize>]| widths.iter().flatten().map(|w| w + GAP).sum::<usize>().saturating_sub(GAP);
        // Places give way before names; of several the widest, one column at a time, so that short ones stay whole.
        let mut give_way = |places: bool, least: usize| {
            while total(&widths) > room {
                let widest = (0..self.columns.len())
                    .filter(|c| self.columns[*c].flexible && (self.columns[*c].cut_start || !places))
                    .filter(|c| widths[*c].is_some_and(|w| w > least))
                    .max_by_key(|c| widths[*c]);
                let Some(widest) = widest else { break };
                widths[widest] = widths[widest].map(|w| w - 1);
            }
        };
        give_way(true, NARROWEST_NAME);
        give_way(false, 1);
        widths
    }
}

/// The first `width` columns of a line, and the rest.
fn split_columns(line: &str, width: usize) -> (&str, &str) {
    use unicode_width::UnicodeWidthStr;
    let mut end = line.len();
    for (at, c) in line.char_indices() {
        if line[..at + c.len_utf8()].width() > width {
            end = at;
            break;
        }
    }
    line.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Options;

    fn sample() -> Table {
        let columns = vec![Column::number("ms", 0), Column::name("Name", 0), Column::word("Kind", 2)];
        let mut table = Table::new(columns).anchored(1);
        for (ms, name) in [("1.00", "straight"), ("12.50", "タグの詳細ページを表示する関数の名前です")]
        {
            table.row(vec![ms, name, "function"].into_iter().map(Span::plain).collect(), vec![Span::plain("below")]);
        }
        table
    }

    fn drawn(width: usize) -> String {
        let mut page = Page::new(&Options::plain(width));
        sample().draw(&mut page);
        page.finish()
    }

    #[test]
    fn wide_names_align() {
        insta::assert_snapshot!(drawn(80), @"
           ms  Name                                      Kind
         1.00  straight                                  function
               below
        12.50  タグの詳細ページを表示する関数の名前です  function
               below
        ");
    }

    #[test]
    fn narrow_pages_cut_names() {
        insta::assert_snapshot!(drawn(40), @"
           ms  Name                     Kind
         1.00  straight                 function
               below
        12.50  タグの詳細ページを表示…  function
               below
        ");
    }
}
