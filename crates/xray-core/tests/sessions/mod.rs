//! Sessions of every shape, for property tests here and in xray-report.

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use std::collections::BTreeMap;
use xray_core::histogram::LatencyHistogram;
use xray_core::model::*;

/// Start of all of them.
pub(crate) const START: u64 = 1_767_225_600_000_000_000;

/// The header that all of them have.
pub(crate) fn header() -> SessionHeader {
    SessionHeader {
        id: SessionId("s0123456789a".to_owned()),
        app: "blog".to_owned(),
        target: Target { given: "/tags/<tag>/".into(), canonical: "/tags/{}/".into(), kind: TargetKind::Route },
        limits: Limits {
            duration_ns: 60_000_000_000,
            traces: 5,
            stop_after: Some(1_000),
            min_ns: 0,
            share: 0.75,
            max_overhead: 0.05,
            hz: 100,
        },
        seed: 7,
        started_unix_ns: START,
    }
}

/// Names out of few, so that sessions share some.
fn symbol() -> impl Strategy<Value = Symbol> {
    let kinds = [SymbolKind::Transaction, SymbolKind::Function, SymbolKind::Sql, SymbolKind::Thread, SymbolKind::Gc];
    (prop::sample::select(kinds.to_vec()), 0_u32..6, "[a-zü]{0,2}").prop_map(|(kind, line, detail)| Symbol {
        kind,
        name: format!("name {line}"),
        file: if line == 0 { String::new() } else { format!("blog/{line}.py") },
        line,
        detail,
    })
}

/// Small most of the time, at the limit now and then: sums must not overflow.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0_u64..5_000_000, 1 => Just(0), 1 => Just(u64::MAX)]
}

fn histogram() -> impl Strategy<Value = LatencyHistogram> {
    vec(1_000_u64..10_000_000_000, 0..20).prop_map(|values| {
        let mut histogram = LatencyHistogram::default();
        values.into_iter().for_each(|ns| histogram.record(ns));
        histogram
    })
}

fn arm() -> impl Strategy<Value = ArmStats> {
    (histogram(), number(), any::<u128>(), number(), number()).prop_map(|(latency, a, b, c, d)| ArmStats {
        latency,
        wall_sum_ns: a.into(),
        wall_square_sum: b,
        cpu_sum_ns: c.into(),
        cpu_square_sum: d.into(),
    })
}

/// A parent before each place.
fn parents(places: Vec<prop::sample::Index>) -> Vec<Option<u32>> {
    places.into_iter().enumerate().map(|(at, index)| (index.index(at + 1) as u32).checked_sub(1)).collect()
}

fn call_tree(symbols: usize) -> impl Strategy<Value = CallTree> {
    vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), [number(), number(), number()]), 0..30).prop_map(
        move |rows| {
            let parents = parents(rows.iter().map(|row| row.0).collect());
            let node = |(parent, (_, symbol, n)): (Option<u32>, (_, prop::sample::Index, [u64; 3]))| CallTreeNode {
                parent,
                symbol: SymbolId(symbol.index(symbols) as u32),
                calls: n[0],
                resumes: n[1],
                errors: n[2],
                rows: n[0],
                traces: n[1],
                total_ns: n[2],
                self_ns: n[0],
                min_ns: if n[0] == 0 { 0 } else { n[1] },
                max_ns: n[2],
            };
            let nodes: Vec<_> = parents.into_iter().zip(rows).map(node).collect();
            let mut sum = TreeSum::default();
            sum.add(&nodes, |symbol| symbol);
            CallTree { nodes: sum.into_preorder() }
        },
    )
}

fn sample_tree(symbols: usize) -> impl Strategy<Value = SampleTree> {
    let kinds = [ThreadKind::Target, ThreadKind::Web, ThreadKind::Background, ThreadKind::Other];
    let row = (
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        prop::sample::select(kinds.to_vec()),
        0_u32..4,
        number(),
    );
    vec(row, 0..30).prop_map(move |rows| {
        let parents = parents(rows.iter().map(|row| row.0).collect());
        let nodes: Vec<_> = parents
            .into_iter()
            .zip(rows)
            .map(|(parent, (_, symbol, kind, line, n))| SampleTreeNode {
                parent,
                symbol: SymbolId(symbol.index(symbols) as u32),
                line,
                kind,
                count: n,
                self_count: n / 2,
                weight_ns: n,
                self_ns: n / 3,
                self_cpu_ns: n / 4,
                self_states: [n, 0, 1, n, 2],
            })
            .collect();
        let mut sum = TreeSum::default();
        sum.add(&nodes, |symbol| symbol);
        SampleTree { nodes: sum.into_preorder() }
    })
}

