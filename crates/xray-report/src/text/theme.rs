//! The few styles of the report.

use anstyle::{AnsiColor, Style};

/// Styles by meaning. Never the only carrier of a meaning: the report reads the same without them.
#[derive(Clone, Debug)]
pub struct Theme {
    pub(crate) heading: Style,
    pub(crate) strong: Style,
    pub(crate) faint: Style,
    pub(crate) warning: Style,
    pub(crate) problem: Style,
    pub(crate) bar: Style,
    pub(crate) other_bar: Style,
    pub(crate) segment: Style,
}

impl Theme {
    /// No styles: no escape sequence is written.
    pub fn plain() -> Self {
        let none = Style::new();
        Self {
            heading: none,
            strong: none,
            faint: none,
            warning: none,
            problem: none,
            bar: none,
            other_bar: none,
            segment: none,
        }
    }

    /// The sixteen colours that every terminal maps to its own palette, so that dark and light ones both work.
    pub fn coloured() -> Self {
        let colour = |c: AnsiColor| Style::new().fg_color(Some(c.into()));
        Self {
            heading: Style::new().bold().underline(),
            strong: Style::new().bold(),
            faint: Style::new().dimmed(),
            warning: colour(AnsiColor::Yellow).bold(),
            problem: colour(AnsiColor::Red).bold(),
            bar: colour(AnsiColor::Cyan),
            other_bar: colour(AnsiColor::Magenta),
            segment: colour(AnsiColor::Green),
        }
    }
}
