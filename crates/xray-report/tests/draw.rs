//! From a session's file to the terminal and the page: the numbers of the file are on both.

use std::collections::BTreeMap;
use xray_core::format;
use xray_core::histogram::LatencyHistogram;
use xray_core::model::*;
use xray_report::build::{self, TreeSource};
use xray_report::{html, load_bytes, text};

const MS: u64 = 1_000_000;

/// 40 requests of 100 ms, half of it in one query; one trace kept.
fn session() -> SessionData {
    let mut symbols = SymbolTable::default();
    let mut symbol = |kind, name: &str, line, detail: &str| {
        let file = "/srv/blog/blog/views.py".to_owned();
        symbols.intern(Symbol { kind, name: name.to_owned(), file, line, detail: detail.to_owned() })
    };
    let route = symbol(SymbolKind::Transaction, "GET /tags/{}/", 0, "");
    let view = symbol(SymbolKind::Function, "tag_detail", 40, "");
    let query = symbol(SymbolKind::Sql, "blog_post - SELECT", 42, "SELECT * FROM blog_post WHERE tag_id = ?");
    let process = ProcessKey(7);
    let path = [(None, route, 100, 0), (Some(0), view, 100, 50), (Some(1), query, 50, 50)];
    let nodes = path.map(|(parent, symbol, total, own)| TraceNode {
        parent,
        symbol,
        calls: 1,
        resumes: 0,
        errors: 0,
        total_ns: total * MS,
        self_ns: own * MS,
        min_ns: total * MS,
        max_ns: total * MS,
        recursion_depth: 1,
        rows: 12,
    });
    let entry = |node, start, duration| TimelineEntry {
        node,
        start_ns: start * MS,
        duration_ns: duration * MS,
        folded: 0,
        arguments: None,
    };
    let trace = Trace {
        id: TraceId(0xabc),
        process,
        thread: "MainThread".into(),
        started_unix_ns: 1_795_356_190 * 1_000_000_000,
        duration_ns: 100 * MS,
        cpu_ns: 60 * MS,
        status: Some(200),
        error: None,
        calls: 3,
        complete: true,
        paths_folded: 0,
        timeline_threshold_ns: 20_000,
        attributes: vec![("method".into(), "GET".into()), ("path".into(), "/tags/django/".into())],
        nodes: nodes.to_vec(),
        timeline: vec![entry(0, 0, 100), entry(1, 0, 100), entry(2, 30, 50)],
        samples: TraceSamples {
            frames: vec![SampledFrame { parent: None, symbol: path[1].1, line: 43 }],
            samples: vec![TraceSample {
                at_ns: 40 * MS,
                frame: Some(0),
                state: ThreadState::Blocked,
                count: 5,
                weight_ns: 50 * MS,
                cpu_ns: 0,
            }],
            dropped: 0,
        },
    };
    let calls = path.map(|(parent, symbol, total, own)| CallTreeNode {
        parent,
        symbol,
        calls: 40,
        resumes: 0,
        errors: 0,
        rows: 0,
        traces: 40,
        total_ns: 40 * total * MS,
        self_ns: 40 * own * MS,
        min_ns: total * MS,
        max_ns: total * MS,
    });
    let frame = |parent, symbol, own: u64| SampleTreeNode {
        parent,
        symbol,
        line: 43,
        kind: ThreadKind::Target,
        count: 200,
        self_count: own,
        weight_ns: 2_000 * MS,
        self_ns: own * 10 * MS,
        self_cpu_ns: 0,
        self_states: [own, 0, 0, 0, 0],
    };
    let mut latency = LatencyHistogram::default();
    (0..40).for_each(|_| latency.record(100 * MS));
    let traced = ArmStats { latency: latency.clone(), wall_sum_ns: u128::from(4_000 * MS), ..ArmStats::default() };
    let mechanism = |name: &str| Mechanism { name: name.into(), reason: "Python 3.12".into() };
    let start = 1_795_356_185 * 1_000_000_000;
    SessionData {
        header: SessionHeader {
            id: SessionId("k3j9x0a1b2c3".into()),
            app: "blog".into(),
            target: Target { given: "/tags/<tag>/".into(), canonical: "/tags/{}/".into(), kind: TargetKind::Route },
            limits: Limits {
                duration_ns: 20_000 * MS,
                traces: 100,
                stop_after: None,
                min_ns: 0,
                share: 0.75,
                max_overhead: 0.05,
                hz: 100,
            },
            seed: 1,
            started_unix_ns: start,
        },
        ended_unix_ns: start + 20_000 * MS,
        stopped_by: StoppedBy::Time,
        recovered: false,
        processes: vec![ProcessInfo {
            key: process,
            host: "web-1".into(),
            pid: 4711,
            python: "3.12.1".into(),
            framework: Some("Django 5.2.19".into()),
            joined_unix_ns: start,
            left_unix_ns: start + 20_000 * MS,
            end: ProcessEnd::Finished,
            capabilities: Capabilities {
                tracer: mechanism("monitoring"),
                sampler: mechanism("gil"),
                clock: "tsc".into(),
                event_cost_ns: 60,
            },
        }],
        symbols,
        requests: RequestCounts { traced: 40, other: 500, ..RequestCounts::default() },
        traced,
        control: ArmStats::default(),
        traces: vec![trace],
        call_tree: CallTree { nodes: calls.to_vec() },
        sample_tree: SampleTree { nodes: vec![frame(None, route, 0), frame(Some(0), view, 200)] },
        waits: Waits::from([
            (
                Wait {
                    kind: ThreadKind::Target,
                    on: WaitedOn::Gil(Some(GilHolder {
                        kind: ThreadKind::Other,
                        thread: route,
                        function: view,
                        line: 4_711,
                    })),
                },
                1_100 * MS,
            ),
            (
                Wait {
                    kind: ThreadKind::Target,
                    on: WaitedOn::Gil(Some(GilHolder {
                        kind: ThreadKind::Other,
                        thread: route,
                        function: view,
                        line: 42,
                    })),
                },
                100 * MS,
            ),
        ]),
        sample_stats: SampleStats { count: 200, on_target: 200, threads: 1, rate_hz: 100, ..SampleStats::default() },
        series: BTreeMap::from([(3, SecondStats { matched: 40, other: 500, latency, samples: [200, 0, 0, 100] })]),
        loss: vec![Loss { kind: LossKind::SampleChannel, count: 2, capacity: 64 }],
        decisions: vec![],
        notes: vec![],
        process_cpu_ns: 10_000 * MS,
        xray_cpu_ns: 200 * MS,
    }
}

