//! The sampler's loop.

use super::deadlines::Deadlines;
use super::{SampleBatch, SourceClosed, StackSource};
use crate::clock::Clock;
use crate::limits::{SAMPLE_BATCH_FRAMES, SAMPLE_BATCH_NS, STOP_CHECK_NS};
use crate::model::ThreadKind;
use crate::session::Intake;
use std::collections::HashSet;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Longest time that one sample stands for, unless four periods are longer: what a stopped process did not run.
const HEAVIEST_SAMPLE_NS: u64 = 1_000_000_000;

/// Who can wait.
pub trait Sleeper: Send {
    /// Waits so long, in nanoseconds.
    fn sleep(&mut self, ns: u64);
}

/// Sleeps in the calling thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThreadSleeper;

impl Sleeper for ThreadSleeper {
    fn sleep(&mut self, ns: u64) {
        std::thread::sleep(Duration::from_nanos(ns));
    }
}

/// Samples until recording ends or the source closes. The rate is [`Intake::sample_rate`] and may change at any time;
/// 0 pauses. Ticks that could not be done in time are counted and skipped, never made up for.
///
/// A sample's weight is the time since the last tick; of a thread that was not in the last tick, one period.
pub fn run_sampler(
    source: &mut dyn StackSource,
    intake: &Intake,
    clock: &dyn Clock,
    sleeper: &mut dyn Sleeper,
    seed: u64,
) {
    let _open = intake.open_sampler();
    let now_ns = clock.now_ns();
    let mut sampler = Sampler {
        deadlines: Deadlines::new(seed, intake.sample_rate(), now_ns),
        batch: SampleBatch::default(),
        batch_since_ns: now_ns,
        last_tick_ns: now_ns,
        last_threads: HashSet::new(),
        intake,
    };
    while intake.stopped().is_none() {
        let now_ns = clock.now_ns();
        sampler.deadlines.set_rate(intake.sample_rate(), now_ns);
        let wait_ns = sampler.deadlines.next_ns().map_or(STOP_CHECK_NS, |at| at.saturating_sub(now_ns));
        if wait_ns > 0 {
            sleeper.sleep(wait_ns.min(STOP_CHECK_NS));
        } else if sampler.tick(source, clock).is_err() {
            break;
        } else {
            let done_ns = clock.now_ns();
            let missed = sampler.deadlines.done(done_ns);
            intake.counters().sampler.missed.fetch_add(missed, Relaxed);
            sampler.send_when_due(done_ns);
        }
    }
    let rest_ns = clock.now_ns().saturating_sub(sampler.last_tick_ns);
    intake.counters().sampler.active_ns.fetch_add(rest_ns, Relaxed);
    sampler.send();
}

struct Sampler<'a> {
    deadlines: Deadlines,
    batch: SampleBatch,
    batch_since_ns: u64,
    last_tick_ns: u64,
    last_threads: HashSet<u64>,
    intake: &'a Intake,
}

impl Sampler<'_> {
    fn tick(&mut self, source: &mut dyn StackSource, clock: &dyn Clock) -> Result<(), SourceClosed> {
        let (first, own_before) = (self.batch.samples().len(), self.batch.own());
        if self.batch.is_empty() {
            self.batch_since_ns = clock.now_ns();
        }
        let now_ns = source.sample(clock, &mut self.batch)?;
        let period_ns = self.deadlines.period_ns();
        let elapsed_ns = now_ns.saturating_sub(self.last_tick_ns);
        let heaviest_ns = HEAVIEST_SAMPLE_NS.max(4 * period_ns);
        let last_threads = std::mem::take(&mut self.last_threads);
        let (mut count, mut on_target, mut torn) = (0, 0, 0);
        for sample in self.batch.samples_from(first) {
            let known = last_threads.contains(&sample.thread);
            sample.weight_ns = if known { elapsed_ns.min(heaviest_ns) } else { period_ns };
            self.last_threads.insert(sample.thread);
            count += 1;
            on_target += u64::from(sample.kind == ThreadKind::Target);
            torn += u64::from(sample.torn);
        }
        self.last_tick_ns = now_ns;
        let counters = &self.intake.counters().sampler;
        counters.count.fetch_add(count, Relaxed);
        counters.on_target.fetch_add(on_target, Relaxed);
        counters.torn.fetch_add(torn, Relaxed);
        counters.own.fetch_add(self.batch.own() - own_before, Relaxed);
        counters.ticks.fetch_add(1, Relaxed);
        counters.threads.fetch_max(count, Relaxed);
        counters.active_ns.fetch_add(elapsed_ns, Relaxed);
        Ok(())
    }

    /// Sends what would otherwise wait too long, or has grown large.
    fn send_when_due(&mut self, now_ns: u64) {
        let next_ns = self.deadlines.next_ns().unwrap_or(u64::MAX).max(now_ns);
        if next_ns.saturating_sub(self.batch_since_ns) > SAMPLE_BATCH_NS
            || self.batch.frames().len() >= SAMPLE_BATCH_FRAMES
        {
            self.send();
        }
    }

    fn send(&mut self) {
        if !self.batch.is_empty() {
            self.intake.samples(std::mem::take(&mut self.batch));
        }
    }
}

#[cfg(test)]
mod tests;
