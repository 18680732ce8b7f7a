//! One look at all threads: what each of them stands for.

use super::batch::{Counted, Sample, Seen, Waited, WaitsFor};
use super::stacks::{StackId, Stacks};
use crate::model::{ThreadKind, ThreadState};
use rustc_hash::FxHashMap;

/// What is remembered of a thread between two ticks.
#[derive(Debug)]
struct Known {
    /// The last tick that it was in.
    tick: u64,
    seen: Seen,
    /// Where its last sample is in the batch that is being filled.
    sample: Option<usize>,
    /// CPU time that no sample has shown in use yet.
    unseen_cpu_ns: u64,
}

/// Sums of one tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    /// Samples by [`ThreadKind`].
    pub(super) kinds: [u64; ThreadKind::COUNT],
    pub(super) torn: u64,
    pub(super) own: u64,
}

/// The samples of several ticks while they are collected.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    pub(super) stacks: Stacks,
    pub(super) samples: Vec<Sample>,
    waits: FxHashMap<(ThreadKind, WaitsFor), u64>,
    counted: Vec<Counted>,
    threads: FxHashMap<u64, Known>,
    ticks: u64,
}

impl Gathering {
    /// Takes the samples out, what the threads waited for in them, and how many each tick had.
    pub(super) fn take(&mut self) -> (Vec<Sample>, Vec<Waited>, Vec<Counted>) {
        self.threads.values_mut().for_each(|thread| thread.sample = None);
        let waits = self.waits.drain().map(|((kind, on), ns)| Waited { kind, on, ns }).collect();
        (std::mem::take(&mut self.samples), waits, std::mem::take(&mut self.counted))
    }

    /// Stacks have new numbers from now on; the samples must have been taken out.
    pub(super) fn begin_epoch(&mut self) {
        self.stacks.begin_epoch();
        // Nothing may be added to a stack that has no number any more.
        self.threads.values_mut().for_each(|thread| thread.seen.stack = StackId::EMPTY);
    }

    /// Forgets threads that were not in the last tick.
    pub(super) fn forget_ended(&mut self) {
        let last = self.ticks;
        self.threads.retain(|_, thread| thread.tick == last);
    }
}

/// One look at all threads, as a reader fills it.
pub struct Tick<'a> {
    gathering: &'a mut Gathering,
    weigh: &'a mut dyn FnMut(u64) -> u64,
    read: Option<ReadAt>,
    now_ns: u64,
    period_ns: u64,
    sums: Sums,
}

#[derive(Clone, Copy)]
struct ReadAt {
    at_ns: u64,
    weight_ns: u64,
}

impl<'a> Tick<'a> {
    /// A tick that was due now; `weigh` says which time a tick at an instant stands for.
    pub(super) fn begin(
        gathering: &'a mut Gathering,
        weigh: &'a mut dyn FnMut(u64) -> u64,
        now_ns: u64,
        period_ns: u64,
    ) -> Self {
        gathering.ticks += 1;
        Self { gathering, weigh, read: None, now_ns, period_ns, sums: Sums::default() }
    }

    /// When the stacks were read, on the agent's clock. Without it: when the tick was due.
    pub fn read_at(&mut self, at_ns: u64) {
        let weight_ns = (self.weigh)(at_ns);
        self.read = Some(ReadAt { at_ns, weight_ns });
    }

    /// The stacks so far, to number those of this tick.
    pub fn stacks(&mut self) -> &mut Stacks {
        &mut self.gathering.stacks
    }

    /// Adds a thread.
    ///
    /// It stands for the time that the tick stands for; one that was not in the last tick, for one period. CPU time
    /// counts for the samples that show the thread using it, half for the one before it was used and half for the
    /// one after; of a thread that is never seen using it, for none.
    pub fn push(&mut self, seen: Seen) {
        self.add(seen);
    }

    /// Adds a thread that waits for something.
    pub fn push_waiting(&mut self, seen: Seen, waits_for: WaitsFor) {
        let weight_ns = self.add(seen);
        *self.gathering.waits.entry((seen.kind, waits_for)).or_default() += weight_ns;
    }

