//! Text that is safe to print, with its style and width.

use crate::view::clean::{clean, clean_line};
use anstyle::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A piece of one line. The only way to make one cleans its text: nothing that acts on a terminal gets through.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    text: String,
    style: Style,
}

impl Span {
    pub(crate) fn new(text: impl AsRef<str>, style: Style) -> Self {
        Self { text: clean(text.as_ref()).into_owned(), style }
    }

    pub(crate) fn plain(text: impl AsRef<str>) -> Self {
        Self::new(text, Style::new())
    }

    /// For sentences and statements: line breaks and other white space become single spaces.
    pub(crate) fn sentence(text: impl AsRef<str>, style: Style) -> Self {
        Self { text: clean_line(text.as_ref()), style }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn width(&self) -> usize {
        self.text.width()
    }

    /// The same, not wider than `width`: the end gives way to an ellipsis.
    pub(crate) fn cut(mut self, width: usize) -> Self {
        if self.width() > width {
            let kept = fitting(self.text.chars(), width.saturating_sub(1)).0;
            self.text = if width == 0 { String::new() } else { format!("{}…", kept.trim_end()) };
        }
        self
    }

    /// The same, not wider than `width`: the beginning gives way, for paths.
    pub(crate) fn cut_start(mut self, width: usize) -> Self {
        if self.width() > width {
            let kept: String = fitting(self.text.chars().rev(), width.saturating_sub(1)).0.chars().rev().collect();
            self.text = if width == 0 { String::new() } else { format!("…{kept}") };
        }
        self
    }

    pub(crate) fn push_styled(&self, out: &mut String) {
        styled(out, &self.text, self.style);
    }

    pub(crate) fn style(&self) -> Style {
        self.style
    }

    /// The words broken into lines not wider than `width`; a longer word is broken too.
    pub(crate) fn wrap(&self, width: usize) -> Vec<Span> {
        let width = width.max(1);
        let mut lines: Vec<String> = vec![String::new()];
        for word in self.text.split_whitespace() {
            let mut rest = word;
            while !rest.is_empty() {
                let line = lines.last_mut().expect("there is always a line");
                let room = width.saturating_sub(if line.is_empty() { 0 } else { line.width() + 1 });
                if rest.width() <= room {
                    if !line.is_empty() {
                        line.push(' ');
                    }
                    line.push_str(rest);
                    break;
                }
                if line.is_empty() {
                    let (part, at) = fitting(rest.chars(), width);
                    // A character wider than the line stands alone on it.
                    let at = if at == 0 { rest.chars().next().map_or(rest.len(), char::len_utf8) } else { at };
                    line.push_str(if part.is_empty() { &rest[..at] } else { &part });
                    rest = &rest[at..];
                }
                lines.push(String::new());
            }
        }
        if lines.len() > 1 && lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines.into_iter().map(|text| Span { text, style: self.style }).collect()
    }
}

/// Characters until `width` columns are full, and how many bytes they take. Single characters are never narrower than
/// the same ones in a string, so the result never is too wide.
fn fitting(chars: impl Iterator<Item = char>, width: usize) -> (String, usize) {
    let mut used = 0;
    let mut kept = String::new();
    for c in chars {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        kept.push(c);
    }
    let bytes = kept.len();
    (kept, bytes)
}

/// Appends text in a style; white space at the ends stays outside, so that underlines and backgrounds do not run on.
pub(crate) fn styled(out: &mut String, text: &str, style: Style) {
    let body = text.trim();
    if style == Style::new() || body.is_empty() {
        out.push_str(text);
        return;
    }
    let start = text.len() - text.trim_start().len();
    out.push_str(&text[..start]);
    out.push_str(&format!("{style}{body}{style:#}"));
    out.push_str(&text[start + body.len()..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use anstyle::AnsiColor;
    use proptest::prelude::*;

    #[test]
    fn cuts_by_columns_not_characters() {
        assert_eq!(Span::plain("タグの詳細ページ").cut(7).text(), "タグの…");
        assert_eq!(Span::plain("blog/views.py:42").cut_start(9).text(), "…ws.py:42");
        assert_eq!(Span::plain("short").cut(5).text(), "short");
    }

    #[test]
    fn wraps_words_and_breaks_what_is_too_long() {
        let lines = |text, width| -> Vec<String> {
            Span::plain(text).wrap(width).into_iter().map(|s| s.text().to_owned()).collect()
        };
        assert_eq!(lines("one two three", 8), ["one two", "three"]);
        assert_eq!(lines("abcdefghij xy", 4), ["abcd", "efgh", "ij", "xy"]);
        assert_eq!(lines("", 4), [""]);
    }

    #[test]
    fn styles_are_closed_and_plain_ones_write_nothing() {
        let mut out = String::new();
        styled(&mut out, " a ", AnsiColor::Red.on_default());
        assert_eq!(out, " \u{1b}[31ma\u{1b}[0m ");
        out.clear();
        Span::plain("\u{1b}[2J").push_styled(&mut out);
        assert_eq!(out, "\\u{1b}[2J");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_asked(text in any::<String>(), width in 2_usize..80) {
            let span = Span::sentence(&text, Style::new());
            for line in span.wrap(width) {
                prop_assert!(line.width() <= width);
            }
            prop_assert!(span.clone().cut(width).width() <= width);
            prop_assert!(span.cut_start(width).width() <= width);
        }
    }
}
