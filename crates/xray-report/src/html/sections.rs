//! The plain sections: rows of text from the report.

use super::bars::part;
use super::context::{Table, name, sentence};
use crate::model::{Report, TreeReport};
use crate::view::loss;
use crate::view::numbers::{count, counted, decimal, duration, ms, ms_or_dash, percent, share};
use crate::view::place::place;
use crate::view::stacks::kind_totals;
use crate::view::waits::{WaitRow, for_gil, in_calls};
use crate::view::words::{clock_time, thread_kind};
use serde::Serialize;

/// Most rows of each table, so that the page stays small.
const FINDINGS: usize = 20;
const COMPONENTS: usize = 50;
const TRACES: usize = 100;
const PROCESSES: usize = 50;
const DECISIONS: usize = 30;
const SENTENCES: usize = 50;

/// One thing that stands out.
#[derive(Serialize)]
pub(super) struct Finding {
    text: String,
    percent: String,
}

/// One of the slowest components.
#[derive(Serialize)]
pub(super) struct Component {
    name: String,
    kind: &'static str,
    detail: Option<String>,
    place: String,
    calls: String,
    per_request: String,
    self_ms: String,
    percent: String,
    bar: String,
}

pub(super) fn sentences(all: Vec<String>) -> Vec<String> {
    all.iter().take(SENTENCES).map(|text| sentence(text)).collect()
}

pub(super) fn findings(report: &Report) -> Vec<Finding> {
    let findings = report.verdict.findings.iter().take(FINDINGS);
    findings.map(|f| Finding { text: sentence(&f.text), percent: percent(f.share) }).collect()
}

pub(super) fn latency(report: &Report) -> Table {
    let arms = &report.latency;
    let rows = [("traced", &arms.traced), ("control", &arms.control), ("all", &arms.all)].map(|(label, arm)| {
        let values = [
            arm.min_ns,
            arm.mean_ns,
            arm.p50_ns,
            arm.p75_ns,
            arm.p90_ns,
            arm.p95_ns,
            arm.p99_ns,
            arm.p999_ns,
            arm.max_ns,
        ];
        [label.to_owned(), count(arm.count)].into_iter().chain(values.map(ms_or_dash)).collect()
    });
    let head = vec!["Arm", "Requests", "min", "mean", "p50", "p75", "p90", "p95", "p99", "p99.9", "max"];
    Table { head, rows: rows.into(), more: None }
}

pub(super) fn components(report: &Report) -> Vec<Component> {
    let (shown, rest) = crate::view::rest::split(&report.components, COMPONENTS);
    let all = shown.into_iter().chain(rest.as_ref());
    all.map(|c| Component {
        name: c.members.map_or_else(
            || name(&c.name),
            |members| format!("remainder ({})", counted(members, "component", "components")),
        ),
        kind: c.kind,
        detail: c.detail.as_deref().map(sentence),
        place: name(&place(c.file.as_deref(), c.line)),
        calls: count(c.calls),
        per_request: decimal(c.calls_per_request),
        self_ms: ms(c.self_ns),
        percent: percent(c.share),
        bar: part(c.share),
    })
    .collect()
}

pub(super) fn traces(report: &Report) -> Table {
    let row = |t: &crate::model::TraceSummary| {
        vec![
            name(&t.id),
            ms(t.duration_ns),
            ms(t.cpu_ns),
            t.status.map_or_else(|| "-".to_owned(), |status| status.to_string()),
            name(&clock_time(&t.started_at)),
            name(&t.process),
            name(&t.thread),
            count(t.calls),
            name(&t.flags()),
        ]
    };
    Table {
        head: vec!["Trace", "ms", "CPU ms", "Status", "Started", "Worker", "Thread", "Calls", "Flags"],
        rows: report.traces.iter().take(TRACES).map(row).collect(),
        more: more(report.traces.len(), TRACES),
    }
}

pub(super) fn kinds(samples: &TreeReport) -> Table {
    let totals = kind_totals(samples);
    let whole = totals.iter().fold(0, |sum: u64, total| sum.saturating_add(total.weight_ns));
    let rows = totals.iter().map(|total| {
        let weight = total.weight_ns;
        let kind = thread_kind(total.kind).to_owned();
        let of_all = [count(total.count), duration(weight), percent(share(weight, whole))];
        let states = total.states.map(|ns| percent(share(ns, weight)));
        std::iter::once(kind).chain(of_all).chain(states).collect()
    });
    let head = vec!["Threads in", "Samples", "Time", "%", "On CPU", "GIL wait", "Core wait", "Blocked"];
    Table { head, rows: rows.collect(), more: None }
}

pub(super) fn gil_waits(report: &Report, samples: &TreeReport) -> Table {
    let rows = for_gil(report, samples, false).into_iter();
    let row = |r: WaitRow<'_>| vec![r.threads, r.time, r.percent, name(r.on), name(r.detail), name(&r.place)];
    let head = vec!["Threads in", "Time", "% of theirs", "Held by thread", "In", "Where"];
    Table { head, rows: rows.map(row).collect(), more: None }
}

pub(super) fn call_waits(report: &Report, samples: &TreeReport) -> Table {
    let rows = in_calls(report, samples, false).into_iter();
    let row = |r: WaitRow<'_>| vec![r.threads, r.time, r.percent, name(r.on), r.detail.to_owned()];
    Table {
        head: vec!["Threads in", "Time", "% of theirs", "System call", "Note"],
        rows: rows.map(row).collect(),
        more: None,
    }
}

pub(super) fn decisions(report: &Report) -> Table {
    let rows = report.decisions.iter().take(DECISIONS).map(|d| {
        let change = format!("{} → {}", decimal(d.from), decimal(d.to));
        vec![duration(d.at_ns), name(&d.what.replace('_', " ")), change, sentence(&d.because)]
    });
    Table {
        head: vec!["After", "What", "Change", "Because"],
        rows: rows.collect(),
        more: more(report.decisions.len(), DECISIONS),
    }
}

pub(super) fn losses(report: &Report) -> Vec<String> {
    let damaged = report.recovered.then(|| "The file is damaged or cut: what came after is missing.".to_owned());
    let lost = loss::losses(&report.loss).into_iter().map(|line| format!("{}.", line.text));
    sentences(damaged.into_iter().chain(lost).collect())
}

pub(super) fn processes(report: &Report) -> Table {
    let processes = &report.session.processes;
    let rows = processes.iter().take(PROCESSES).map(|p| {
        let framework = p.framework.as_deref().map_or_else(|| "-".to_owned(), name);
        let times = [name(&clock_time(&p.joined_at)), name(&clock_time(&p.left_at))];
        [p.pid.to_string(), name(&p.host), name(&p.python), framework]
            .into_iter()
            .chain(times)
            .chain([p.end.to_owned()])
            .collect()
    });
    Table {
        head: vec!["Process", "Host", "Python", "Framework", "Joined", "Left", "End"],
        rows: rows.collect(),
        more: more(processes.len(), PROCESSES),
    }
}

pub(super) fn notes(report: &Report) -> Vec<String> {
    sentences(report.notes.iter().map(|note| note.message.clone()).collect())
}

fn more(all: usize, most: usize) -> Option<String> {
    all.checked_sub(most).filter(|left| *left > 0).map(|left| count(left as u64))
}