    /// The time that it stands for.
    fn add(&mut self, seen: Seen) -> u64 {
        let ReadAt { at_ns, weight_ns } = self.reading();
        self.sums.kinds[seen.kind as usize] += 1;
        self.sums.torn += u64::from(seen.torn);
        let Gathering { samples, threads, ticks, .. } = &mut *self.gathering;
        let known = threads.entry(seen.thread).or_insert(Known { tick: 0, seen, sample: None, unseen_cpu_ns: 0 });
        let in_last = known.tick + 1 == *ticks;
        let weight_ns = if in_last { weight_ns } else { self.period_ns };
        let mut cpu_ns = known.unseen_cpu_ns + seen.cpu_ns;
        known.unseen_cpu_ns = 0;
        if !uses_cpu(seen.state) {
            known.unseen_cpu_ns = std::mem::take(&mut cpu_ns);
        } else if in_last && uses_cpu(known.seen.state) && known.seen.stack != StackId::EMPTY {
            let half = cpu_ns / 2;
            cpu_ns -= half;
            match known.sample.and_then(|at| samples.get_mut(at)) {
                Some(before) => before.seen.cpu_ns += half,
                None if half == 0 => {}
                None => {
                    let seen = Seen { cpu_ns: half, ..known.seen };
                    samples.push(Sample { seen, count: 0, weight_ns: 0, at_ns });
                }
            }
        }
        let seen = Seen { cpu_ns, ..seen };
        match known.sample.and_then(|at| samples.get_mut(at)).filter(|last| in_last && same(&last.seen, &seen)) {
            Some(last) => {
                last.count += 1;
                last.weight_ns += weight_ns;
                last.seen.cpu_ns += cpu_ns;
            }
            None => {
                known.sample = Some(samples.len());
                samples.push(Sample { seen, count: 1, weight_ns, at_ns });
            }
        }
        (known.tick, known.seen) = (*ticks, seen);
        weight_ns
    }

    /// Counts a stack of one of xray's own threads, left out.
    pub fn skip_own(&mut self) {
        self.sums.own += 1;
    }

    /// When it was read, and the sums.
    pub(super) fn end(mut self) -> (u64, Sums) {
        let at_ns = self.reading().at_ns;
        self.gathering.counted.push(Counted { at_ns, kinds: self.sums.kinds });
        (at_ns, self.sums)
    }

    fn reading(&mut self) -> ReadAt {
        if self.read.is_none() {
            self.read_at(self.now_ns);
        }
        self.read.unwrap_or(ReadAt { at_ns: self.now_ns, weight_ns: self.period_ns })
    }
}

fn uses_cpu(state: ThreadState) -> bool {
    match state {
        ThreadState::OnCpu | ThreadState::Waiting | ThreadState::Unknown => true,
        ThreadState::Blocked | ThreadState::WaitingForGil => false,
    }
}

