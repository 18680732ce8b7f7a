//! One trace in full, and the list of all.

use super::session::process_name;
use super::trace_samples::trace_samples;
use super::words;
use crate::model::{TimelineEntry, TraceDetail, TraceNode, TraceReport, TraceSummary};
use std::cmp::Reverse;
use xray_core::model::{SessionData, Trace};

/// The trace with this id, sixteen hexadecimal digits as [`TraceSummary::id`] has them.
pub fn trace(data: &SessionData, id: &str) -> Option<TraceReport> {
    let trace = data.traces.iter().find(|trace| words::trace_id(trace.id) == id)?;
    let node = |node: &xray_core::model::TraceNode| {
        let symbol = &data.symbols[node.symbol];
        TraceNode {
            parent: node.parent.map_or(-1, i64::from),
            name: symbol.name.clone(),
            kind: words::symbol_kind(symbol.kind),
            file: words::file(symbol),
            line: words::line(symbol),
            detail: words::detail(symbol),
            calls: node.calls,
            resumes: node.resumes,
            errors: node.errors,
            total_ns: node.total_ns,
            self_ns: node.self_ns,
            min_ns: node.min_ns,
            max_ns: node.max_ns,
            recursion_depth: node.recursion_depth,
            rows: node.rows,
        }
    };
    let entry = |entry: &xray_core::model::TimelineEntry| TimelineEntry {
        node: u64::from(entry.node),
        start_ns: entry.start_ns,
        duration_ns: entry.duration_ns,
        folded: entry.folded,
        arguments: entry.arguments.clone(),
    };
    Some(TraceReport {
        schema: "xray.trace/1",
        trace: TraceDetail {
            summary: summary(data, trace),
            paths_folded: trace.paths_folded,
            timeline_threshold_ns: trace.timeline_threshold_ns,
            nodes: trace.nodes.iter().map(node).collect(),
            timeline: trace.timeline.iter().map(entry).collect(),
            samples: trace_samples(data, &trace.samples),
        },
    })
}

/// All traces, slowest first.
pub(super) fn summaries(data: &SessionData) -> Vec<TraceSummary> {
    let mut traces: Vec<&Trace> = data.traces.iter().collect();
    traces.sort_by_key(|trace| (Reverse(trace.duration_ns), trace.id));
    traces.into_iter().map(|trace| summary(data, trace)).collect()
}

fn summary(data: &SessionData, trace: &Trace) -> TraceSummary {
    TraceSummary {
        id: words::trace_id(trace.id),
        process: process_name(data, trace.process),
        thread: trace.thread.clone(),
        started_at: words::instant(trace.started_unix_ns),
        duration_ns: trace.duration_ns,
        cpu_ns: trace.cpu_ns,
        status: trace.status,
        error: trace.error.clone(),
        calls: trace.calls,
        timeline_entries: trace.timeline.len() as u64,
        complete: trace.complete,
        attributes: trace.attributes.iter().cloned().collect(),
    }
}
