//! Known truths about the recorder; the random ones are in `oracle`.

use super::{Allowance, CallKey, Entered, Entry, Exit, NodeName, RecordedNode, RecordedTree, Recorder};
use crate::limits::{TIMELINE_ENTRIES, TRACE_BYTES};

const VIEW: CallKey = CallKey(2);
const HELPER: CallKey = CallKey(4);
const OWN: CallKey = CallKey(6);

fn recorder() -> Recorder {
    let mut recorder = Recorder::new();
    recorder.begin(0, Allowance::default());
    recorder
}

fn start(recorder: &mut Recorder, key: CallKey, now: u64) -> Entered {
    recorder.enter(key, Entry::Start, now)
}

fn node(tree: &RecordedTree, key: CallKey) -> &RecordedNode {
    let mut nodes = tree.nodes.iter().filter(|node| node.name == NodeName::Call(key));
    let found = nodes.next().expect("recorded");
    assert_eq!(nodes.next(), None, "one node");
    found
}

#[test]
fn a_generator_counts_once_and_its_resumptions_apart() {
    let mut recorder = recorder();
    start(&mut recorder, HELPER, 0);
    recorder.leave(HELPER, Exit::Yield, 10);
    recorder.enter(HELPER, Entry::Resume, 20);
    recorder.leave(HELPER, Exit::Yield, 25);
    recorder.enter(HELPER, Entry::Throw, 30);
    recorder.leave(HELPER, Exit::Unwind, 31);
    let tree = recorder.finish(40);
    let found = node(&tree, HELPER);
    assert_eq!((found.calls, found.resumes, found.errors), (1, 2, 1));
    assert_eq!((found.total, found.min, found.max), (16, 1, 10));
    assert_eq!((tree.nodes[0].self_ticks, tree.events), (24, 6));
}

#[test]
fn direct_recursion_folds_with_its_depth_and_time_counted_once() {
    let mut recorder = recorder();
    for depth in 0..15_000 {
        start(&mut recorder, VIEW, depth);
    }
    for depth in 0..15_000 {
        recorder.leave(VIEW, Exit::Return, 15_000 + depth);
    }
    let tree = recorder.finish(30_000);
    assert_eq!(tree.nodes.len(), 2);
    let found = node(&tree, VIEW);
    assert_eq!((found.calls, found.recursion_depth, found.total), (15_000, 15_000, 29_999));
    assert_eq!(found.self_ticks, 29_999);
    assert!(tree.timeline.len() <= TIMELINE_ENTRIES);
}

#[test]
fn indirect_recursion_fifteen_thousand_deep_counts_every_function() {
    let mut recorder = recorder();
    for depth in 0..30_000_u64 {
        start(&mut recorder, if depth % 2 == 0 { VIEW } else { HELPER }, depth);
    }
    let tree = recorder.finish(30_000);
    let calls = |key| tree.nodes.iter().filter(|n| n.name == NodeName::Call(key)).map(|n| n.calls).sum::<u64>();
    assert_eq!((calls(VIEW), calls(HELPER), tree.calls), (15_000, 15_000, 30_001));
    assert_eq!(tree.nodes.iter().map(|n| n.self_ticks).sum::<u64>(), 30_000);
    assert!(tree.paths_folded > 0);
}

#[test]
fn deeper_than_the_stack_is_still_counted() {
    const DEPTH: usize = 1_000;
    let mut recorder = Recorder::with_bounds(100, 100, 100, DEPTH);
    recorder.begin(0, Allowance::default());
    for _ in 0..DEPTH + 500 {
        start(&mut recorder, VIEW, 0);
    }
    assert_eq!(start(&mut recorder, OWN, 0), Entered::New);
    recorder.hide_top();
    recorder.leave(OWN, Exit::Return, 1);
    recorder.leave(VIEW, Exit::Unwind, 1);
    for _ in 1..DEPTH + 500 {
        recorder.leave(VIEW, Exit::Return, 1);
    }
    assert_eq!(recorder.depth(), 0);
    let tree = recorder.finish(2);
    assert_eq!(tree.calls, DEPTH as u64 + 501);
    assert_eq!(tree.nodes.iter().map(|n| n.calls).sum::<u64>(), tree.calls);
    assert_eq!(tree.nodes.iter().map(|n| n.errors).sum::<u64>(), 1);
    assert_eq!(tree.nodes.iter().map(|n| n.self_ticks).sum::<u64>(), 2);
}

