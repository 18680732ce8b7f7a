//! HTTP methods in front of a name: `GET /tags/<tag>/`, `GET,POST /x`.

/// The registered methods in use; anything else is [`OTHER`], so that clients cannot invent names.
const KNOWN: [&str; 20] = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "QUERY",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "REPORT",
    "SEARCH",
    "PURGE",
];
/// What OpenTelemetry calls an unknown method.
const OTHER: &str = "_OTHER";

fn known(method: &str) -> Option<&'static str> {
    KNOWN.into_iter().find(|k| k.eq_ignore_ascii_case(method))
}

/// The method of a request, in upper case.
pub(super) fn normalize(method: &str) -> &'static str {
    known(method).unwrap_or(OTHER)
}

/// Splits methods from the name behind them; both sorted and in upper case. No methods when there are none.
pub(super) fn split(text: &str) -> (Vec<&'static str>, &str) {
    let Some((front, rest)) = text.split_once(char::is_whitespace) else { return (Vec::new(), text) };
    match front.split(',').map(known).collect::<Option<Vec<_>>>() {
        Some(mut methods) if !rest.trim().is_empty() => {
            methods.sort_unstable();
            methods.dedup();
            (methods, rest.trim())
        }
        _ => (Vec::new(), text),
    }
}

/// The opposite of [`split`].
pub(super) fn join(methods: &[&str], rest: &str) -> String {
    if methods.is_empty() { rest.to_owned() } else { format!("{} {rest}", methods.join(",")) }
}
