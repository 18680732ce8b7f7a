//! What samples say of the functions of matching transactions.

use super::limits::{MOSTLY_ASLEEP, ONE_LINE, SAMPLES_OF_FUNCTION};
use std::collections::{BTreeMap, HashMap};
use xray_core::model::{SampleTreeNode, SessionData, SymbolId, ThreadKind, ThreadState};

/// Samples of threads in matching transactions, by the function that was running.
pub(super) struct TargetSamples {
    /// All of them.
    pub(super) count: u64,
    weight_ns: u64,
    functions: HashMap<SymbolId, FunctionSamples>,
}

/// Samples that ended in one function.
#[derive(Default)]
pub(super) struct FunctionSamples {
    count: u64,
    self_ns: u64,
    states: [u64; ThreadState::COUNT],
    /// By line: (count, time).
    lines: BTreeMap<u32, (u64, u64)>,
}

impl TargetSamples {
    pub(super) fn of(data: &SessionData) -> Self {
        let mut all = Self { count: 0, weight_ns: 0, functions: HashMap::new() };
        for node in data.sample_tree.nodes.iter().filter(|n| n.kind == ThreadKind::Target && n.self_count > 0) {
            all.count = all.count.saturating_add(node.self_count);
            all.weight_ns = all.weight_ns.saturating_add(node.self_ns);
            all.functions.entry(node.symbol).or_default().add(node);
        }
        all
    }

    /// Those of one function.
    pub(super) fn function(&self, symbol: SymbolId) -> Option<&FunctionSamples> {
        self.functions.get(&symbol)
    }

    /// Share of the sampled time in which this function itself was running.
    pub(super) fn self_share(&self, symbol: SymbolId) -> f64 {
        let own = self.function(symbol).map_or(0, |function| function.self_ns);
        if self.weight_ns == 0 { 0.0 } else { own as f64 / self.weight_ns as f64 }
    }
}

impl FunctionSamples {
    fn add(&mut self, node: &SampleTreeNode) {
        self.count = self.count.saturating_add(node.self_count);
        self.self_ns = self.self_ns.saturating_add(node.self_ns);
        for (sum, ns) in self.states.iter_mut().zip(node.self_states) {
            *sum = sum.saturating_add(ns);
        }
        let line = self.lines.entry(node.line).or_default();
        *line = (line.0.saturating_add(node.self_count), line.1.saturating_add(node.self_ns));
    }

    /// Enough of them to mean something.
    pub(super) fn enough(&self) -> bool {
        self.count >= SAMPLES_OF_FUNCTION
    }

    /// The line with the most time, if any is known.
    pub(super) fn hottest_line(&self) -> Option<u32> {
        let known = self.lines.iter().filter(|(line, _)| **line > 0);
        known.max_by_key(|(line, (_, ns))| (*ns, std::cmp::Reverse(**line))).map(|(line, _)| *line)
    }

    /// The one line in which nearly all of the time is spent, if there is one.
    pub(super) fn only_line(&self) -> Option<u32> {
        let line = self.hottest_line()?;
        let (_, ns) = self.lines[&line];
        (ns as f64 >= ONE_LINE * self.self_ns as f64).then_some(line)
    }

    /// Time that one sample stands for on average, in nanoseconds.
    pub(super) fn mean_weight_ns(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.self_ns as f64 / self.count as f64 }
    }

    /// Whether it was mostly asleep. A thread that got less of a CPU than it could use, or waited for the GIL, would have
    /// run: others keep it from that, not this function.
    pub(super) fn mostly_asleep(&self) -> bool {
        let [running, waiting, blocked, _, for_gil] = self.states;
        let known = running.saturating_add(waiting).saturating_add(blocked).saturating_add(for_gil);
        self.enough() && known > 0 && blocked as f64 >= MOSTLY_ASLEEP * known as f64
    }
}
