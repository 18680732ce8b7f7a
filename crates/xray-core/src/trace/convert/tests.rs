use super::*;
use crate::trace::{Allowance, Entry, Exit, Recorder};
use proptest::prelude::*;

fn symbol(subject: Subject<'_>) -> SymbolId {
    match subject {
        Subject::Transaction => SymbolId(0),
        Subject::Thread(_) => SymbolId(1_000),
        Subject::Other => SymbolId(2_000),
        Subject::Call(key) => SymbolId(key.0 as u32),
    }
}

fn strand(started_ticks: u64, tree: RecordedTree) -> Strand {
    Strand { name: (started_ticks > 0).then(|| "worker".to_owned()), started_ticks, tree }
}

/// Enters (true) and leaves calls at random; keys from the depth.
fn record(recorder: &mut Recorder, steps: &[(bool, u64, u64)]) -> RecordedTree {
    let mut now = 0;
    recorder.begin(now, Allowance::default());
    let mut open = Vec::new();
    for (enters, key, ticks) in steps {
        now += ticks;
        if *enters {
            open.push(CallKey(2 * key));
            recorder.enter(CallKey(2 * key), if key % 5 == 0 { Entry::Resume } else { Entry::Start }, now);
        } else if let Some(key) = open.pop() {
            recorder.leave(key, Exit::Return, now);
        }
    }
    recorder.finish(now + 1)
}

/// Calls inside each kept entry that have no entry of their own, counted one by one.
fn folded_by_hand(steps: &[(bool, u64, u64)], threshold: u64) -> Vec<(u64, u64, u64)> {
    let mut calls: Vec<(u64, u64, bool, Option<usize>)> = vec![(0, 0, true, None)];
    let (mut now, mut open) = (0, vec![0_usize]);
    for (enters, key, ticks) in steps {
        now += ticks;
        if *enters {
            calls.push((now, 0, key % 5 != 0, open.last().copied()));
            open.push(calls.len() - 1);
        } else if open.len() > 1 {
            let at = open.pop().unwrap();
            calls[at].1 = now - calls[at].0;
        }
    }
    now += 1;
    // What is still open ends with the trace.
    for (position, at) in open.into_iter().enumerate() {
        calls[at].1 = if position == 0 { now } else { now - calls[at].0 };
    }
    let kept = |at: usize| at == 0 || calls[at].1 >= threshold;
    let mut folded = vec![0_u64; calls.len()];
    for at in 1..calls.len() {
        if kept(at) || !calls[at].2 {
            continue;
        }
        let mut around = calls[at].3.unwrap();
        while !kept(around) {
            around = calls[around].3.unwrap();
        }
        folded[around] += 1;
    }
    let mut entries: Vec<_> =
        (0..calls.len()).filter(|at| kept(*at)).map(|at| (calls[at].0, calls[at].1, folded[at])).collect();
    entries.sort_by_key(|(start, duration, folded)| (*start, Reverse(*duration), *folded));
    entries
}

