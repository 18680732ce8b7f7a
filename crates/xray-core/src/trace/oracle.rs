//! A second, naive recorder that gives out every nanosecond as it passes, to check the real one against.

use super::{Allowance, CallKey, Entered, Entry, Exit, NodeName, RecordedTree, Recorder};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Keys whose arguments are wanted.
fn is_marked(key: u64) -> bool {
    key == 12 || key == 2
}

/// What happens in a context.
#[derive(Clone, Debug)]
enum Event {
    Enter(u64, Entry),
    /// Leave what is on top of the oracle's stack.
    LeaveTop(Exit),
    /// Leave some key, whatever is on top.
    Leave(u64, Exit),
    /// Time that passes; negative: another core's clock.
    Wait(i64),
}

/// Keys that xray hides as its own.
fn is_own(key: u64) -> bool {
    key == 14
}

#[derive(Default, Debug, PartialEq, Eq)]
struct Totals {
    calls: u64,
    resumes: u64,
    errors: u64,
    self_ticks: u64,
}

type Path = Vec<u64>;

/// Totals by path from the root (direct recursion folded), built without nodes, pools or durations.
#[derive(Default)]
struct Oracle {
    totals: BTreeMap<Path, Totals>,
    /// Open calls: key, path that its callees extend, hidden.
    stack: Vec<(u64, Path, bool)>,
    unmatched: u64,
}

impl Oracle {
    fn path(&self) -> Path {
        self.stack.last().map_or_else(Vec::new, |(_, path, _)| path.clone())
    }

    fn pass(&mut self, ticks: u64) {
        self.totals.entry(self.path()).or_default().self_ticks += ticks;
    }

    fn enter(&mut self, key: u64, how: Entry) {
        let mut path = self.path();
        if is_own(key) {
            self.stack.push((key, path, true));
            return;
        }
        if path.last() != Some(&key) {
            path.push(key);
        }
        let totals = self.totals.entry(path.clone()).or_default();
        *(if how == Entry::Start { &mut totals.calls } else { &mut totals.resumes }) += 1;
        self.stack.push((key, path, false));
    }

    fn leave(&mut self, key: u64, how: Exit) {
        if self.stack.is_empty() {
            return;
        }
        let Some(at) = self.stack.iter().rposition(|(open, _, _)| *open == key) else {
            self.unmatched += 1;
            return;
        };
        if how == Exit::Unwind && !self.stack[at].2 {
            self.totals.get_mut(&self.stack[at].1).expect("entered").errors += 1;
        }
        let above = &self.stack[at + 1..];
        if self.stack[at].2 && above.iter().all(|(key, _, hidden)| *hidden || CallKey(*key).is_segment()) {
            self.stack.remove(at);
        } else if above.iter().all(|(_, _, hidden)| *hidden) {
            self.stack.remove(at);
            let below = at.checked_sub(1).map_or_else(Vec::new, |below| self.stack[below].1.clone());
            self.stack[at..].iter_mut().for_each(|frame| frame.1 = below.clone());
        } else {
            self.stack.truncate(at);
        }
    }
}

fn event() -> impl Strategy<Value = Event> {
    let key =
        prop_oneof![8 => (1..=6_u64).prop_map(|k| k * 2), 1 => Just(14_u64), 1 => (0..3_u64).prop_map(|k| k * 2 + 1)];
    let entry = prop_oneof![6 => Just(Entry::Start), 2 => Just(Entry::Resume), 1 => Just(Entry::Throw)];
    let exit = prop_oneof![6 => Just(Exit::Return), 2 => Just(Exit::Yield), 2 => Just(Exit::Unwind)];
    prop_oneof![
        8 => (key.clone(), entry).prop_map(|(key, how)| Event::Enter(key, how)),
        6 => exit.clone().prop_map(Event::LeaveTop),
        1 => (key, exit).prop_map(|(key, how)| Event::Leave(key, how)),
        6 => (-20_i64..200).prop_map(Event::Wait),
    ]
}

/// Runs the events through both; the oracle's time never goes back.
fn run(recorder: &mut Recorder, events: &[Event]) -> (RecordedTree, Oracle, u64) {
    let mut oracle = Oracle::default();
    let (mut clock, mut furthest) = (1_000_i64, 1_000_i64);
    recorder.begin(clock as u64, Allowance::default());
    oracle.pass(0);
    for event in events {
        match event {
            Event::Wait(ticks) => clock += ticks,
            _ if clock > furthest => {
                oracle.pass((clock - furthest) as u64);
                furthest = clock;
            }
            _ => {}
        }
        match event {
            Event::Enter(key, how) => {
                oracle.enter(*key, *how);
                let entered = recorder.enter(CallKey(*key), *how, clock as u64);
                if entered == Entered::New && is_own(*key) {
                    recorder.hide_top();
                }
                if entered == Entered::New && is_marked(*key) {
                    recorder.mark_top();
                }
                if entered != Entered::Known && *how == Entry::Start {
                    recorder.describe_top(&key.to_string());
                }
            }
            Event::LeaveTop(how) => {
                let key = oracle.stack.last().map_or(2, |(key, _, _)| *key);
                oracle.leave(key, *how);
                recorder.leave(CallKey(key), *how, clock as u64);
            }
            Event::Leave(key, how) => {
                oracle.leave(*key, *how);
                recorder.leave(CallKey(*key), *how, clock as u64);
            }
            Event::Wait(_) => {}
        }
    }
    oracle.pass((clock - furthest).max(0) as u64);
    let tree = recorder.finish(clock as u64);
    (tree, oracle, (clock.max(furthest) - 1_000) as u64)
}

