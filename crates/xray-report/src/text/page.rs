//! The growing report: headings, sentences, lines of spans.

use super::span::Span;
use super::{NARROWEST, Options, Theme, WIDEST};

/// Lines of text, all within the width.
pub(crate) struct Page {
    out: String,
    width: usize,
    theme: Theme,
    full: bool,
}

impl Page {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            out: String::new(),
            width: options.width.clamp(NARROWEST, WIDEST),
            theme: options.theme.clone(),
            full: options.full,
        }
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn theme(&self) -> Theme {
        self.theme.clone()
    }

    /// Whether everything was asked for.
    pub(crate) fn full(&self) -> bool {
        self.full
    }

    /// An empty line and a heading.
    pub(crate) fn heading(&mut self, text: &str) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        let heading = Span::new(text, self.theme.heading).cut(self.width);
        self.line(&[heading]);
    }

    /// One line; what does not fit is cut.
    pub(crate) fn line(&mut self, spans: &[Span]) {
        let mut left = self.width;
        let mut line = String::new();
        for span in spans {
            let span = span.clone().cut(left);
            left -= span.width();
            span.push_styled(&mut line);
        }
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    /// A sentence over as many lines as it takes, each continued under its beginning.
    pub(crate) fn sentence(&mut self, lead: &str, text: &Span) {
        let lead = Span::new(lead, text.style());
        let indent = Span::plain(" ".repeat(lead.width()));
        for (at, part) in text.wrap(self.width - lead.width()).into_iter().enumerate() {
            self.line(&[if at == 0 { lead.clone() } else { indent.clone() }, part]);
        }
    }

    /// A line of explanation.
    pub(crate) fn remark(&mut self, text: impl AsRef<str>) {
        let span = Span::sentence(text, self.theme.faint);
        self.sentence("", &span);
    }

    pub(crate) fn finish(self) -> String {
        self.out
    }
}