proptest! {
    #[test]
    fn folded_calls_are_those_without_an_entry(
        steps in prop::collection::vec((any::<bool>(), 1_u64..40, 0_u64..50), 0..400), capacity in 2_usize..40,
    ) {
        let mut recorder = Recorder::with_bounds(1_000, 10, capacity, 1_000);
        let tree = record(&mut recorder, &steps);
        let threshold = tree.threshold;
        let expected = folded_by_hand(&steps, threshold);
        let body = TraceBody::new(&[strand(0, tree)], TickScale::NANOSECONDS, symbol);
        prop_assert!(body.timeline.len() <= capacity);
        let mut entries: Vec<_> = body.timeline.iter().map(|e| (e.start_ns, e.duration_ns, e.folded)).collect();
        entries.sort_by_key(|(start, duration, folded)| (*start, Reverse(*duration), *folded));
        prop_assert_eq!(entries, expected);
        prop_assert_eq!(body.timeline_threshold_ns, threshold);
    }

    #[test]
    fn in_nanoseconds_self_times_still_sum_to_the_duration_and_children_fit_into_their_parents(
        steps in prop::collection::vec((any::<bool>(), 1_u64..40, 0_u64..5_000), 0..400),
        ns_per_tick in 0.01_f64..5.0, nodes in 1_usize..60,
    ) {
        let mut recorder = Recorder::with_bounds(nodes, 100, 500, 1_000);
        let tree = record(&mut recorder, &steps);
        let scale = TickScale::from_ns_per_tick(ns_per_tick);
        let folds = tree.nodes.iter().any(|node| node.name == NodeName::Other);
        let duration = scale.ns(tree.duration());
        let body = TraceBody::new(&[strand(0, tree)], scale, symbol);
        prop_assert_eq!(body.duration_ns, duration);
        prop_assert_eq!(body.nodes.iter().map(|node| node.self_ns).sum::<u64>(), duration);
        prop_assert_eq!(body.nodes.iter().map(|node| node.calls).sum::<u64>(), body.calls);
        let mut children = vec![0; body.nodes.len()];
        for node in &body.nodes {
            if let Some(parent) = node.parent {
                children[parent as usize] += node.total_ns;
            }
        }
        for (node, children) in body.nodes.iter().zip(children) {
            prop_assert!(node.self_ns <= node.total_ns && node.total_ns <= duration + 1);
            prop_assert!(folds || node.self_ns + children == node.total_ns);
        }
        let mut open: Vec<u64> = Vec::new();
        for entry in &body.timeline {
            let end = entry.start_ns + entry.duration_ns;
            open.retain(|around| *around > entry.start_ns);
            prop_assert!(open.iter().all(|around| *around >= end), "entries nest");
            open.push(end);
        }
        prop_assert!(body.timeline.is_sorted_by_key(|entry| (entry.start_ns, Reverse(entry.duration_ns))));
    }
}

#[test]
fn threads_are_further_roots_beside_the_transaction() {
    let mut recorder = Recorder::new();
    let own = record(&mut recorder, &[(true, 1, 10), (false, 1, 50)]);
    let thread = record(&mut recorder, &[(true, 1, 5), (true, 2, 5), (false, 2, 20), (false, 1, 1)]);
    let body = TraceBody::new(&[strand(1_000, own), strand(1_030, thread)], TickScale::NANOSECONDS, symbol);
    let seen: Vec<_> = body.nodes.iter().map(|n| (n.parent, n.symbol.0, n.total_ns)).collect();
    assert_eq!(
        seen,
        [(None, 0, 61), (Some(0), 2, 50), (None, 1_000, 32), (Some(2), 2, 26), (Some(3), 4, 20)],
        "parents are those of the same strand"
    );
    assert_eq!((body.duration_ns, body.calls), (61, 5));
    let starts: Vec<_> = body.timeline.iter().map(|e| (e.node, e.start_ns, e.duration_ns)).collect();
    assert_eq!(starts, [(0, 0, 61), (1, 10, 50), (2, 30, 32), (3, 35, 26), (4, 40, 20)]);
}

#[test]
fn the_entries_of_many_strands_fit_together_and_none_above_the_threshold_is_missing() {
    let mut recorder = Recorder::new();
    let strands: Vec<Strand> = (1..=4_u64)
        .map(|number| {
            let steps: Vec<_> = (1..=1_500).flat_map(|call| [(true, 1, 0), (false, 1, number * call)]).collect();
            strand(number, record(&mut recorder, &steps))
        })
        .collect();
    let body = TraceBody::new(&strands, TickScale::NANOSECONDS, symbol);
    assert!((TIMELINE_ENTRIES / 2..=TIMELINE_ENTRIES).contains(&body.timeline.len()));
    let long = |strand: &Strand| {
        let entries = strand.tree.timeline.iter().filter(|entry| entry.node != 0);
        entries.filter(|entry| entry.duration >= body.timeline_threshold_ns).count()
    };
    assert_eq!(body.timeline.len(), 4 + strands.iter().map(long).sum::<usize>());
    let counted: u64 = body.timeline.iter().map(|entry| 1 + entry.folded).sum();
    assert_eq!(counted, body.calls, "each call has an entry or is folded into one");
}