fn waits(symbols: usize) -> impl Strategy<Value = Waits> {
    let kinds = prop::sample::select(vec![ThreadKind::Target, ThreadKind::Background, ThreadKind::Other]);
    let symbol = || any::<prop::sample::Index>().prop_map(move |index| SymbolId(index.index(symbols) as u32));
    let holder = (kinds.clone(), symbol(), symbol(), 0_u32..3).prop_map(|(kind, thread, function, line)| GilHolder {
        kind,
        thread,
        function,
        line,
    });
    let on = prop_oneof![option::of(holder).prop_map(WaitedOn::Gil), symbol().prop_map(WaitedOn::Call)];
    btree_map((kinds, on).prop_map(|(kind, on)| Wait { kind, on }), number(), 0..6)
}

fn trace(symbols: usize) -> impl Strategy<Value = Trace> {
    let nodes = vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), number()), 1..12);
    let timeline = vec((any::<prop::sample::Index>(), number(), number()), 0..6);
    let facts = (any::<u64>(), 0_u64..50, option::of(200_u16..600), option::of("[a-z.]{1,9}"), any::<bool>());
    (facts, nodes, timeline, btree_map("[a-z]{1,4}", "[a-zé/]{0,6}", 0..3)).prop_map(
        move |(facts, rows, timeline, attributes)| {
            let (id, duration_ns, status, error, complete) = facts;
            let parents = parents(rows.iter().map(|row| row.0).collect());
            let nodes = parents
                .into_iter()
                .zip(&rows)
                .map(|(parent, (_, symbol, n))| TraceNode {
                    parent,
                    symbol: SymbolId(symbol.index(symbols) as u32),
                    calls: *n,
                    resumes: 1,
                    errors: 0,
                    total_ns: *n,
                    self_ns: n / 2,
                    min_ns: 1,
                    max_ns: *n,
                    recursion_depth: 1,
                    rows: 3,
                })
                .collect();
            let (nodes, _) = preorder(nodes);
            let entry = |(node, start_ns, duration_ns): &(prop::sample::Index, u64, u64)| TimelineEntry {
                node: node.index(nodes.len()) as u32,
                start_ns: *start_ns,
                duration_ns: *duration_ns,
                folded: 2,
                arguments: (duration_ns % 2 == 1).then(|| format!("n={start_ns}")),
            };
            Trace {
                id: TraceId(id),
                process: ProcessKey(id % 3),
                thread: "MainThread".to_owned(),
                started_unix_ns: START + id % 1_000,
                duration_ns,
                cpu_ns: duration_ns / 2,
                status,
                error,
                calls: 9,
                complete,
                paths_folded: 0,
                timeline_threshold_ns: 100,
                attributes: attributes.into_iter().collect(),
                timeline: timeline.iter().map(entry).collect(),
                samples: samples(symbols, duration_ns),
                nodes,
            }
        },
    )
}

/// Some of a few traces, with a path of as many frames.
fn samples(symbols: usize, duration_ns: u64) -> TraceSamples {
    let depth = (duration_ns % 4) as u32;
    let frame = |at: u32| SampledFrame {
        parent: at.checked_sub(1),
        symbol: SymbolId((at as usize % symbols) as u32),
        line: at % 3,
    };
    let sample = |at: u32| TraceSample {
        at_ns: u64::from(at) * 7,
        frame: at.checked_sub(1),
        state: if at.is_multiple_of(2) { ThreadState::OnCpu } else { ThreadState::WaitingForGil },
        count: u64::from(at),
        weight_ns: u64::from(at) * 10,
        cpu_ns: u64::from(at),
    };
    TraceSamples {
        frames: (0..depth).map(frame).collect(),
        samples: (0..=depth).map(sample).filter(|_| depth > 0).collect(),
        dropped: u64::from(depth == 3),
    }
}