#[test]
fn ten_million_calls_take_no_memory() {
    let mut recorder = recorder();
    let mut call_both = |now: u64| {
        start(&mut recorder, VIEW, 2 * now);
        start(&mut recorder, HELPER, 2 * now);
        recorder.leave(HELPER, Exit::Return, 2 * now + now % 2);
        recorder.leave(VIEW, Exit::Return, 2 * now + 1);
        recorder.bytes()
    };
    let after_a_few = (0..5_000).map(&mut call_both).max();
    let after_all = (5_000..5_000_000).map(&mut call_both).max();
    assert_eq!(after_a_few, after_all);
    let tree = recorder.finish(10_000_000);
    assert_eq!((tree.calls, tree.events), (10_000_001, 20_000_000));
    assert_eq!((tree.nodes.len(), node(&tree, VIEW).total), (3, 5_000_000));
    assert!(tree.timeline.len() <= TIMELINE_ENTRIES);
}

#[test]
fn xrays_own_calls_are_not_there_and_their_time_is_their_callers() {
    let mut recorder = recorder();
    for round in 0..3 {
        let now = round * 100;
        start(&mut recorder, VIEW, now);
        if start(&mut recorder, OWN, now + 10) == Entered::New {
            recorder.hide_top();
        }
        start(&mut recorder, HELPER, now + 20);
        recorder.leave(HELPER, Exit::Return, now + 30);
        recorder.leave(OWN, Exit::Return, now + 40);
        recorder.leave(VIEW, Exit::Return, now + 50);
    }
    let tree = recorder.finish(300);
    assert_eq!(tree.nodes.len(), 3);
    assert_eq!((node(&tree, VIEW).total, node(&tree, VIEW).self_ticks), (150, 120));
    assert_eq!((node(&tree, HELPER).parent, node(&tree, HELPER).calls), (Some(1), 3));
    assert_eq!(tree.calls, 7);
}

#[test]
fn hiding_at_the_wrong_time_does_nothing() {
    let mut recorder = recorder();
    recorder.hide_top();
    start(&mut recorder, VIEW, 0);
    recorder.leave(VIEW, Exit::Return, 1);
    start(&mut recorder, VIEW, 2);
    recorder.hide_top();
    let tree = recorder.finish(3);
    assert_eq!(node(&tree, VIEW).calls, 2);
}

#[test]
fn a_segment_may_be_opened_and_closed_by_xrays_own_functions() {
    let query = CallKey::segment(1);
    let (opens, closes) = (CallKey(10), CallKey(12));
    let mut recorder = recorder();
    start(&mut recorder, VIEW, 0);
    start(&mut recorder, opens, 1);
    recorder.hide_top();
    start(&mut recorder, query, 2);
    recorder.leave(opens, Exit::Return, 3);
    start(&mut recorder, HELPER, 4);
    recorder.leave(HELPER, Exit::Return, 14);
    start(&mut recorder, closes, 15);
    recorder.hide_top();
    recorder.add_rows(5);
    recorder.leave(query, Exit::Return, 22);
    recorder.leave(closes, Exit::Return, 23);
    recorder.leave(VIEW, Exit::Return, 30);
    assert_eq!(recorder.depth(), 0);
    let tree = recorder.finish(30);
    let found = node(&tree, query);
    assert_eq!((found.calls, found.total, found.self_ticks, found.rows), (1, 20, 10, 5));
    assert_eq!(node(&tree, HELPER).parent, Some(2));
    assert_eq!((node(&tree, VIEW).self_ticks, tree.unmatched_returns), (10, 0));
}

#[test]
fn returns_out_of_order_close_what_is_above_and_foreign_ones_are_counted() {
    let mut recorder = recorder();
    recorder.leave(HELPER, Exit::Return, 1);
    start(&mut recorder, VIEW, 2);
    start(&mut recorder, HELPER, 3);
    recorder.leave(CallKey(98), Exit::Return, 4);
    recorder.leave(VIEW, Exit::Unwind, 5);
    recorder.leave(HELPER, Exit::Return, 6);
    let tree = recorder.finish(7);
    assert_eq!(tree.unmatched_returns, 1, "what was live before the trace is no mismatch");
    assert_eq!((node(&tree, VIEW).errors, node(&tree, HELPER).errors), (1, 0));
    assert_eq!((node(&tree, VIEW).total, node(&tree, HELPER).total), (3, 2));
}

#[test]
fn a_clock_that_goes_back_stands_still() {
    let mut recorder = recorder();
    start(&mut recorder, VIEW, 100);
    start(&mut recorder, HELPER, 90);
    recorder.leave(HELPER, Exit::Return, 95);
    recorder.leave(VIEW, Exit::Return, 110);
    let tree = recorder.finish(105);
    assert_eq!((node(&tree, VIEW).total, node(&tree, HELPER).total, tree.duration()), (10, 0, 110));
}

#[test]
fn events_without_a_trace_are_ignored() {
    let mut recorder = Recorder::new();
    assert_eq!(start(&mut recorder, VIEW, 1), Entered::Known);
    recorder.leave(VIEW, Exit::Return, 2);
    recorder.hide_top();
    recorder.add_rows(1);
    let tree = recorder.finish(3);
    assert_eq!((tree.nodes.len(), tree.timeline.len(), tree.calls, tree.duration()), (0, 0, 0, 0));
}

