//! Numbers as people read them. Never NaN: what cannot be said is a question mark.

/// `1234567` as `1,234,567`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `one thing`, `2 things`: the count with its noun. The plural is given, as English has no rule without exceptions.
pub(crate) fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// Milliseconds with two decimals, for columns: `1,234.57`; `<0.01` for what would look like nothing.
pub(crate) fn ms(ns: u64) -> String {
    // Half up in integers: floats would round 2.675 either way.
    let hundredths = (ns / 1_000 + 5) / 10;
    if ns > 0 && hundredths == 0 {
        return "<0.01".to_owned();
    }
    format!("{}.{:02}", count(hundredths / 100), hundredths % 100)
}

/// Like [`ms`]; a dash when not known.
pub(crate) fn ms_or_dash(ns: Option<u64>) -> String {
    ns.map_or_else(|| "-".to_owned(), ms)
}

/// A duration in a sentence: `850 ns`, `12.3 µs`, `4.56 ms`, `1.23 s`, `5 min 0 s`, `2 h 3 min`.
pub(crate) fn duration(ns: u64) -> String {
    let three = |value: f64, unit: &str| {
        let decimals = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
        format!("{value:.decimals$} {unit}")
    };
    let seconds = ns / 1_000_000_000;
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => three(ns as f64 / 1e3, "µs"),
        1_000_000..1_000_000_000 => three(ns as f64 / 1e6, "ms"),
        1_000_000_000..120_000_000_000 => three(ns as f64 / 1e9, "s"),
        120_000_000_000..7_200_000_000_000 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", count(seconds / 3_600), seconds % 3_600 / 60),
    }
}

/// A share of 0 to 1 as percent with one decimal and no unit, for columns: `61.2`, `<0.1`.
pub(crate) fn percent(share: f64) -> String {
    let value = share * 100.0;
    if !value.is_finite() {
        "?".to_owned()
    } else if value > 0.0 && value < 0.05 {
        "<0.1".to_owned()
    } else {
        format!("{value:.1}")
    }
}

/// A relative difference with its sign: `+12.3 %`.
pub(crate) fn signed_percent(difference: f64) -> String {
    let value = difference * 100.0;
    if value.is_finite() { format!("{value:+.1} %") } else { "? %".to_owned() }
}

/// A rate or mean with as many decimals as tell something: `0.25`, `12.3`, `1,234`.
pub(crate) fn decimal(value: f64) -> String {
    match value.abs() {
        v if !v.is_finite() => "?".to_owned(),
        v if v >= 99.95 => {
            let sign = if value < 0.0 { "-" } else { "" };
            format!("{sign}{}", count(v.round() as u64))
        }
        v if v >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// `part / whole`, 0 when the whole is nothing.
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well_at_every_size() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0, 1, 4_999, 5_000, 12_345_678].map(ms), ["0.00", "<0.01", "<0.01", "0.01", "12.35"]);
        assert_eq!(ms(1_234_567_890), "1,234.57");
        assert_eq!([0.0, 0.0004, 0.5, 1.0, f64::NAN].map(percent), ["0.0", "<0.1", "50.0", "100.0", "?"]);
        assert_eq!([0.25, 12.34, 1_234.4, -150.0].map(decimal), ["0.25", "12.3", "1,234", "-150"]);
        assert_eq!([0.123, -0.01].map(signed_percent), ["+12.3 %", "-1.0 %"]);
    }

    #[test]
    fn durations_take_the_unit_that_fits() {
        let cases = [
            (850, "850 ns"),
            (12_345, "12.3 µs"),
            (4_560_000, "4.56 ms"),
            (123_000_000, "123 ms"),
            (20_000_000_000, "20.0 s"),
            (300_000_000_000, "5 min 0 s"),
            (7_380_000_000_000, "2 h 3 min"),
        ];
        for (ns, text) in cases {
            assert_eq!(duration(ns), text);
        }
        duration(u64::MAX);
        ms(u64::MAX);
    }
}
