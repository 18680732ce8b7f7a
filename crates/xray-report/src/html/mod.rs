//! The report as one page: no request leaves it, no script runs in it, and it opens from `file://`.
//!
//! What is shown is worked out here and in [`crate::view`]; the template only places it. It escapes everything by
//! itself, and every text from the file was made harmless before (see `view::clean`).

mod bars;
mod context;
mod sections;
mod trace;
mod tree;

use crate::model::{Report, TraceReport, TreeReport};
use minijinja::Environment;
use minijinja::value::Serde;

/// Traces drawn in full; the caller's first ones.
pub const FULL_TRACES: usize = 5;

const TEMPLATE: &str = include_str!("page.html");

/// The page of a session. `samples` and `calls` are its trees, `traces` the slowest kept traces in full, of which
/// [`FULL_TRACES`] are drawn. Bounded: a page of a full session stays below a megabyte.
pub fn page(report: &Report, samples: &TreeReport, calls: &TreeReport, traces: &[TraceReport]) -> String {
    let context = context::Page::of(report, samples, calls, traces);
    let mut environment = Environment::new();
    // Undefined names are an error: a misspelt one must not become an empty page.
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    environment
        .render_named_str("page.html", TEMPLATE, Serde(&context))
        .expect("the template is part of the program and tested, and its data holds only text and lists")
}

#[cfg(test)]
mod tests;