/// What both drawings of a file must say.
const TOLD: [&str; 11] = [
    "Waited for the GIL",
    "blog/views.py:4711",
    "blog_post - SELECT",
    "SELECT * FROM blog_post WHERE tag_id = ?",
    "blog/views.py:42",
    "0000000000000abc",
    "there is no control",
    "2 batches of samples dropped",
    "xray used 2.0 % of the processes' CPU time",
    "web-1",
    "sys.monitoring (Python 3.12)",
];

#[test]
fn a_file_is_drawn_in_both_ways() {
    let data = load_bytes(&[("session.xr".to_owned(), format::write(&session()).unwrap())]).unwrap();
    let report = build::report(&data);
    let (samples, calls) = (build::tree(&data, TreeSource::Samples), build::tree(&data, TreeSource::Calls));
    let trace = build::trace(&data, &report.traces[0].id).unwrap();
    let terminal = text::report(&report, &samples, &calls, &text::Options::plain(120));
    let page = html::page(&report, &samples, &calls, std::slice::from_ref(&trace));
    let page = page.replace("&#x27;", "'").replace("&#x2f;", "/");
    for told in TOLD {
        assert!(terminal.contains(told), "{told} is missing in\n{terminal}");
        assert!(page.contains(told), "{told} is missing on the page");
    }
    assert_eq!(terminal.lines().next(), report.verdict.text.get(..terminal.lines().next().unwrap().len()));

    let table = text::trace(&trace, &text::Options::plain(120));
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    let expected = ["50.00", "50.0", "blog_post", "-", "SELECT", "(12", "rows)", "blog/views.py:42", "30.00"];
    assert!(rows.contains(&expected.to_vec()), "{table}");
}

#[test]
fn a_cut_file_says_so_in_its_first_lines() {
    let whole = format::write(&session()).unwrap();
    let cut = whole[..whole.len() - 40].to_vec();
    let data = load_bytes(&[("session.xr".to_owned(), cut)]).unwrap();
    let report = build::report(&data);
    let none = build::tree(&data, TreeSource::Samples);
    let terminal = text::report(&report, &none, &none, &text::Options::plain(120));
    let alert = terminal.lines().find(|line| line.starts_with("! ")).unwrap();
    assert_eq!(alert, "! The file is damaged or cut; this is what could be recovered.");
}
