//! The transactions of this application: what its router and its task queue know, and what was seen.

use super::names::{self, Seen};
use super::state::{self, STATE};
use crate::gate;
use xray_core::control::protocol::TransactionSummary;
use xray_core::limits::TRANSACTION_NAMES;
use xray_core::model::{Target, TransactionKind};
use xray_core::target::{self, KnownTransaction, TargetError, TransactionName};

/// Methods, template, handler, url name.
type Route = (Option<Vec<String>>, String, Option<String>, Option<String>);

/// How a name that a user gave is understood here.
pub(crate) struct Resolved {
    /// The target.
    pub(crate) target: Target,
    /// Whether the application or the traffic knows it.
    pub(crate) known: bool,
    /// Nearest known names, best first.
    pub(crate) nearest: Vec<TransactionSummary>,
}

/// All known transactions with their rates, by name; those never seen have zeros.
pub(crate) fn summaries() -> Vec<TransactionSummary> {
    let mut all = names::summarize(seen(), state::now_ns());
    for (name, _) in routes().into_iter().chain(tasks()) {
        all.entry((name.display().to_owned(), name.kind())).or_insert_with(|| names::never_seen(&name));
    }
    all.into_values().collect()
}

/// Understands a name.
///
/// # Errors
/// When it cannot be one.
pub(crate) fn resolve(given: &str) -> Result<Resolved, TargetError> {
    let rated = names::summarize(seen(), state::now_ns());
    let rate = |name: &TransactionName| {
        rated.get(&(name.display().to_owned(), name.kind())).map_or(0.0, |summary| summary.per_minute)
    };
    let seen = seen().into_iter().map(|seen| (seen.name().clone(), Vec::new()));
    let known: Vec<_> = routes()
        .into_iter()
        .chain(tasks())
        .chain(seen)
        .map(|(name, methods)| KnownTransaction { per_minute: rate(&name), name, methods })
        .collect();
    let resolution = target::lookup(given, &known, resolve_path)?;
    let summary = |index: &usize| {
        let name = &known.get(*index)?.name;
        let key = (name.display().to_owned(), name.kind());
        Some(rated.get(&key).cloned().unwrap_or_else(|| names::never_seen(name)))
    };
    let mut nearest: Vec<_> = resolution.nearest.iter().filter_map(summary).collect();
    nearest.dedup_by(|a, b| a.name == b.name && a.kind == b.kind);
    Ok(Resolved { target: resolution.target, known: resolution.known, nearest })
}

fn seen() -> Vec<Seen> {
    gate::attached(|py| STATE.with(py, |state| state.names.snapshot())).flatten().unwrap_or_default()
}

/// The router's names with their methods. The application's own code runs; its failure means that there are none.
fn routes() -> Vec<(TransactionName, Vec<String>)> {
    let routes: Option<Vec<Route>> = gate::attached(|py| {
        let callable = STATE.with(py, |state| Some(state.config.as_ref()?.routes.clone_ref(py))).flatten()?;
        callable.call0(py).and_then(|routes| routes.extract(py)).ok()
    })
    .flatten();
    let name = |(methods, template, handler, url_name): Route| {
        let (handler, url_name) = (handler.as_deref(), url_name.as_deref());
        let name = TransactionName::routed(TransactionKind::Web, None, Some(&template), handler, url_name);
        (name, methods.unwrap_or_default())
    };
    routes.into_iter().flatten().take(TRANSACTION_NAMES).map(name).collect()
}

/// The tasks that a worker can be sent.
fn tasks() -> Vec<(TransactionName, Vec<String>)> {
    let tasks: Option<Vec<String>> = gate::attached(|py| {
        let callable = STATE.with(py, |state| Some(state.config.as_ref()?.tasks.clone_ref(py))).flatten()?;
        callable.call0(py).and_then(|tasks| tasks.extract(py)).ok()
    })
    .flatten();
    let name = |task: String| (TransactionName::plain(TransactionKind::Background, &task), Vec::new());
    tasks.into_iter().flatten().take(TRANSACTION_NAMES).map(name).collect()
}

fn resolve_path(path: &str) -> Option<String> {
    gate::attached(|py| {
        let callable = STATE.with(py, |state| Some(state.config.as_ref()?.resolve_path.clone_ref(py))).flatten()?;
        callable.call1(py, (path,)).and_then(|template| template.extract(py)).ok().flatten()
    })
    .flatten()
}
