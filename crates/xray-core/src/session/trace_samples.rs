//! What the sampler saw of each trace, until the trace is over and its last samples have come.

use crate::limits::{SAMPLED_TRACES, TRACE_SAMPLE_FRAMES, TRACE_SAMPLES, TRACE_SAMPLES_NS};
use crate::model::{SampledFrame, TraceId, TraceSample, TraceSamples};
use crate::sample::{Sample, SampleTreeBuilder, StackId};
use rustc_hash::FxHashMap;

/// Samples by trace; bounded. Instants are on the agent's clock until a trace is over.
#[derive(Debug, Default)]
pub(super) struct TraceSampleBook {
    open: FxHashMap<TraceId, Gathered>,
    ended: FxHashMap<TraceId, Ended>,
}

/// The samples of one trace so far.
#[derive(Debug, Default)]
struct Gathered {
    samples: TraceSamples,
    places: FxHashMap<SampledFrame, u32>,
    last_at_ns: u64,
}

/// A trace that is over.
#[derive(Debug)]
struct Ended {
    ended_at_ns: u64,
    /// Nothing for a trace that is not kept.
    kept: Option<Gathered>,
    started_at_ns: u64,
}

impl TraceSampleBook {
    /// Adds a sample, if it is of a trace; `stacks` knows its stack.
    pub(super) fn add(&mut self, sample: &Sample, stacks: &SampleTreeBuilder) {
        let Some(trace) = sample.seen.trace else { return };
        match self.ended.get_mut(&trace) {
            Some(Ended { kept: Some(gathered), .. }) => gathered.add(sample, stacks),
            Some(_) => {}
            None => {
                if self.open.len() >= SAMPLED_TRACES && !self.open.contains_key(&trace) {
                    self.forget_oldest();
                }
                self.open.entry(trace).or_default().add(sample, stacks);
            }
        }
    }

    /// The trace is over; both instants are on the agent's clock.
    pub(super) fn end(&mut self, trace: TraceId, is_kept: bool, started_at_ns: u64, now_ns: u64) {
        let gathered = self.open.remove(&trace).unwrap_or_default();
        let kept = is_kept.then_some(gathered);
        self.ended.insert(trace, Ended { ended_at_ns: now_ns, kept, started_at_ns });
    }

    /// Takes out what is complete: no sample of it comes any more. `all` does not wait for that.
    pub(super) fn take(&mut self, now_ns: u64, all: bool) -> Vec<(TraceId, TraceSamples)> {
        let mut complete = Vec::new();
        self.ended.retain(|trace, ended| {
            let waits = now_ns.saturating_sub(ended.ended_at_ns) < TRACE_SAMPLES_NS && !all;
            if !waits && let Some(gathered) = ended.kept.take() {
                let samples = gathered.since(ended.started_at_ns);
                complete.extend((!samples.is_empty()).then_some((*trace, samples)));
            }
            waits
        });
        complete.sort_unstable_by_key(|(trace, _)| *trace);
        complete
    }

    /// Traces in flight are few; what is more was never handed in.
    #[cold]
    fn forget_oldest(&mut self) {
        let oldest = self.open.iter().min_by_key(|(trace, gathered)| (gathered.last_at_ns, **trace));
        if let Some(oldest) = oldest.map(|(trace, _)| *trace) {
            self.open.remove(&oldest);
        }
    }
}

impl Gathered {
    fn add(&mut self, sample: &Sample, stacks: &SampleTreeBuilder) {
        self.last_at_ns = sample.at_ns;
        let full = self.samples.samples.len() >= TRACE_SAMPLES;
        match (!full).then(|| self.place(sample.seen.stack, stacks)).flatten() {
            Some(frame) => self.samples.samples.push(TraceSample {
                at_ns: sample.at_ns,
                frame,
                state: sample.seen.state,
                count: sample.count,
                weight_ns: sample.weight_ns,
                cpu_ns: sample.seen.cpu_ns,
            }),
            None => self.samples.dropped += sample.count,
        }
    }

    /// Its innermost frame, if it has one; `None` when there is no room for it.
    fn place(&mut self, stack: StackId, stacks: &SampleTreeBuilder) -> Option<Option<u32>> {
        let mut path = Vec::new();
        let mut next = stack;
        while let Some((at, caller)) = stacks.frame(next) {
            path.push(at);
            next = caller;
        }
        let mut place = None;
        for at in path.into_iter().rev() {
            let frame = SampledFrame { parent: place, symbol: at.symbol, line: at.line };
            let known = self.samples.frames.len();
            place = Some(match self.places.get(&frame) {
                Some(place) => *place,
                None if known >= TRACE_SAMPLE_FRAMES => return None,
                None => {
                    self.samples.frames.push(frame);
                    self.places.insert(frame, known as u32);
                    known as u32
                }
            });
        }
        Some(place)
    }