/// Keys from the root to a node.
fn path_of(tree: &RecordedTree, mut at: usize) -> Path {
    let mut path = Vec::new();
    while let Some(parent) = tree.nodes[at].parent {
        assert!((parent as usize) < at, "parents come first");
        if let NodeName::Call(key) = tree.nodes[at].name {
            path.push(key.0);
        }
        at = parent as usize;
    }
    path.reverse();
    path
}

fn check_sums(tree: &RecordedTree, elapsed: u64) -> Result<(), TestCaseError> {
    prop_assert_eq!(tree.nodes[0].total, elapsed);
    prop_assert_eq!(tree.nodes.iter().map(|node| node.self_ticks).sum::<u64>(), elapsed);
    prop_assert_eq!(tree.nodes.iter().map(|node| node.calls).sum::<u64>(), tree.calls);
    for node in &tree.nodes {
        prop_assert!(node.total >= node.self_ticks);
        prop_assert!(node.min <= node.max && node.max <= node.total);
    }
    Ok(())
}

fn by_path(tree: &RecordedTree) -> BTreeMap<Path, Totals> {
    let totals = |at: usize| {
        let node = &tree.nodes[at];
        let calls = node.calls - u64::from(at == 0);
        Totals { calls, resumes: node.resumes, errors: node.errors, self_ticks: node.self_ticks }
    };
    (0..tree.nodes.len()).map(|at| (path_of(tree, at), totals(at))).collect()
}

/// The two totals of a function that need no path.
fn by_function(paths: impl IntoIterator<Item = (u64, Totals)>) -> BTreeMap<u64, Totals> {
    let mut functions: BTreeMap<u64, Totals> = BTreeMap::new();
    for (key, totals) in paths {
        let sum = functions.entry(key).or_default();
        sum.calls += totals.calls;
        sum.resumes += totals.resumes;
        sum.errors += totals.errors;
        sum.self_ticks += totals.self_ticks;
    }
    functions
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_recorder_equals_the_oracle(events in prop::collection::vec(event(), 0..300)) {
        let mut recorder = Recorder::with_bounds(1_000, 10, 1_000, 1_000);
        recorder.begin(5, Allowance::default());
        recorder.enter(CallKey(98), Entry::Start, 9);
        let (tree, oracle, elapsed) = run(&mut recorder, &events);
        check_sums(&tree, elapsed)?;
        prop_assert_eq!(tree.paths_folded, 0);
        prop_assert_eq!(tree.unmatched_returns, oracle.unmatched);
        prop_assert_eq!(by_path(&tree), oracle.totals);
        for entry in &tree.timeline {
            prop_assert!(entry.start + entry.duration <= elapsed);
        }
        for entry in &tree.timeline {
            let NodeName::Call(key) = tree.nodes[entry.node as usize].name else { continue };
            let expected = (entry.is_call && is_marked(key.0)).then(|| key.0.to_string());
            prop_assert_eq!(tree.arguments_of(entry), expected.as_deref());
        }
        // Every call and resumption has its entry here, so nothing is folded under any.
        prop_assert_eq!(tree.timeline.iter().filter(|entry| entry.is_call).count() as u64, tree.calls);
    }

    #[test]
    fn traces_before_change_nothing(
        traces in prop::collection::vec(prop::collection::vec(event(), 0..120), 2..6), nodes in 3_usize..60,
    ) {
        let mut recorder = Recorder::with_bounds(nodes, 20, 1_000, 1_000);
        for events in &traces {
            let (tree, oracle, elapsed) = run(&mut recorder, events);
            check_sums(&tree, elapsed)?;
            let (alone, ..) = run(&mut Recorder::with_bounds(nodes, 20, 1_000, 1_000), events);
            prop_assert_eq!(tree.paths_folded, alone.paths_folded);
            prop_assert_eq!(by_path(&tree), by_path(&alone));
            let ends = |tree: &RecordedTree| -> Vec<_> {
                let path = |node: u32| (path_of(tree, node as usize), tree.nodes[node as usize].name);
                tree.timeline.iter().map(|e| (path(e.node), e.start, e.duration, e.inside, e.entered, e.left)).collect()
            };
            prop_assert_eq!(ends(&tree), ends(&alone));
            if tree.nodes.iter().all(|node| node.name != NodeName::Other) {
                prop_assert_eq!(by_path(&tree), oracle.totals);
            }
        }
    }

    #[test]
    fn a_full_recorder_still_counts_every_function_exactly(
        events in prop::collection::vec(event(), 0..300), nodes in 1_usize..12, depth in 2_usize..12,
    ) {
        let mut recorder = Recorder::with_bounds(nodes, 20, 8, 1_000);
        let (tree, oracle, elapsed) = run(&mut recorder, &events);
        check_sums(&tree, elapsed)?;
        let recorded = by_function(tree.nodes.iter().filter_map(|node| match node.name {
            NodeName::Call(key) => {
                let (calls, resumes, errors, self_ticks) = (node.calls, node.resumes, node.errors, node.self_ticks);
                Some((key.0, Totals { calls, resumes, errors, self_ticks }))
            }
            _ => None,
        }));
        let expected = by_function(oracle.totals.into_iter().filter_map(|(path, totals)| Some((*path.last()?, totals))));
        prop_assert_eq!(recorded, expected);
        prop_assert!(tree.timeline.len() <= 8);

        // With too few functions and too small a stack the sums still hold.
        let mut recorder = Recorder::with_bounds(nodes, 2, 8, depth);
        let (tree, _, elapsed) = run(&mut recorder, &events);
        check_sums(&tree, elapsed)?;
    }
}
