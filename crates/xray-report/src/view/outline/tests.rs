//! Nesting, folding and limits: by hand, on arrays of any shape, and on what the recorder really writes.

use super::*;
use crate::view::fixture::{entry, node, trace};
use proptest::prelude::*;
use xray_core::model::SymbolId;
use xray_core::trace::{Allowance, CallKey, Entry, Exit, Recorder, Strand, Subject, TickScale, TraceBody};

fn detail(nodes: Vec<TraceNode>, timeline: Vec<TimelineEntry>) -> TraceDetail {
    TraceDetail { nodes, timeline, ..trace().trace }
}

/// Depth and node of each segment.
fn segments(rows: &[Row]) -> Vec<(usize, usize)> {
    let segment = |row: &Row| match row {
        Row::Segment { depth, node, .. } => Some((*depth, *node)),
        _ => None,
    };
    rows.iter().filter_map(segment).collect()
}

/// view(100 ms, once) calls query twice (30, 40 ms) and helper 6 times, too short for entries.
fn simple() -> TraceDetail {
    let mut nodes = vec![node(-1, "GET /x", 1), node(0, "view", 1), node(1, "query", 2), node(1, "helper", 6)];
    nodes[0].self_ns = 0;
    nodes[1].self_ns = 25_000_000;
    let timeline =
        vec![entry(1, 0, 100_000_000, 6), entry(2, 10_000_000, 30_000_000, 0), entry(2, 50_000_000, 40_000_000, 0)];
    let mut detail = detail(nodes, timeline);
    detail.summary.duration_ns = 100_000_000;
    detail
}

#[test]
fn nests_by_containment_and_folds_the_rest_exactly() {
    let rows = outline(&simple(), 50);
    let told: Vec<_> = rows
        .iter()
        .map(|row| match row {
            Row::Segment { depth, node, problem, .. } => format!("{depth} node {node} {problem}"),
            Row::Fast { depth, calls, time } => format!("{depth} fast {calls} {time:?}"),
            Row::More { .. } => "more".to_owned(),
        })
        .collect();
    assert_eq!(told, ["0 node 0 false", "1 node 1 true", "2 node 2 true", "2 node 2 true", "2 fast 6 Exact(5000000)"]);
}

#[test]
fn a_limit_keeps_the_longest_and_tells_what_is_left() {
    let rows = outline(&simple(), 3);
    assert_eq!(
        rows[2],
        Row::Segment {
            depth: 2,
            node: 2,
            start_ns: 50_000_000,
            duration_ns: 40_000_000,
            arguments: None,
            problem: true
        }
    );
    assert_eq!(rows[3], Row::More { depth: 2, segments: 1, duration_ns: 30_000_000 });
}

#[test]
fn a_trace_without_entries_still_has_its_transaction_and_its_calls() {
    let mut bare = simple();
    bare.timeline.clear();
    let rows = outline(&bare, 50);
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1], Row::Fast { depth: 1, calls: 9, time: FastTime::Exact(100_000_000) });
    bare.nodes.clear();
    assert_eq!(outline(&bare, 50), []);
}

#[test]
fn threads_stand_beside_the_transaction_not_inside_it() {
    let nodes = vec![node(-1, "GET /x", 1), node(0, "view", 1), node(-1, "Thread-1", 1), node(2, "work", 1)];
    let rows = outline(&detail(nodes, vec![entry(1, 0, 90, 0), entry(3, 10, 50, 0)]), 50);
    assert_eq!(segments(&rows), [(0, 0), (1, 1), (0, 2), (1, 3)]);
}

