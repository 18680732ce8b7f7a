//! A target, read with the application's names at hand.

use super::name::canonical_handler;
use super::parse::path_of;
use super::template::{canonical_route, has_parameters};
use super::{Matcher, TargetError, TransactionName, method, nearest, parse};
use crate::model::{Target, TargetKind};
use std::collections::BTreeSet;

/// A transaction that the application's router knows or that was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownTransaction {
    /// Its name.
    pub name: TransactionName,
    /// Methods that the router allows; empty when it does not say.
    pub methods: Vec<String>,
    /// How often it was seen in the last minute.
    pub per_minute: f64,
}

/// How a name that a user gave is understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolution {
    /// The target.
    pub target: Target,
    /// Whether a known transaction matches it.
    pub known: bool,
    /// For an unknown one, the nearest known names, best first, as indexes into the known ones; at most
    /// [`crate::limits::NEAREST_NAMES`].
    pub nearest: Vec<usize>,
}

/// Reads a target. A name that is known wins over what its form suggests; a concrete path goes through
/// `resolve_path`, which gives the application's route template for it.
///
/// # Errors
/// [`TargetError`] when it is empty, too long, or a regular expression that does not compile.
pub fn lookup(
    given: &str,
    known: &[KnownTransaction],
    resolve_path: impl Fn(&str) -> Option<String>,
) -> Result<Resolution, TargetError> {
    let parsed = parse(given)?;
    for target in readings(&parsed, known, resolve_path) {
        // A reading made from a name in the application may be too long; then it is not what the user wrote.
        let Ok(matcher) = Matcher::new(&target.0) else { continue };
        if target.1 == Certainty::Router || known.iter().any(|k| matcher.may_match(k)) {
            return Ok(Resolution { target: target.0, known: true, nearest: Vec::new() });
        }
    }
    let nearest = nearest::nearest(&parsed, known);
    Ok(Resolution { target: parsed, known: false, nearest })
}

/// Who says that a reading exists.
#[derive(PartialEq)]
enum Certainty {
    /// The application's router.
    Router,
    /// Some known transaction, if one matches.
    Names,
}

/// Everything that the text may mean, the likeliest first.
fn readings(
    parsed: &Target,
    known: &[KnownTransaction],
    resolve_path: impl Fn(&str) -> Option<String>,
) -> Vec<(Target, Certainty)> {
    let text = parsed.given.trim();
    let (methods, name) = method::split(&parsed.canonical);
    let (_, rest) = method::split(text);
    let read = |kind, canonical: &str| Target { given: parsed.given.clone(), canonical: canonical.to_owned(), kind };
    let with_methods = |kind, canonical: &str| read(kind, &method::join(&methods, canonical));

    let mut readings = Vec::new();
    if known.iter().any(|k| k.name.plain_name() == Some(text)) {
        readings.push((read(TargetKind::Plain, text), Certainty::Names));
    }
    match parsed.kind {
        TargetKind::Handler | TargetKind::Plain => {
            let is = |test: &dyn Fn(&TransactionName) -> bool| known.iter().any(|k| test(&k.name));
            let handler = canonical_handler(name);
            let by_handler = is(&|n| n.canonical_handler().is_some_and(|theirs| theirs == handler));
            let by_plain = is(&|n| n.plain_name().is_some_and(|plain| canonical_handler(plain) == handler));
            if is(&|n| n.url_name() == Some(rest)) && !by_handler {
                readings.push((with_methods(TargetKind::UrlName, rest), Certainty::Names));
            }
            if by_plain && !by_handler {
                readings.push((with_methods(TargetKind::Plain, name), Certainty::Names));
            }
            readings.push((with_methods(TargetKind::Handler, &handler), Certainty::Names));
            if let Some(full) = only_handler_ending_in(&handler, known) {
                readings.push((with_methods(TargetKind::Handler, &full), Certainty::Names));
            }
            readings.push((with_methods(TargetKind::Route, &canonical_route(name)), Certainty::Names));
        }
        TargetKind::Route => {
            readings.push((parsed.clone(), Certainty::Names));
            let path = path_of(rest);
            if !has_parameters(path) {
                let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
                let route = resolve_path(&path).or_else(|| resolve_path(&percent_decoded(&path)?));
                let target = route.map(|route| with_methods(TargetKind::Route, &canonical_route(&route)));
                readings.extend(target.map(|target| (target, Certainty::Router)));
            }
        }
        TargetKind::UrlName | TargetKind::Glob | TargetKind::Regex => readings.push((parsed.clone(), Certainty::Names)),
    }
    readings
}

/// `tag_detail` and `V.get` are enough where only one handler ends so.
fn only_handler_ending_in(end: &str, known: &[KnownTransaction]) -> Option<String> {
    let handlers = known.iter().filter_map(|k| k.name.canonical_handler());
    let ends = |text: &str, end: &str| text.strip_suffix(end).is_some_and(|front| front.ends_with('.'));
    let mut full: BTreeSet<String> = handlers.clone().filter(|h| ends(h, end)).map(str::to_owned).collect();
    if let Some((class, last)) = end.rsplit_once('.').filter(|(_, last)| method::normalize(last) != "_OTHER") {
        full.extend(handlers.filter(|h| ends(h, class) || *h == class).map(|h| format!("{h}.{last}")));
    }
    if full.len() == 1 { full.pop_first() } else { None }
}

/// The path as routers see it; `None` when nothing is encoded, or not text.
fn percent_decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let code = (byte == b'%').then(|| tail.get(..2)).flatten();
        let code = code.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(code.unwrap_or(byte));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).ok().filter(|decoded| decoded != path)
}
