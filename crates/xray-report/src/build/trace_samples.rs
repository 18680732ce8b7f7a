//! The samples of one trace, and its lines.

use super::tree::states;
use super::words;
use crate::model::{SampledFrame, SampledLine, SampledStack, TraceSamples};
use std::cmp::Reverse;
use std::collections::HashMap;
use xray_core::model::{SampledFrame as Frame, SessionData, SymbolId, ThreadState, TraceSample};

/// A function and a line of it.
type At = (SymbolId, u32);

/// Sums of one frame or line.
#[derive(Clone, Default)]
struct Sums {
    count: u64,
    ns: u64,
    own: Own,
}

/// What ended there.
#[derive(Clone, Copy, Default)]
struct Own {
    count: u64,
    ns: u64,
    cpu_ns: u64,
    states: [u64; ThreadState::COUNT],
}

impl Own {
    fn add(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.ns = self.ns.saturating_add(other.ns);
        self.cpu_ns = self.cpu_ns.saturating_add(other.cpu_ns);
        for (state, more) in self.states.iter_mut().zip(other.states) {
            *state = state.saturating_add(more);
        }
    }
}

pub(super) fn trace_samples(data: &SessionData, of: &xray_core::model::TraceSamples) -> TraceSamples {
    let frame = |frame: &Frame| {
        let symbol = &data.symbols[frame.symbol];
        SampledFrame {
            parent: frame.parent.map_or(-1, i64::from),
            name: symbol.name.clone(),
            file: words::file(symbol),
            line: line_number(frame.line),
        }
    };
    let stack = |sample: &TraceSample| SampledStack {
        at_ns: sample.at_ns,
        frame: sample.frame.map_or(-1, i64::from),
        state: words::thread_state(sample.state),
        count: sample.count,
        ns: sample.weight_ns,
        cpu_ns: sample.cpu_ns,
    };
    let sum = |value: fn(&TraceSample) -> u64| of.samples.iter().map(value).fold(0, u64::saturating_add);
    TraceSamples {
        count: sum(|sample| sample.count),
        ns: sum(|sample| sample.weight_ns),
        cpu_ns: sum(|sample| sample.cpu_ns),
        dropped: of.dropped,
        lines: lines(data, of),
        frames: of.frames.iter().map(frame).collect(),
        stacks: of.samples.iter().map(stack).collect(),
    }
}

/// Most time of its own first.
fn lines(data: &SessionData, of: &xray_core::model::TraceSamples) -> Vec<SampledLine> {
    let mut sums: Vec<_> = by_line(&of.frames, &by_frame(of)).into_iter().collect();
    sums.sort_by_key(|(at, sum)| (Reverse((sum.own.ns, sum.ns)), *at));
    let line = |((symbol, line), Sums { count, ns, own }): (At, Sums)| {
        let symbol = &data.symbols[symbol];
        SampledLine {
            name: symbol.name.clone(),
            file: words::file(symbol),
            line: line_number(line),
            count,
            self_count: own.count,
            ns,
            self_ns: own.ns,
            self_cpu_ns: own.cpu_ns,
            self_states_ns: states(own.states),
        }
    };
    sums.into_iter().map(line).collect()
}

/// The sums of each frame, its callees in them.
fn by_frame(of: &xray_core::model::TraceSamples) -> Vec<Sums> {
    let mut sums = vec![Sums::default(); of.frames.len()];
    for sample in &of.samples {
        let Some(sum) = sample.frame.and_then(|at| sums.get_mut(at as usize)) else { continue };
        let mut own =
            Own { count: sample.count, ns: sample.weight_ns, cpu_ns: sample.cpu_ns, states: Default::default() };
        own.states[sample.state as usize] = sample.weight_ns;
        sum.own.add(&own);
    }
    // Callers come before their callees.
    for at in (0..sums.len()).rev() {
        let Sums { count, ns, own } = &mut sums[at];
        (*count, *ns) = (count.saturating_add(own.count), ns.saturating_add(own.ns));
        let (count, ns) = (*count, *ns);
        if let Some(caller) = of.frames[at].parent {
            let caller = &mut sums[caller as usize];
            (caller.count, caller.ns) = (caller.count.saturating_add(count), caller.ns.saturating_add(ns));
        }
    }
    sums
}

/// The sums of each line. One that is on a stack several times, by recursion, counts once. The time is that of the
/// frames: a hostile file has deep ones.
fn by_line(frames: &[Frame], sums: &[Sums]) -> HashMap<At, Sums> {
    let mut callees = vec![Vec::new(); frames.len()];
    let mut roots = Vec::new();
    for (at, frame) in frames.iter().enumerate() {
        frame.parent.map_or(&mut roots, |caller| &mut callees[caller as usize]).push(at);
    }
    let mut lines: HashMap<At, Sums> = HashMap::new();
    let mut open: HashMap<At, u32> = HashMap::new();
    let mut next: Vec<(usize, bool)> = roots.into_iter().map(|at| (at, true)).collect();
    while let Some((at, enters)) = next.pop() {
        let line = (frames[at].symbol, frames[at].line);
        let times_open = open.entry(line).or_default();
        if !enters {
            *times_open -= 1;
            continue;
        }
        let sum = lines.entry(line).or_default();
        sum.own.add(&sums[at].own);
        if *times_open == 0 {
            (sum.count, sum.ns) = (sum.count.saturating_add(sums[at].count), sum.ns.saturating_add(sums[at].ns));
        }
        *times_open += 1;
        next.push((at, false));
        next.extend(callees[at].iter().map(|callee| (*callee, true)));
    }
    lines
}

fn line_number(line: u32) -> Option<u32> {
    (line > 0).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_line_has_the_time_of_the_stacks_that_it_is_on(
            parents in prop::collection::vec((any::<prop::sample::Index>(), 0_u32..4), 1..40),
            seen in prop::collection::vec((any::<prop::sample::Index>(), 1_u64..9), 0..40),
        ) {
            let frame = |(at, (parent, symbol)): (usize, &(prop::sample::Index, u32))| Frame {
                parent: parent.index(at + 1).checked_sub(1).map(|parent| parent as u32),
                symbol: SymbolId(*symbol),
                line: 1,
            };
            let frames: Vec<_> = parents.iter().enumerate().map(frame).collect();
            let sample = |(frame, ns): &(prop::sample::Index, u64)| TraceSample {
                at_ns: 0,
                frame: Some(frame.index(frames.len()) as u32),
                state: ThreadState::OnCpu,
                count: 1,
                weight_ns: *ns,
                cpu_ns: 0,
            };
            let samples: Vec<_> = seen.iter().map(sample).collect();
            let of = xray_core::model::TraceSamples { frames: frames.clone(), samples, dropped: 0 };
            let lines = by_line(&of.frames, &by_frame(&of));
            for symbol in 0..4 {
                let on_stack = |sample: &&TraceSample| {
                    let mut stack = std::iter::successors(sample.frame, |at| frames[*at as usize].parent);
                    stack.any(|at| frames[at as usize].symbol == SymbolId(symbol))
                };
                let innermost = |sample: &&TraceSample| {
                    sample.frame.is_some_and(|at| frames[at as usize].symbol == SymbolId(symbol))
                };
                let wanted: u64 = of.samples.iter().filter(on_stack).map(|sample| sample.weight_ns).sum();
                let own: u64 = of.samples.iter().filter(innermost).map(|sample| sample.weight_ns).sum();
                let line = lines.get(&(SymbolId(symbol), 1)).cloned().unwrap_or_default();
                prop_assert_eq!((line.ns, line.own.ns), (wanted, own));
            }
        }
    }
}