#[test]
fn a_call_whose_path_was_folded_stays_where_it_ran() {
    // deep() ran inside view() but its path is under the "other" node; query() came after it, in view() too.
    let nodes = vec![
        node(-1, "GET /x", 1),
        node(0, "view", 1),
        node(1, "query", 1),
        node(0, "other functions", 0),
        node(3, "deep", 1),
    ];
    let timeline = vec![entry(0, 0, 100, 0), entry(1, 0, 100, 0), entry(4, 10, 20, 0), entry(2, 40, 30, 0)];
    assert_eq!(segments(&outline(&detail(nodes, timeline), 50)), [(0, 0), (1, 1), (2, 4), (2, 2)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_arrays_are_drawn_with_every_segment_told(
        parents in prop::collection::vec(-2_i64..20, 1..20),
        entries in prop::collection::vec((0_u64..25, 0_u64..1_000, 0_u64..1_000, 0_u64..5), 0..40),
        most in 1_usize..60,
    ) {
        let nodes: Vec<_> = parents.iter().map(|p| node(*p, "f", 1)).collect();
        let timeline: Vec<_> = entries.iter().map(|(n, s, d, f)| entry(*n, *s, *d, *f)).collect();
        let valid = timeline.iter().filter(|e| (e.node as usize) < nodes.len()).count() as u64;
        let rows = outline(&detail(nodes, timeline), most);
        let told: u64 = rows.iter().map(|row| match row {
            Row::Segment { .. } => 1,
            Row::More { segments, .. } => *segments,
            Row::Fast { .. } => 0,
        }).sum();
        prop_assert!(told >= valid);
        let shown = rows.iter().filter(|r| matches!(r, Row::Segment { .. })).count();
        prop_assert!(shown <= most);
    }

    #[test]
    fn recorded_programs_are_told_to_the_last_call(
        steps in prop::collection::vec((0_u64..9, 1_u64..2_000), 0..6_000),
    ) {
        let detail = recorded(&steps);
        let rows = outline(&detail, usize::MAX);
        let mut told = 0;
        let mut open: Vec<usize> = Vec::new();
        for row in &rows {
            match row {
                Row::Segment { depth, node, .. } => {
                    told += u64::from(*depth > 0);
                    open.truncate(*depth);
                    // What stands around a segment is on its own path.
                    let around = open.last().copied();
                    let ancestors = std::iter::successors(Some(*node), |at| parent_of(&detail.nodes[*at], *at));
                    prop_assert!(around.is_none_or(|around| ancestors.into_iter().any(|at| at == around)));
                    open.push(*node);
                }
                Row::Fast { calls, .. } => told += calls,
                Row::More { .. } => prop_assert!(false, "nothing is left out"),
            }
        }
        // The trace counts the transaction too.
        prop_assert_eq!(told + 1, detail.summary.calls);
    }
}

/// A trace as the recorder writes it: functions 0 to 5 are called, 6 to 8 return.
fn recorded(steps: &[(u64, u64)]) -> TraceDetail {
    let mut recorder = Recorder::new();
    let (mut now, mut stack) = (0, Vec::new());
    recorder.begin(now, Allowance::default());
    for (what, ticks) in steps {
        now += ticks;
        if *what < 6 && stack.len() < 30 {
            stack.push(CallKey(*what));
            recorder.enter(CallKey(*what), Entry::Start, now);
        } else if let Some(key) = stack.pop() {
            recorder.leave(key, Exit::Return, now);
        }
    }
    let strand = Strand { name: None, started_ticks: 0, tree: recorder.finish(now + 1) };
    let body = TraceBody::new(&[strand], TickScale::NANOSECONDS, |subject| match subject {
        Subject::Call(key) => SymbolId(key.0 as u32 + 1),
        _ => SymbolId(0),
    });
    let nodes = body.nodes.iter().map(|n| TraceNode {
        total_ns: n.total_ns,
        self_ns: n.self_ns,
        ..node(n.parent.map_or(-1, i64::from), &format!("f{}", n.symbol.0), n.calls)
    });
    let mut recorded = detail(
        nodes.collect(),
        body.timeline.iter().map(|e| entry(e.node.into(), e.start_ns, e.duration_ns, e.folded)).collect(),
    );
    (recorded.summary.duration_ns, recorded.summary.calls) = (body.duration_ns, body.calls);
    recorded
}