#[test]
fn a_recorder_used_again_knows_the_paths_of_before_and_nothing_else() {
    let mut recorder = Recorder::with_bounds(3, 4, 10, 100);
    // Two nodes beside the root, four functions.
    let run = |recorder: &mut Recorder, first_new: u64| {
        recorder.begin(50, Allowance::default());
        for key in 1..10 {
            let new = start(recorder, CallKey(2 * key), 50 + key) == Entered::New;
            assert_eq!(new, (first_new..=6).contains(&key), "{key}");
        }
        recorder.finish(100)
    };
    let first = run(&mut recorder, 1);
    assert_eq!(run(&mut recorder, 3), first);
    recorder.forget_paths();
    assert_eq!(run(&mut recorder, 1), first);
}

/// Ten million calls on random paths of many functions, in two threads: every kind of memory is used up.
#[test]
fn a_trace_keeps_to_its_memory_and_counts_every_function() {
    let memory = Allowance::default();
    let mut recorders: Vec<Recorder> = (0..2).map(|_| Recorder::new()).collect();
    recorders.iter_mut().for_each(|recorder| recorder.begin(0, memory.clone()));
    let mut calls = vec![0_u64; 1_000];
    let mut random = 1_u64;
    let mut now = 0;
    for round in 0..100_000_usize {
        let recorder = &mut recorders[round % 2];
        let mut open = Vec::new();
        for _ in 0..100 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let function = (random >> 33) as usize % calls.len();
            calls[function] += 1;
            now += random >> 60;
            let key = CallKey(2 * function as u64 + 2);
            if start(recorder, key, now) == Entered::New && function.is_multiple_of(3) {
                recorder.mark_top();
            }
            recorder.describe_top("tag='django'");
            open.push(key);
        }
        open.iter().rev().for_each(|key| recorder.leave(*key, Exit::Return, now));
        if round.is_multiple_of(1_000) {
            let bytes: usize = recorders.iter().map(Recorder::bytes).sum();
            assert!(bytes <= TRACE_BYTES - memory.left(), "{bytes} bytes, {} left", memory.left());
        }
    }
    assert!(memory.left() < TRACE_BYTES / 4, "{} bytes left", memory.left());
    let trees: Vec<RecordedTree> = recorders.iter_mut().map(|recorder| recorder.finish(now)).collect();
    let mut recorded = vec![0; calls.len()];
    for node in trees.iter().flat_map(|tree| &tree.nodes) {
        if let NodeName::Call(key) = node.name {
            recorded[key.0 as usize / 2 - 1] += node.calls;
        }
    }
    assert!(recorded == calls, "every function has its count");
    assert!(trees.iter().all(|tree| tree.paths_folded > 0 && tree.timeline.len() > 100));
}

#[test]
fn a_recorder_used_again_brings_its_memory_or_gives_it_up() {
    let deep = |recorder: &mut Recorder| {
        for depth in 1..5_000 {
            start(recorder, CallKey(2 * depth), depth);
        }
    };
    let mut recorder = recorder();
    deep(&mut recorder);
    recorder.finish(5_000);
    let full = recorder.bytes();
    let memory = Allowance::default();
    recorder.begin(0, memory.clone());
    assert!(recorder.bytes() > full / 2 && memory.left() + recorder.bytes() <= TRACE_BYTES);
    let little = Allowance::of(200_000);
    recorder.begin(0, little.clone());
    assert!(recorder.bytes() <= 200_000 - little.left(), "{} bytes", recorder.bytes());
    deep(&mut recorder);
    assert!(recorder.bytes() <= 200_000);
    assert_eq!(recorder.finish(5_000).calls, 5_000);
}

#[test]
fn with_more_functions_than_memory_the_sums_still_hold() {
    let memory = Allowance::default();
    let mut recorders: Vec<Recorder> = (0..8).map(|_| Recorder::new()).collect();
    recorders.iter_mut().for_each(|recorder| recorder.begin(0, memory.clone()));
    for now in 0..200_000_u64 {
        let recorder = &mut recorders[now as usize % 8];
        let key = CallKey(2 + 2 * (now * 7_919 % 30_011));
        start(recorder, key, now);
        recorder.leave(key, Exit::Return, now + 1);
    }
    let bytes: usize = recorders.iter().map(Recorder::bytes).sum();
    assert!(bytes <= TRACE_BYTES, "{bytes} bytes");
    for recorder in &mut recorders {
        let tree = recorder.finish(200_000);
        assert_eq!(tree.calls, 25_001);
        assert_eq!(tree.nodes.iter().map(|node| node.calls).sum::<u64>(), tree.calls);
        assert_eq!(tree.nodes.iter().map(|node| node.self_ticks).sum::<u64>(), 200_000);
    }
}