fn same(a: &Seen, b: &Seen) -> bool {
    (a.kind, a.state, a.trace, a.torn, a.stack) == (b.kind, b.state, b.trace, b.torn, b.stack)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{FrameAt, GilOwner};
    use crate::trace::CallKey;

    const PERIOD: u64 = 10;

    fn tick(gathering: &mut Gathering, at_ns: u64, threads: &[(u64, ThreadState, u64, u64)]) {
        let mut weigh = |_| PERIOD;
        let mut tick = Tick::begin(gathering, &mut weigh, at_ns, PERIOD);
        for (thread, state, cpu_ns, code) in threads {
            let stack = tick.stacks().of(&[FrameAt { code: CallKey(2 * code), line: 1 }]).unwrap();
            let (kind, trace) = (ThreadKind::Web, None);
            tick.push(Seen { thread: *thread, kind, state: *state, trace, cpu_ns: *cpu_ns, torn: false, stack });
        }
        tick.end();
    }

    /// (ticks, elapsed time, CPU time) by stack.
    fn by_stack(samples: &[Sample]) -> Vec<(u64, u64, u64)> {
        let mut sums = vec![(0, 0, 0); 4];
        for sample in samples {
            let sum = &mut sums[sample.seen.stack.node().unwrap()];
            *sum = (sum.0 + sample.count, sum.1 + sample.weight_ns, sum.2 + sample.seen.cpu_ns);
        }
        sums
    }

    #[test]
    fn a_thread_that_stands_still_is_one_sample() {
        let mut gathering = Gathering::default();
        for at in 1..=5 {
            tick(&mut gathering, at * PERIOD, &[(1, ThreadState::Blocked, 0, 1), (2, ThreadState::Blocked, 0, at % 2)]);
        }
        assert_eq!(gathering.samples.iter().filter(|sample| sample.seen.thread == 1).count(), 1);
        assert_eq!(gathering.samples.len(), 6);
        assert_eq!((gathering.samples[0].count, gathering.samples[0].weight_ns), (5, 5 * PERIOD));
    }

    #[test]
    fn cpu_time_goes_to_the_samples_on_both_sides_of_it() {
        let mut gathering = Gathering::default();
        tick(&mut gathering, 10, &[(1, ThreadState::OnCpu, 0, 0)]);
        tick(&mut gathering, 20, &[(1, ThreadState::OnCpu, 9, 1)]);
        let (first, ..) = gathering.take();
        tick(&mut gathering, 30, &[(1, ThreadState::OnCpu, 7, 2)]);
        assert_eq!(by_stack(&first)[..2], [(1, 10, 4), (1, 10, 5)]);
        assert_eq!(by_stack(&gathering.samples)[1..3], [(0, 0, 3), (1, 10, 4)], "also when the one before was sent");
    }

    #[test]
    fn cpu_time_of_a_thread_seen_asleep_waits_for_the_sample_that_sees_it_run() {
        let mut gathering = Gathering::default();
        for (at, state, cpu, code) in [
            (10, ThreadState::Blocked, 0, 0),
            (20, ThreadState::Blocked, 5, 0),
            (30, ThreadState::OnCpu, 4, 1),
            (40, ThreadState::Blocked, 3, 0),
        ] {
            tick(&mut gathering, at, &[(1, state, cpu, code)]);
        }
        assert_eq!(by_stack(&gathering.samples)[..2], [(3, 30, 0), (1, 10, 9)]);
    }

    #[test]
    fn what_threads_wait_for_adds_up_by_kind_until_it_is_taken() {
        let mut gathering = Gathering::default();
        let owner = WaitsFor::Gil(GilOwner::Nobody);
        for at in 1..=3 {
            let mut weigh = |_| 2 * PERIOD;
            let mut tick = Tick::begin(&mut gathering, &mut weigh, at * PERIOD, PERIOD);
            for (thread, kind, on) in [
                (1, ThreadKind::Target, owner),
                (2, ThreadKind::Target, owner),
                (3, ThreadKind::Other, WaitsFor::Call("poll")),
            ] {
                let (state, stack) = (ThreadState::Blocked, StackId::EMPTY);
                tick.push_waiting(Seen { thread, kind, state, trace: None, cpu_ns: 0, torn: false, stack }, on);
            }
            tick.end();
        }
        let (samples, mut waits, counted) = gathering.take();
        waits.sort_by_key(|waited| waited.kind);
        let waited = |kind, on, ns| Waited { kind, on, ns };
        let poll = WaitsFor::Call("poll");
        assert_eq!(waits, [waited(ThreadKind::Target, owner, 120), waited(ThreadKind::Other, poll, 60)]);
        assert_eq!(samples.iter().map(|sample| sample.weight_ns).sum::<u64>(), 180);
        let ticks = [1, 2, 3].map(|at| Counted { at_ns: at * PERIOD, kinds: [2, 0, 0, 1] });
        assert_eq!(counted, ticks, "each tick by itself, although the samples stand for three");
        assert_eq!(gathering.take().1, []);
    }

    #[test]
    fn nothing_is_added_to_a_stack_of_an_epoch_that_is_over() {
        let mut gathering = Gathering::default();
        tick(&mut gathering, 10, &[(1, ThreadState::OnCpu, 0, 1)]);
        gathering.take();
        gathering.begin_epoch();
        tick(&mut gathering, 20, &[(1, ThreadState::OnCpu, 8, 2)]);
        assert_eq!(by_stack(&gathering.samples)[0], (1, 10, 8));
        assert_eq!(gathering.samples.len(), 1);
    }

    #[test]
    fn a_thread_that_was_away_stands_for_one_period() {
        let mut gathering = Gathering::default();
        tick(&mut gathering, 10, &[(1, ThreadState::Blocked, 0, 1)]);
        tick(&mut gathering, 20, &[]);
        let mut weigh = |_| 5 * PERIOD;
        let mut back = Tick::begin(&mut gathering, &mut weigh, 70, PERIOD);
        let stack = back.stacks().of(&[FrameAt { code: CallKey(2), line: 1 }]).unwrap();
        let (kind, state, trace) = (ThreadKind::Web, ThreadState::Blocked, None);
        back.push(Seen { thread: 1, kind, state, trace, cpu_ns: 0, torn: false, stack });
        back.push(Seen { thread: 2, kind, state, trace, cpu_ns: 0, torn: false, stack });
        back.end();
        assert!(gathering.samples.iter().all(|sample| sample.weight_ns == PERIOD));
        gathering.forget_ended();
        assert_eq!(gathering.threads.len(), 2);
    }
}
