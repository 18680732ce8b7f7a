//! What was counted since the last delta.

use super::{Arm, Cost, Counters, TransactionRecord};
use crate::format::Delta;
use crate::histogram::LatencyHistogram;
use crate::model::{ArmStats, Decision, Loss, LossKind, Note, RequestCounts, SampleStats, SecondStats, ThreadKind};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering::Relaxed;

/// Collects the next delta: details as they come, counts as the difference to those that were written.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    next: Delta,
    notes: BTreeSet<Note>,
    written: Totals,
    matched: LatencyHistogram,
}

/// Totals since recording began.
#[derive(Clone, Debug, Default)]
struct Totals {
    requests: RequestCounts,
    samples: SampleStats,
    losses: BTreeMap<LossKind, u64>,
    cost: Cost,
    xray_cpu_ns: u64,
}

impl Ledger {
    pub(super) fn record(&mut self, record: TransactionRecord) {
        let second = u32::try_from(record.ended_at_ns / 1_000_000_000).unwrap_or(u32::MAX);
        let second = self.next.series.entry(second).or_default();
        let arm = match record.arm {
            Arm::Traced => &mut self.next.traced,
            Arm::Control => &mut self.next.control,
            Arm::Other => {
                second.other += 1;
                return;
            }
        };
        add_to_arm(arm, record);
        add_to_second(second, record);
        self.matched.record(record.wall_ns);
    }

    /// Adds the samples of one tick, taken in this second of the session.
    pub(super) fn sampled(&mut self, second: u64, kinds: &[u64; ThreadKind::COUNT]) {
        let second = u32::try_from(second).unwrap_or(u32::MAX);
        let samples = &mut self.next.series.entry(second).or_default().samples;
        samples.iter_mut().zip(kinds).for_each(|(sum, more)| *sum += more);
    }

    pub(super) fn decide(&mut self, decision: Decision) {
        self.next.decisions.push(decision);
    }

    /// Adds a note, unless it was said before or too many were.
    pub(super) fn note(&mut self, note: Note) {
        if self.notes.len() < crate::limits::NOTES && self.notes.insert(note.clone()) {
            self.next.notes.push(note);
        }
    }

    /// Wall times of all matching transactions so far.
    pub(super) fn matched(&self) -> &LatencyHistogram {
        &self.matched
    }

    /// Brings the counts up to now. `cost` is since recording began.
    pub(super) fn count(&mut self, counters: &Counters, rate_hz: u32, cost: Cost, event_cost_ns: u32) {
        let requests = counters.requests();
        let samples = sample_stats(counters, rate_hz, cost);
        let written = &self.written;
        self.next.requests = difference(requests, written.requests);
        self.next.sample_stats = sample_difference(samples, written.samples);
        self.next.loss = counters
            .losses()
            .into_iter()
            .map(|loss| Loss {
                count: loss.count - written.losses.get(&loss.kind).copied().unwrap_or(0).min(loss.count),
                ..loss
            })
            .filter(|loss| loss.count > 0)
            .collect();
        let events_ns = counters.events.load(Relaxed).saturating_mul(u64::from(event_cost_ns));
        let xray_cpu_ns = events_ns.saturating_add(cost.agent_cpu_ns).saturating_add(cost.sampler_cpu_ns);
        self.next.process_cpu_ns = cost.process_cpu_ns.saturating_sub(written.cost.process_cpu_ns);
        self.next.xray_cpu_ns = xray_cpu_ns.saturating_sub(written.xray_cpu_ns);
    }

    /// Whether there is more to say than that time has passed.
    pub(super) fn has_news(&self) -> bool {
        let Delta { process_cpu_ns, xray_cpu_ns, at_unix_ns, .. } = self.next;
        let rate_hz = self.next.sample_stats.rate_hz;
        let threads = self.next.sample_stats.threads;
        let sampler_cpu_ns = self.next.sample_stats.sampler_cpu_ns;
        let sample_stats = SampleStats { rate_hz, threads, sampler_cpu_ns, ..SampleStats::default() };
        self.next != Delta { process_cpu_ns, xray_cpu_ns, at_unix_ns, sample_stats, ..Delta::default() }
    }

    /// Takes the delta out; what it holds counts as written.
    pub(super) fn take(&mut self, at_unix_ns: u64) -> Delta {
        let mut delta = std::mem::take(&mut self.next);
        delta.at_unix_ns = at_unix_ns;
        let written = &mut self.written;
        written.requests.add(&delta.requests);
        written.samples.add(&delta.sample_stats);
        for loss in &delta.loss {
            *written.losses.entry(loss.kind).or_default() += loss.count;
        }
        written.cost.process_cpu_ns += delta.process_cpu_ns;
        written.xray_cpu_ns += delta.xray_cpu_ns;
        delta
    }

    /// The request counts that were taken out.
    pub(super) fn written_requests(&self) -> RequestCounts {
        self.written.requests
    }
}

fn add_to_arm(arm: &mut ArmStats, record: TransactionRecord) {
    let (wall, cpu) = (u128::from(record.wall_ns), u128::from(record.cpu_ns));
    arm.latency.record(record.wall_ns);
    arm.wall_sum_ns = arm.wall_sum_ns.saturating_add(wall);
    arm.wall_square_sum = arm.wall_square_sum.saturating_add(wall * wall);
    arm.cpu_sum_ns = arm.cpu_sum_ns.saturating_add(cpu);
    arm.cpu_square_sum = arm.cpu_square_sum.saturating_add(cpu * cpu);
}

fn add_to_second(second: &mut SecondStats, record: TransactionRecord) {
    second.matched += 1;
    second.latency.record(record.wall_ns);
}

fn difference(now: RequestCounts, then: RequestCounts) -> RequestCounts {
    RequestCounts {
        traced: now.traced.saturating_sub(then.traced),
        control: now.control.saturating_sub(then.control),
        discarded: now.discarded.saturating_sub(then.discarded),
        incomplete: now.incomplete.saturating_sub(then.incomplete),
        other: now.other.saturating_sub(then.other),
        errors: now.errors.saturating_sub(then.errors),
    }
}

fn sample_stats(counters: &Counters, rate_hz: u32, cost: Cost) -> SampleStats {
    let sampler = &counters.sampler;
    SampleStats {
        count: sampler.count.load(Relaxed),
        on_target: sampler.on_target.load(Relaxed),
        torn: sampler.torn.load(Relaxed),
        own: sampler.own.load(Relaxed),
        ticks: sampler.ticks.load(Relaxed),
        missed: sampler.missed.load(Relaxed),
        threads: sampler.threads.load(Relaxed),
        rate_hz,
        active_ns: sampler.active_ns.load(Relaxed),
        sampler_cpu_ns: cost.sampler_cpu_ns,
    }
}

fn sample_difference(now: SampleStats, then: SampleStats) -> SampleStats {
    SampleStats {
        count: now.count.saturating_sub(then.count),
        on_target: now.on_target.saturating_sub(then.on_target),
        torn: now.torn.saturating_sub(then.torn),
        own: now.own.saturating_sub(then.own),
        ticks: now.ticks.saturating_sub(then.ticks),
        missed: now.missed.saturating_sub(then.missed),
        threads: now.threads,
        rate_hz: now.rate_hz,
        active_ns: now.active_ns.saturating_sub(then.active_ns),
        sampler_cpu_ns: now.sampler_cpu_ns.saturating_sub(then.sampler_cpu_ns),
    }
}
