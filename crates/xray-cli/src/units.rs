//! Numbers and names for people.

/// A wall time: `850 µs`, `12.3 ms`, `4.56 s`; `-` for none.
pub(crate) fn duration(ns: u64) -> String {
    let (value, unit) = match ns {
        0 => return "-".to_owned(),
        1..1_000_000 => (ns as f64 / 1e3, "µs"),
        1_000_000..1_000_000_000 => (ns as f64 / 1e6, "ms"),
        _ => (ns as f64 / 1e9, "s"),
    };
    let digits = if value < 10.0 {
        2
    } else if value < 100.0 {
        1
    } else {
        0
    };
    format!("{value:.digits$} {unit}")
}

/// A clock: `0:07`, `12:30`, `1:00:00`.
pub(crate) fn clock(ns: u64) -> String {
    let seconds = ns / 1_000_000_000;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// A share: `4.2 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A rate per minute: `0.5`, `120`.
pub(crate) fn rate(per_minute: f64) -> String {
    if per_minute > 0.0 && per_minute < 10.0 { format!("{per_minute:.1}") } else { format!("{per_minute:.0}") }
}

/// `1 process`, `2 processes`: a count with its word.
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Text of the application or a file, harmless for a terminal and on one line: control characters, also those that
/// change the direction of text, become `?`.
pub(crate) fn one_line(text: &str) -> String {
    let harmless = |c: char| match c {
        c if c.is_control() => {
            if c.is_whitespace() {
                ' '
            } else {
                '?'
            }
        }
        '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '?',
        c => c,
    };
    text.chars().map(harmless).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        let durations = [0, 850_000, 9_876_543, 12_345_678, 123_456_789, 4_560_000_000].map(duration);
        assert_eq!(durations, ["-", "850 µs", "9.88 ms", "12.3 ms", "123 ms", "4.56 s"]);
        assert_eq!([7_000_000_000, 750_000_000_000, 3_600_000_000_000].map(clock), ["0:07", "12:30", "1:00:00"]);
        assert_eq!([0.0, 0.5, 9.94, 119.6].map(rate), ["0", "0.5", "9.9", "120"]);
    }

    #[test]
    fn names_cannot_drive_the_terminal() {
        assert_eq!(one_line("a\x1b[31mb\nc\u{202e}d"), "a?[31mb c?d");
    }
}
