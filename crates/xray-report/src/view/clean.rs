//! Text from a file made harmless for a screen. A file may be hostile: its names may hold terminal escapes, line
//! breaks, or marks that reverse or hide what follows them.

use std::borrow::Cow;
use unicode_width::UnicodeWidthChar;

/// Longest text drawn, in characters; longer ones end in an ellipsis.
pub(crate) const LONGEST: usize = 1_000;
/// Marks of no width in a row that are left as they are: real scripts need two, stacked ones cover other lines.
const ZERO_WIDTH_RUN: usize = 2;

/// `text` with every character that could act on the screen written out (`\n`, `\u{1b}`), and not longer than
/// [`LONGEST`] characters. Ordinary text is borrowed.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST && text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len().min(LONGEST * 4));
    let mut zero_width = 0;
    for (at, c) in text.chars().enumerate() {
        if at == LONGEST {
            out.push('…');
            break;
        }
        zero_width = if c.width() == Some(0) { zero_width + 1 } else { 0 };
        if acts(c) || zero_width > ZERO_WIDTH_RUN {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Like [`clean`], with every run of white space as one space: for SQL and sentences.
pub(crate) fn clean_line(text: &str) -> String {
    // Not more words than can be drawn: a statement may be megabytes long.
    let mut joined = String::new();
    for word in text.split_whitespace() {
        if !joined.is_empty() {
            joined.push(' ');
        }
        joined.push_str(word);
        if joined.len() > LONGEST * 4 {
            break;
        }
    }
    clean(&joined).into_owned()
}

/// Whether a character does something else than show: controls, line ends, invisible and direction marks,
/// selectors that change the width of the character before.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_are_written_out() {
        assert_eq!(clean("a\u{1b}[31mred\nb"), "a\\u{1b}[31mred\\nb");
        assert_eq!(clean("evil\u{202e}gnp.exe"), "evil\\u{202e}gnp.exe");
        assert_eq!(clean("csi\u{9b}2J"), "csi\\u{9b}2J");
    }

    #[test]
    fn names_of_real_languages_stay() {
        for name in ["straße", "模板.html", "приве́т", "ตัวอย่าง", "naïve_é"] {
            assert_eq!(clean(name), name);
        }
    }

    #[test]
    fn stacked_marks_are_broken_up_and_length_is_bounded() {
        let stacked = format!("a{}", "\u{301}".repeat(50));
        assert!(clean(&stacked).contains("\\u{301}"));
        assert_eq!(clean(&"x".repeat(5_000)).chars().count(), LONGEST + 1);
    }

    #[test]
    fn statements_become_one_line() {
        assert_eq!(clean_line("SELECT *\n\tFROM  t\r\n"), "SELECT * FROM t");
    }

    proptest! {
        #[test]
        fn nothing_that_acts_is_left(text in any::<String>()) {
            prop_assert!(!clean(&text).chars().any(acts));
            prop_assert!(!clean_line(&text).chars().any(acts));
        }
    }
}
