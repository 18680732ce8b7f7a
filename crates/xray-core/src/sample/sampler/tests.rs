//! The loop against a clock that moves only when someone sleeps.

use super::*;
use crate::clock::FakeClock;
use crate::model::{StoppedBy, ThreadKind, ThreadState, TraceId};
use crate::sample::{FrameAt, Sample, Seen};
use crate::session::testing::{Rig, header};
use crate::trace::CallKey;
use std::sync::Arc;

const MS: u64 = 1_000_000;

struct FakeSleeper {
    clock: Arc<FakeClock>,
    longest_ns: u64,
}

impl Sleeper for FakeSleeper {
    fn sleep(&mut self, ns: u64) {
        assert!(ns > 0);
        self.longest_ns = self.longest_ns.max(ns);
        self.clock.advance(ns);
    }
}

/// A thread in its own function; each of its ticks in another trace, so that none are joined.
fn thread(tick: &mut Tick<'_>, thread: u64, kind: ThreadKind, trace: u64) -> Seen {
    let stack = tick.stacks().of(&[FrameAt { code: CallKey(2 * thread), line: 1 }]).unwrap();
    let (state, trace) = (ThreadState::OnCpu, Some(TraceId(trace)));
    Seen { thread, kind, state, trace, cpu_ns: 0, torn: false, stack }
}

/// Threads 1 and 2, thread 2 only in every third tick; each tick takes a while.
struct FakeSource {
    clock: Arc<FakeClock>,
    intake: Intake,
    ticks: Vec<u64>,
    cost_ns: fn(usize) -> u64,
    rate_after: Vec<(usize, u32)>,
    stop_after: usize,
}

impl StackSource for FakeSource {
    fn sample(&mut self, clock: &dyn Clock, into: &mut Tick<'_>) -> Result<(), SourceClosed> {
        let now_ns = clock.now_ns();
        let tick = self.ticks.len();
        self.ticks.push(now_ns);
        for number in 1..=2 {
            if number == 1 || tick.is_multiple_of(3) {
                let kind = if number == 1 { ThreadKind::Target } else { ThreadKind::Other };
                let seen = thread(into, number, kind, tick as u64);
                into.push(seen);
            }
        }
        into.skip_own();
        self.clock.advance((self.cost_ns)(tick));
        for (_, hz) in self.rate_after.iter().filter(|(after, _)| *after == tick) {
            self.intake.allow(self.intake.share(), *hz);
        }
        if tick + 1 == self.stop_after {
            self.intake.request_stop(StoppedBy::User);
        }
        Ok(())
    }
}

/// A reader that waits for the GIL for 80 ms in its third tick.
struct LateSource {
    clock: Arc<FakeClock>,
    intake: Intake,
    ticks: u64,
}

impl StackSource for LateSource {
    fn sample(&mut self, clock: &dyn Clock, into: &mut Tick<'_>) -> Result<(), SourceClosed> {
        self.ticks += 1;
        if self.ticks == 3 {
            self.clock.advance(80 * MS);
        }
        if self.ticks == 5 {
            self.intake.request_stop(StoppedBy::User);
        }
        into.read_at(clock.now_ns());
        let seen = thread(into, 1, ThreadKind::Target, self.ticks);
        into.push(seen);
        Ok(())
    }
}

#[test]
fn the_wait_for_the_gil_counts_for_what_kept_it() {
    let rig = Rig::new(header());
    let mut source = LateSource { clock: rig.clock.clone(), intake: rig.intake.clone(), ticks: 0 };
    let mut sleeper = FakeSleeper { clock: rig.clock.clone(), longest_ns: 0 };
    run_sampler(&mut source, &rig.intake, &*rig.clock, &mut sleeper, 7);
    let batches: Vec<SampleBatch> = rig.collector.take_batches();
    let weights: Vec<u64> =
        batches.iter().flat_map(|batch| &batch.samples).map(|sample| sample.weight_ns / MS).collect();
    assert!(weights[2] >= 80, "{weights:?}");
    assert!(weights.iter().enumerate().all(|(tick, weight)| tick == 2 || *weight < 20), "{weights:?}");
}

/// Runs to the end; the ticks, and the batches that were sent.
fn run(
    hz: u32,
    stop_after: usize,
    cost_ns: fn(usize) -> u64,
    rate_after: &[(usize, u32)],
) -> (Rig, Vec<u64>, Vec<SampleBatch>) {
    let mut header = header();
    header.limits.hz = hz;
    let rig = Rig::new(header);
    let mut source = FakeSource {
        clock: rig.clock.clone(),
        intake: rig.intake.clone(),
        ticks: Vec::new(),
        cost_ns,
        rate_after: rate_after.to_vec(),
        stop_after,
    };
    let mut sleeper = FakeSleeper { clock: rig.clock.clone(), longest_ns: 0 };
    run_sampler(&mut source, &rig.intake, rig.clock.as_ref(), &mut sleeper, 7);
    assert!(sleeper.longest_ns <= STOP_CHECK_NS);
    let batches = rig.collector.take_batches();
    (rig, source.ticks, batches)
}

#[test]
fn samples_once_in_each_period_and_each_sample_stands_for_one() {
    let (rig, ticks, batches) = run(100, 50, |_| MS / 10, &[]);
    for (period, at) in (0..).zip(&ticks) {
        let late = at - period * 10 * MS;
        assert!(late < 10 * MS + MS / 10, "tick {period} at {at}");
    }
    let samples: Vec<&Sample> = batches.iter().flat_map(|batch| &batch.samples).collect();
    let weight = |thread| samples.iter().filter(|s| s.seen.thread == thread).map(|s| s.weight_ns).sum::<u64>();
    assert_eq!(weight(1), 50 * 10 * MS);
    assert_eq!(weight(2), 17 * 10 * MS);
    let stats = &rig.intake.counters().sampler;
    let [count, on_target, own, tick_count, missed, threads, active] =
        [&stats.count, &stats.on_target, &stats.own, &stats.ticks, &stats.missed, &stats.threads, &stats.active_ns]
            .map(|counter| counter.load(Relaxed));
    assert_eq!([count, on_target, own, tick_count, missed, threads], [67, 50, 50, 50, 0, 2]);
    assert_eq!(active, rig.clock.now_ns());
    assert!(batches.len() >= 5, "a batch waits at most 100 ms");
}

#[test]
fn late_ticks_are_skipped_and_counted() {
    let (rig, ticks, _) = run(100, 20, |tick| if tick == 4 { 95 * MS } else { 0 }, &[]);
    assert_eq!(rig.intake.counters().sampler.missed.load(Relaxed), 9);
    let periods: Vec<u64> = ticks.iter().map(|at| at / (10 * MS)).collect();
    assert!(periods.windows(2).all(|pair| pair[0] < pair[1]), "no burst after the gap: {periods:?}");
}

#[test]
fn the_rate_changes_while_it_runs_and_stops_within_two_hundred_milliseconds_also_at_one_hertz() {
    let (_, ticks, _) = run(100, 12, |_| 0, &[(5, 10)]);
    assert!(ticks[5] < 60 * MS && ticks[11] > 500 * MS, "{ticks:?}");
    let (rig, _, _) = run(1, 2, |_| 0, &[]);
    assert!(rig.clock.now_ns() < 2_000 * MS);
}
