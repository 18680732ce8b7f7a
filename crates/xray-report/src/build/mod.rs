//! From a session to the report model.

mod call_paths;
mod components;
mod cost;
mod latency;
mod notes;
mod session;
mod trace;
mod trace_samples;
mod tree;
mod verdict;
mod waits;
mod words;

pub use trace::trace;
pub use tree::{TreeSource, tree};

use crate::model::{DecisionEntry, LossEntry, NoteEntry, Report, Requests, SampledThreads, Samples, Second};
use xray_core::format::FORMAT_VERSION;
use xray_core::model::{SessionData, ThreadKind};

/// The report on a session. Any session will do, also an empty one or one whose numbers make no sense.
pub fn report(data: &SessionData) -> Report {
    let paths = call_paths::CallPaths::of(data);
    let components = components::Components::of(data, &paths);
    Report {
        schema: "xray.report/1",
        xray_version: env!("CARGO_PKG_VERSION").to_owned(),
        format_version: FORMAT_VERSION,
        recovered: data.recovered,
        verdict: verdict::verdict(data, &paths, &components),
        session: session::session(data),
        requests: requests(data),
        latency: latency::latencies(data),
        tracing_cost: cost::tracing_cost(data),
        components: components.listed(),
        traces: trace::summaries(data),
        samples: samples(data),
        waits: waits::waits(data),
        series: series(data),
        loss: data
            .loss
            .iter()
            .map(|loss| LossEntry { kind: words::loss_kind(loss.kind), count: loss.count, capacity: loss.capacity })
            .collect(),
        decisions: decisions(data),
        notes: notes::notes(data)
            .into_iter()
            .map(|note| NoteEntry {
                code: note.code.0,
                severity: words::severity(note.severity),
                message: note.message,
            })
            .collect(),
    }
}

fn requests(data: &SessionData) -> Requests {
    let counts = &data.requests;
    Requests {
        matched: counts.matched(),
        traced: counts.traced,
        control: counts.control,
        discarded: counts.discarded,
        incomplete: counts.incomplete,
        other: counts.other,
        errors: counts.errors,
    }
}

fn samples(data: &SessionData) -> Samples {
    let stats = &data.sample_stats;
    Samples {
        count: stats.count,
        on_target: stats.on_target,
        threads: stats.threads,
        rate_hz: stats.rate_hz,
        achieved_hz: (stats.active_ns > 0).then(|| stats.ticks as f64 / (stats.active_ns as f64 / 1e9)),
        missed: stats.missed,
        torn: stats.torn,
        sampler_cpu_ns: stats.sampler_cpu_ns,
    }
}

fn series(data: &SessionData) -> Vec<Second> {
    let second = |(t_s, stats): (&u32, &xray_core::model::SecondStats)| {
        let at = |percentile| (stats.latency.count() > 0).then(|| stats.latency.percentile(percentile));
        let sampled = |kind: ThreadKind| stats.samples[kind as usize];
        Second {
            t_s: *t_s,
            matched: stats.matched,
            other: stats.other,
            p50_ns: at(50.0),
            p95_ns: at(95.0),
            samples: SampledThreads {
                target: sampled(ThreadKind::Target),
                web: sampled(ThreadKind::Web),
                background: sampled(ThreadKind::Background),
                other: sampled(ThreadKind::Other),
            },
        }
    };
    data.series.iter().map(second).collect()
}

fn decisions(data: &SessionData) -> Vec<DecisionEntry> {
    let entry = |decision: &xray_core::model::Decision| DecisionEntry {
        at_ns: decision.at_ns,
        what: decision.what.clone(),
        from: decision.from,
        to: decision.to,
        because: decision.because.clone(),
    };
    data.decisions.iter().map(entry).collect()
}
