//! The answer in words: what stands out, and what was looked at.
//!
//! A finding names a culprit with its place. Each kind has one file; what counts as large is in [`limits`]. A healthy
//! application spreads its time over many functions and queries, so nothing stands out, and then nothing is named.

mod contention;
mod limits;
mod repeated;
mod samples;
mod slow;
#[cfg(test)]
mod tests;

use super::call_paths::CallPaths;
use super::components::Components;
use crate::model::{Finding, Verdict};
use crate::view::numbers::{counted, duration};
use xray_core::model::SessionData;

/// Most findings told: the first one is what to look at.
const FINDINGS: usize = 3;

/// A finding with the short sentence that leads the report when it is the first.
struct Found {
    headline: String,
    finding: Finding,
}

impl Found {
    /// What findings are ordered by. A loop of statements is certain and grows with the data; the wall time of one call
    /// may be a busy machine's. So it comes first unless something takes more than twice its share.
    fn weight(&self) -> f64 {
        self.finding.share * if self.finding.code == repeated::CODE { 2.0 } else { 1.0 }
    }
}

/// What all kinds of findings look at.
struct Evidence<'a> {
    data: &'a SessionData,
    paths: &'a CallPaths<'a>,
    components: &'a Components<'a>,
    samples: samples::TargetSamples,
}

pub(super) fn verdict(data: &SessionData, paths: &CallPaths<'_>, components: &Components<'_>) -> Verdict {
    let evidence = Evidence { data, paths, components, samples: samples::TargetSamples::of(data) };
    let mut found = Vec::new();
    match contention::find(&evidence) {
        // Waiting for the GIL lengthens whatever was running when it was lost, so nothing else can be told from
        // wall times.
        Some(contention) => found.push(contention),
        None => {
            found.extend(repeated::find(&evidence));
            found.extend(slow::find(&evidence));
            found.sort_by(|a, b| b.weight().total_cmp(&a.weight()));
        }
    }
    found.truncate(FINDINGS);
    let text = match found.first() {
        Some(first) => format!("{} {}", first.headline, context(data)),
        None => format!("{}{}", context(data), nothing(&evidence)),
    };
    Verdict { text, findings: found.into_iter().map(|found| found.finding).collect() }
}

/// What the session saw.
fn context(data: &SessionData) -> String {
    let (target, counts) = (&data.header.target.given, &data.requests);
    let time = duration(data.ended_unix_ns.saturating_sub(data.header.started_unix_ns));
    let processes = counted(data.processes.len() as u64, "process", "processes");
    if counts.matched() == 0 {
        let others = counted(counts.other, "other", "others");
        return format!("{target}: nothing matched in {time} in {processes}; {others} ran.");
    }
    let mut latency = data.traced.latency.clone();
    latency.add(&data.control.latency);
    let times = match latency.count() {
        0 => String::new(),
        _ => format!("; p50 {}, p95 {}", duration(latency.percentile(50.0)), duration(latency.percentile(95.0))),
    };
    let matched = counted(counts.matched(), "matching transaction", "matching transactions");
    format!("{target}: {} of {matched} traced in {time} in {processes}{times}.", counts.traced)
}

/// Why nothing is named.
fn nothing(evidence: &Evidence<'_>) -> String {
    match evidence.components.tallies.first() {
        None => String::new(),
        Some(largest) => {
            // "Not more than" is only true of a number that is rounded up.
            let share = percent((evidence.paths.share(largest.self_ns) * 100.0).ceil() / 100.0);
            format!(" Nothing stands out: no function or query takes more than {share} of the traced time itself.")
        }
    }
}

/// In a sentence, without decimals.
fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}