fn process() -> impl Strategy<Value = ProcessInfo> {
    let ends = [ProcessEnd::Finished, ProcessEnd::Exited, ProcessEnd::Lost];
    (1_u64..6, prop::sample::select(ends.to_vec()), 0_u64..9).prop_map(|(key, end, left)| ProcessInfo {
        key: ProcessKey(key),
        host: "web-1".to_owned(),
        pid: key as u32,
        python: "3.12.1".to_owned(),
        framework: (key % 2 == 0).then(|| "Django 5.2.19".to_owned()),
        joined_unix_ns: START,
        left_unix_ns: START + left,
        end,
        capabilities: Capabilities {
            tracer: Mechanism { name: "monitoring".to_owned(), reason: "CPython 3.12".to_owned() },
            sampler: Mechanism { name: "gil".to_owned(), reason: "no offsets".to_owned() },
            clock: "tsc".to_owned(),
            event_cost_ns: 90,
        },
    })
}

type Lists = (Vec<ProcessInfo>, BTreeMap<u32, SecondStats>, Vec<Loss>, Vec<Decision>, Vec<Note>);

fn lists() -> impl Strategy<Value = Lists> {
    let second = (number(), number(), histogram()).prop_map(|(matched, other, latency)| SecondStats {
        matched,
        other,
        latency,
        samples: [matched % 3, 0, other % 2, other],
    });
    let losses = [LossKind::TraceChannel, LossKind::PathsFolded, LossKind::FileBytes, LossKind::WriteErrors];
    let loss = (prop::sample::select(losses.to_vec()), number(), 0_u64..100);
    let decision = (0_u64..3, 0_u64..3, -2.0_f64..2.0).prop_map(|(process, at_ns, to)| Decision {
        process: ProcessKey(process),
        at_ns,
        what: "traced_share".to_owned(),
        from: 0.75,
        to,
        because: "overhead".to_owned(),
    });
    let note = (0_u32..4, any::<bool>()).prop_map(|(code, warning)| Note {
        code: NoteCode(format!("code_{code}")),
        severity: if warning { Severity::Warning } else { Severity::Info },
        message: "A sentence.".to_owned(),
    });
    let parts = (
        vec(process(), 0..3),
        btree_map(0_u32..5, second, 0..4),
        vec(loss, 0..4),
        vec(decision, 0..4),
        btree_set(note, 0..4),
    );
    parts.prop_map(|(processes, series, loss, mut decisions, notes)| {
        let processes: BTreeMap<_, _> = processes.into_iter().map(|process| (process.key, process)).collect();
        let mut losses = BTreeMap::new();
        loss.into_iter().for_each(|(kind, count, capacity)| Loss { kind, count, capacity }.add_to(&mut losses));
        decisions.sort_by(Decision::order);
        (
            processes.into_values().collect(),
            series,
            losses.into_values().collect(),
            decisions,
            notes.into_iter().collect(),
        )
    })
}

/// Any session with [`header`] that keeps what the model promises.
pub(crate) fn session() -> impl Strategy<Value = SessionData> {
    let ends =
        [StoppedBy::Time, StoppedBy::Traces, StoppedBy::User, StoppedBy::Exit, StoppedBy::Refused, StoppedBy::Lost];
    let facts = (prop::sample::select(ends.to_vec()), any::<bool>(), [number(), number(), number()], number());
    (btree_set(symbol(), 1..8), facts, arm(), arm(), lists()).prop_flat_map(
        |(symbols, facts, traced, control, lists)| {
            // Not sorted: an id is the place in the order of arrival.
            let mut table = SymbolTable::default();
            symbols.into_iter().rev().for_each(|symbol| {
                table.intern(symbol);
            });
            let size = table.entries().len();
            (call_tree(size), sample_tree(size), waits(size), vec(trace(size), 0..8)).prop_map(
                move |(call_tree, sample_tree, waits, traces)| {
                    let (stopped_by, recovered, n, ended) = facts;
                    let (processes, series, loss, decisions, notes) = lists.clone();
                    SessionData {
                        header: header(),
                        ended_unix_ns: START.saturating_add(ended),
                        stopped_by,
                        recovered,
                        processes,
                        symbols: table.clone(),
                        requests: RequestCounts {
                            traced: n[0],
                            control: n[1],
                            other: n[2],
                            ..RequestCounts::default()
                        },
                        traced: traced.clone(),
                        control: control.clone(),
                        traces,
                        call_tree,
                        sample_tree,
                        waits,
                        sample_stats: SampleStats {
                            count: n[0],
                            threads: n[1],
                            rate_hz: 100,
                            ..SampleStats::default()
                        },
                        series,
                        loss,
                        decisions,
                        notes,
                        process_cpu_ns: n[2],
                        xray_cpu_ns: n[1],
                    }
                },
            )
        },
    )
}
