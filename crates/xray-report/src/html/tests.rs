//! The page: its content, and what no file may make it do.

use super::page;
use crate::model::{Report, TraceReport, TreeReport};
use crate::view::fixture;
use proptest::prelude::*;
use std::sync::LazyLock;

fn whole() -> String {
    page(&fixture::report(), &fixture::samples(), &fixture::calls(), &[fixture::trace()])
}

/// Every tag of a page, attributes included.
fn tags(page: &str) -> Vec<&str> {
    page.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or(rest)).collect()
}

#[test]
fn tells_what_the_terminal_tells() {
    let page = whole();
    for text in [
        "90 of 120 matching requests",
        "A debugger was attached.",
        "N+1: blog_tag - SELECT",
        "75.04",
        "remainder (1,204 components)",
        "django.db.utils.OperationalError",
        "50 fast calls",
        "SELECT * FROM blog_post WHERE tag_id = ?",
        "⋮ 4 library frames",
        "+31.0 %",
        "42 calls are counted by function",
        "k3j9x0a1b2c3",
        "ブログの詳細ページを表示する",
    ] {
        assert!(page.contains(text), "{text}");
    }
    insta::assert_snapshot!("page", page);
}

#[test]
fn nothing_is_loaded_and_nothing_runs() {
    let page = whole();
    assert!(page.contains("default-src 'none'"));
    for tag in tags(&page) {
        let word = tag.split_whitespace().next().unwrap_or_default();
        assert!(!["script", "img", "link", "iframe", "object", "embed", "form", "a", "base"].contains(&word), "{tag}");
        assert!(!tag.contains("src=") || word == "meta", "{tag}");
    }
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("url("));
}

/// The fixture with a hostile text wherever a file has one.
fn hostile(text: &str) -> (Report, TreeReport, TreeReport, TraceReport) {
    let (mut report, mut samples, mut calls) = (fixture::report(), fixture::samples(), fixture::calls());
    let mut trace = fixture::trace();
    let text = || text.to_owned();
    report.xray_version = text();
    report.verdict.text = text();
    report.verdict.findings[0].text = text();
    let session = &mut report.session;
    (session.id, session.app, session.target.given, session.target.canonical) = (text(), text(), text(), text());
    (session.started_at, session.ended_at) = (text(), text());
    for process in &mut session.processes {
        (process.host, process.python, process.framework) = (text(), text(), Some(text()));
        (process.joined_at, process.left_at) = (text(), text());
        (process.tracer.mechanism, process.tracer.reason, process.tracer.clock) = (text(), text(), text());
        (process.sampler.mechanism, process.sampler.reason) = (text(), text());
    }
    for component in &mut report.components {
        (component.name, component.file, component.detail) = (text(), Some(text()), Some(text()));
    }
    report.tracing_cost.reason = Some(text());
    for summary in report.traces.iter_mut().chain([&mut trace.trace.summary]) {
        (summary.id, summary.process, summary.thread) = (text(), text(), text());
        (summary.started_at, summary.error) = (text(), Some(text()));
        summary.complete = false;
        summary.attributes.insert(text(), text());
        summary.attributes.insert("incomplete".into(), text());
    }
    for node in &mut trace.trace.nodes {
        (node.name, node.file, node.detail) = (text(), Some(text()), Some(text()));
    }
    for node in samples.nodes.iter_mut().chain(&mut calls.nodes) {
        (node.name, node.file) = (text(), Some(text()));
    }
    for decision in &mut report.decisions {
        (decision.what, decision.because) = (text(), text());
    }
    report.notes.iter_mut().for_each(|note| note.message = text());
    (report, samples, calls, trace)
}

fn hostile_page(text: &str) -> String {
    let (report, samples, calls, trace) = hostile(text);
    page(&report, &samples, &calls, &[trace])
}

/// The tags of a page with no hostile text.
static HARMLESS: LazyLock<Vec<String>> = LazyLock::new(|| tag_names(&hostile_page("harmless")));

#[test]
fn hostile_names_stay_text() {
    for text in [
        "</script><img src=x onerror=alert(1)>",
        "</style><script>alert(1)</script>",
        "</title><svg onload=alert(1)>",
        "\"><iframe srcdoc='<script>alert(1)</script>'>",
        "' onmouseover='alert(1)",
        "{{ 7 * 7 }}{% include 'x' %}",
        "]]>-->\u{0}\u{202e}",
    ] {
        let page = hostile_page(text);
        assert_eq!(tag_names(&page), HARMLESS.as_slice(), "{text}");
        assert!(!page.contains(text), "{text} is on the page as it is");
        assert!(!page.contains(">49"), "the template read a name as its own");
    }
}

/// What the tags are, without their attributes.
fn tag_names(page: &str) -> Vec<String> {
    tags(page).into_iter().map(|tag| tag.split_whitespace().next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_full_session_stays_small() {
    let long_name = "package.module.Class.method_with_a_long_name".repeat(4);
    let (mut report, mut samples, calls, mut trace) = hostile(&long_name);
    report.components = report.components.iter().cycle().take(400).cloned().collect();
    report.traces = report.traces.iter().cycle().take(1_000).cloned().collect();
    report.notes = report.notes.iter().cycle().take(1_000).cloned().collect();
    let statement = "SELECT a FROM b WHERE c = ? AND d IN (?) ".repeat(50);
    trace.trace.nodes = (0..2_000).map(|at| fixture::node((at - 1).min(20), &long_name, 1)).collect();
    trace.trace.nodes.iter_mut().for_each(|node| node.detail = Some(statement.clone()));
    trace.trace.timeline = (0..2_000).map(|at| fixture::entry(at, at, 200_000_000 - at * 2, 1)).collect();
    let frame = |at: i64| fixture::stack_node((at - 1).min(40), &format!("{long_name}{at}"), "x.py", 1, 1_000, 500);
    samples.nodes = (0..20_000).map(frame).collect();
    samples.nodes.iter_mut().for_each(|node| node.thread_kind = Some("target"));
    let traces: Vec<TraceReport> = std::iter::repeat_n(trace, super::FULL_TRACES + 2).collect();
    let page = page(&report, &samples, &calls, &traces);
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    assert_eq!(page.matches("<details").count(), super::FULL_TRACES);
}

#[test]
fn an_empty_session_has_a_page_too() {
    let mut empty = fixture::report();
    empty.latency = fixture::latencies(&[], &[]);
    empty.components.clear();
    empty.traces.clear();
    empty.series.clear();
    empty.session.processes.clear();
    empty.decisions.clear();
    empty.loss.clear();
    let none = |source| TreeReport { schema: "xray.tree/1", source, nodes: Vec::new() };
    let page = page(&empty, &none("samples"), &none("calls"), &[]);
    assert!(page.contains("No request was traced.") && page.contains("No trace was kept."));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_text_keeps_the_page_in_shape(text in any::<String>()) {
        prop_assume!(!text.trim().is_empty());
        let page = hostile_page(&text);
        prop_assert_eq!(tag_names(&page), HARMLESS.as_slice());
    }
}
