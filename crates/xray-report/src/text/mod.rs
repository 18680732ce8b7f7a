//! The report in a terminal: pure functions from the report model to text.
//!
//! Output follows the width it is given and carries ANSI styles when asked to; the caller strips or never asks for
//! them when the output is piped. Names come from files that may be hostile: every piece of text passes
//! [`span::Span`], which makes it harmless.

mod components;
mod cost;
mod histogram;
mod latency;
mod lines;
mod loss;
mod page;
mod series;
mod session;
mod span;
mod table;
mod theme;
mod trace;
mod traces;
mod tree;
mod verdict;

pub use crate::view::stacks::Direction;
pub use theme::Theme;

use crate::model::{Report, TraceReport, TreeReport};
use page::Page;

/// Narrowest width that is drawn for; less is treated as this.
pub const NARROWEST: usize = 40;
/// Widest width that is used; more would only put numbers far from their names.
pub const WIDEST: usize = 200;

/// How to draw.
#[derive(Clone, Debug)]
pub struct Options {
    /// Columns of the terminal, brought into [`NARROWEST`]..=[`WIDEST`].
    pub width: usize,
    /// Colours, or none.
    pub theme: Theme,
    /// Everything: all components, traces, segments and branches instead of the largest.
    pub full: bool,
}

impl Options {
    /// Plain text of `width` columns, the largest of everything.
    pub fn plain(width: usize) -> Self {
        Self { width, theme: Theme::plain(), full: false }
    }
}

/// The report of a session: what stands out first, what it rests on after.
///
/// `samples` and `calls` are the session's trees (`--tree samples`, `--tree calls`).
pub fn report(report: &Report, samples: &TreeReport, calls: &TreeReport, options: &Options) -> String {
    let mut page = Page::new(options);
    verdict::draw(&mut page, report);
    latency::draw(&mut page, report);
    histogram::draw(&mut page, report);
    series::draw(&mut page, report);
    components::draw(&mut page, report);
    traces::draw(&mut page, report);
    tree::sections(&mut page, report, samples, calls);
    cost::draw(&mut page, report);
    loss::draw(&mut page, report);
    session::draw(&mut page, report);
    page.finish()
}

/// One trace as a table: duration, share, segments nested with folded fast calls, start.
pub fn trace(trace: &TraceReport, options: &Options) -> String {
    let mut page = Page::new(options);
    trace::draw(&mut page, &trace.trace);
    page.finish()
}

/// One tree of samples or calls.
pub fn tree(tree: &TreeReport, direction: Direction, options: &Options) -> String {
    let mut page = Page::new(options);
    tree::draw(&mut page, tree, direction);
    page.finish()
}

#[cfg(test)]
mod tests;
