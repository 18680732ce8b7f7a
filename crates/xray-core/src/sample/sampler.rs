//! The sampler's loop.

use super::deadlines::Deadlines;
use super::tick::{Gathering, Tick};
use super::{SampleBatch, SourceClosed, StackSource};
use crate::clock::Clock;
use crate::limits::{SAMPLE_BATCH, SAMPLE_BATCH_NS, STOP_CHECK_NS};
use crate::model::ThreadKind;
use crate::session::Intake;
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
        gathering: Gathering::default(),
        batch_since_ns: now_ns,
        last_tick_ns: now_ns,
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
    gathering: Gathering,
    batch_since_ns: u64,
    last_tick_ns: u64,
    intake: &'a Intake,
}

impl Sampler<'_> {
    fn tick(&mut self, source: &mut dyn StackSource, clock: &dyn Clock) -> Result<(), SourceClosed> {
        let now_ns = clock.now_ns();
        if self.gathering.samples.is_empty() {
            self.batch_since_ns = now_ns;
        }
        let period_ns = self.deadlines.period_ns();
        let heaviest_ns = HEAVIEST_SAMPLE_NS.max(4 * period_ns);
        let deadlines = &mut self.deadlines;
        let mut missed = 0;
        let mut weigh = |at_ns| {
            let read = deadlines.read_at(at_ns);
            missed = read.missed;
            read.stands_for_ns.min(heaviest_ns)
        };
        let mut tick = Tick::begin(&mut self.gathering, &mut weigh, now_ns, period_ns);
        source.sample(clock, &mut tick)?;
        let (read_at_ns, sums) = tick.end();
        let elapsed_ns = read_at_ns.saturating_sub(self.last_tick_ns);
        self.last_tick_ns = read_at_ns;
        let counters = &self.intake.counters().sampler;
        let count = sums.kinds.iter().sum();
        counters.count.fetch_add(count, Relaxed);
        counters.on_target.fetch_add(sums.kinds[ThreadKind::Target as usize], Relaxed);
        counters.torn.fetch_add(sums.torn, Relaxed);
        counters.own.fetch_add(sums.own, Relaxed);
        counters.ticks.fetch_add(1, Relaxed);
        counters.missed.fetch_add(missed, Relaxed);
        counters.threads.fetch_max(count, Relaxed);
        counters.active_ns.fetch_add(elapsed_ns, Relaxed);
        Ok(())
    }

    /// Sends what would otherwise wait too long, or has grown large.
    fn send_when_due(&mut self, now_ns: u64) {
        let next_ns = self.deadlines.next_ns().unwrap_or(u64::MAX).max(now_ns);
        if next_ns.saturating_sub(self.batch_since_ns) > SAMPLE_BATCH_NS || self.gathering.samples.len() >= SAMPLE_BATCH
        {
            self.send();
        }
    }

    fn send(&mut self) {
        if !self.gathering.samples.is_empty() {
            let (samples, waits, ticks) = self.gathering.take();
            let stacks = &mut self.gathering.stacks;
            let (first_node, nodes, names) = stacks.unsent();
            let (nodes, names) = (nodes.to_vec(), names.to_vec());
            let epoch = stacks.epoch();
            if self.intake.samples(SampleBatch { epoch, first_node, nodes, names, samples, waits, ticks }) {
                stacks.mark_sent();
            }
        }
        self.gathering.forget_ended();
        if self.gathering.stacks.is_filling() {
            self.gathering.begin_epoch();
        }
    }
}

#[cfg(test)]
mod tests;