    fn since(self, started_at_ns: u64) -> TraceSamples {
        let mut samples = self.samples;
        for sample in &mut samples.samples {
            sample.at_ns = sample.at_ns.saturating_sub(started_at_ns);
        }
        // Those of several threads come thread by thread where a stack stood still.
        samples.samples.sort_by_key(|sample| sample.at_ns);
        samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SymbolId, ThreadKind, ThreadState};
    use crate::sample::{FrameAt, Placed, Seen, Stacks};
    use crate::trace::CallKey;

    const SECOND: u64 = 1_000_000_000;

    /// A book and the stacks of its samples: symbol n at line 10 n.
    #[derive(Default)]
    struct Rig {
        book: TraceSampleBook,
        stacks: Stacks,
        known: SampleTreeBuilder,
    }

    impl Rig {
        fn add(&mut self, trace: u64, at_ns: u64, outermost_first: &[u32]) {
            let frame = |symbol: &u32| FrameAt { code: CallKey(u64::from(2 * symbol)), line: symbol * 10 };
            let frames: Vec<_> = outermost_first.iter().rev().map(frame).collect();
            let stack = self.stacks.of(&frames).unwrap();
            let (first, nodes, _) = self.stacks.unsent();
            let placed = nodes.iter().map(|node| {
                let FrameAt { code, line } = node.frame;
                (node.caller, Placed { symbol: SymbolId(code.0 as u32 / 2), line })
            });
            self.known.learn(0, first, placed);
            self.stacks.mark_sent();
            let (kind, state) = (ThreadKind::Target, ThreadState::OnCpu);
            let seen = Seen { thread: 1, kind, state, trace: Some(TraceId(trace)), cpu_ns: 5, torn: false, stack };
            self.book.add(&Sample { seen, count: 1, weight_ns: 10, at_ns }, &self.known);
        }
    }

    #[test]
    fn a_kept_trace_has_its_samples_in_time_and_those_that_come_late() {
        let mut rig = Rig::default();
        rig.add(1, 120, &[1, 2]);
        rig.add(2, 121, &[1, 9]);
        rig.add(1, 130, &[1, 3]);
        rig.book.end(TraceId(1), true, 100, SECOND);
        rig.book.end(TraceId(2), false, 100, SECOND);
        rig.add(1, 140, &[1, 2]);
        rig.add(2, 141, &[1, 9]);
        assert_eq!(rig.book.take(SECOND + 1, false), [], "more may come");
        let taken = rig.book.take(SECOND + TRACE_SAMPLES_NS, false);
        let [(TraceId(1), samples)] = taken.as_slice() else { panic!("{taken:?}") };
        let frame = |parent, symbol| SampledFrame { parent, symbol: SymbolId(symbol), line: 10 * symbol };
        assert_eq!(samples.frames, [frame(None, 1), frame(Some(0), 2), frame(Some(0), 3)]);
        let seen: Vec<_> = samples.samples.iter().map(|sample| (sample.at_ns, sample.frame)).collect();
        assert_eq!(seen, [(20, Some(1)), (30, Some(2)), (40, Some(1))]);
        assert!(rig.book.open.is_empty() && rig.book.ended.is_empty());
    }

    #[test]
    fn the_end_of_a_recording_waits_for_nothing() {
        let mut rig = Rig::default();
        rig.add(1, 10, &[]);
        rig.book.end(TraceId(1), true, 0, SECOND);
        let taken = rig.book.take(SECOND, true);
        assert_eq!(taken[0].1.samples[0].frame, None);
    }

    #[test]
    fn what_does_not_fit_is_counted_and_what_never_ends_is_forgotten() {
        let mut rig = Rig::default();
        for at in 0..TRACE_SAMPLES as u64 + 7 {
            rig.add(1, at, &[1]);
        }
        let frames: Vec<u32> = (1..=TRACE_SAMPLE_FRAMES as u32 + 1).collect();
        rig.add(2, 0, &frames);
        rig.book.end(TraceId(1), true, 0, 0);
        rig.book.end(TraceId(2), true, 0, 0);
        let taken = rig.book.take(0, true);
        assert_eq!((taken[0].1.samples.len(), taken[0].1.dropped), (TRACE_SAMPLES, 7));
        assert_eq!((taken[1].1.samples.len(), taken[1].1.dropped), (0, 1));
        for trace in 0..SAMPLED_TRACES as u64 + 5 {
            rig.add(trace, trace, &[1]);
        }
        assert_eq!(rig.book.open.len(), SAMPLED_TRACES);
        assert!(!rig.book.open.contains_key(&TraceId(4)) && rig.book.open.contains_key(&TraceId(5)));
    }
}
