//! What a user wrote after `--transaction`, read by its form alone.

use super::name::{NOT_FOUND, canonical_handler};
use super::template::{self, canonical_route};
use super::{Matcher, TargetError, method};
use crate::limits::NAME_BYTES;
use crate::model::{Target, TargetKind};

/// Reads a target by its form. [`super::lookup`] does better where the application's names are known: a word may be
/// a url name or a task.
///
/// # Errors
/// [`TargetError`] when it is empty, too long, or a regular expression that does not compile.
pub fn parse(given: &str) -> Result<Target, TargetError> {
    let text = given.trim();
    if text.is_empty() {
        return Err(TargetError::Empty);
    }
    if text.len() > NAME_BYTES {
        return Err(TargetError::TooLong);
    }
    let (kind, canonical) = match text.strip_prefix("re:") {
        Some(pattern) => (TargetKind::Regex, pattern.trim().to_owned()),
        None => {
            let (methods, rest) = method::split(text);
            let (kind, canonical) = classify(rest);
            // A request that was not found has one name, whatever its method.
            let methods = if canonical == NOT_FOUND { &[][..] } else { &methods };
            (kind, method::join(methods, &canonical))
        }
    };
    let target = Target { given: given.to_owned(), canonical, kind };
    Matcher::new(&target)?;
    Ok(target)
}

fn classify(text: &str) -> (TargetKind, String) {
    if matches!(text, NOT_FOUND | "404") {
        return (TargetKind::Plain, NOT_FOUND.to_owned());
    }
    if let Some(read) = new_relic(text) {
        return read;
    }
    if let Some(task) = celery(text) {
        return (TargetKind::Plain, task.to_owned());
    }
    let path = path_of(text);
    if is_route(path) {
        let is_glob = path.contains('*') && !template::is_regex(path);
        (if is_glob { TargetKind::Glob } else { TargetKind::Route }, route(path, is_glob))
    } else if text.contains('*') {
        (TargetKind::Glob, text.to_owned())
    } else if is_handler(text) {
        (TargetKind::Handler, canonical_handler(text))
    } else {
        (TargetKind::Plain, text.to_owned())
    }
}

/// A glob that begins with a star may begin anywhere.
fn route(path: &str, is_glob: bool) -> String {
    let canonical = canonical_route(path);
    match canonical.strip_prefix('/') {
        Some(rest) if is_glob && path.starts_with('*') => rest.to_owned(),
        _ => canonical,
    }
}

/// `WebTransaction/Function/blog.views:tag_detail`, `OtherTransaction/Celery/app.tasks.add`: type, group, name.
fn new_relic(text: &str) -> Option<(TargetKind, String)> {
    let rest = text.strip_prefix("WebTransaction/").or_else(|| text.strip_prefix("OtherTransaction/"))?;
    let (group, name) = rest.split_once('/')?;
    match (group, name) {
        (_, "") => None,
        ("Function", _) if !name.contains('*') => Some((TargetKind::Handler, canonical_handler(name))),
        ("Celery", _) if !name.contains('*') => Some((TargetKind::Plain, name.to_owned())),
        ("Uri" | "NormalizedUri", _) => Some(classify(&format!("/{}", name.trim_start_matches('/')))),
        _ => Some(classify(name)),
    }
}

/// `celery:app.tasks.add`, and OpenTelemetry's `run/app.tasks.add`.
fn celery(text: &str) -> Option<&str> {
    let task = text.strip_prefix("celery:").or_else(|| {
        let task = text.strip_prefix("run/").or_else(|| text.strip_prefix("apply_async/"))?;
        (is_dotted(task) && !task.ends_with('.')).then_some(task)
    })?;
    (!task.is_empty() && !task.contains('*')).then_some(task)
}

/// A path from what people copy out of a browser: without scheme, host, query and fragment.
pub(super) fn path_of(text: &str) -> &str {
    let after_scheme = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let path = after_scheme.map_or(text, |rest| rest.find('/').map_or("/", |at| &rest[at..]));
    if !path.starts_with('/') || template::is_regex(path) || template::has_parameters(path) {
        return path;
    }
    path.find(['?', '#']).map_or(path, |at| &path[..at])
}

fn is_route(text: &str) -> bool {
    if text.starts_with(['/', '^']) {
        return true;
    }
    let words = text.contains(char::is_whitespace);
    let python_only = text.contains("<lambda>") || text.contains("<locals>");
    !words && !python_only && (text.contains('/') || template::has_parameters(text))
}

/// `blog.views.tag_detail`, `blog.views:tag_detail`, `__main__:main`; but `blog:tag` is a url name.
fn is_handler(text: &str) -> bool {
    let name = text.replace("<lambda>", "lambda").replace("<locals>", "locals");
    match name.split_once(':') {
        Some((module, function)) => {
            is_dotted(function) && (module == "__main__" || is_dotted(module) && module.contains('.'))
        }
        None => name.contains('.') && is_dotted(&name),
    }
}

fn is_dotted(text: &str) -> bool {
    text.split('.').all(|word| {
        word.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && word.chars().all(|c| c.is_alphanumeric() || c == '_')
    })
}
