//! Files of old versions stay readable. `golden/v1.xr` was written by this program as of format version 1, with traces that
//! are not packed; `golden/v1-packed.xr` since they are. `XRAY_WRITE_GOLDEN=1 cargo test -p xray-core --test format_golden`
//! writes the latter again, which is right only while the version has not been released.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::collections::BTreeMap;
use std::path::Path;
use xray_core::format::{Kind, dump, read, write};
use xray_core::histogram::LatencyHistogram;
use xray_core::model::*;

const START: u64 = 1_767_225_600_000_000_000;
const MS: u64 = 1_000_000;

/// One of everything, each number different from its neighbours.
fn known() -> SessionData {
    let mut symbols = SymbolTable::default();
    let mut name = |kind, name: &str, file: &str, line, detail: &str| {
        symbols.intern(Symbol { kind, name: name.to_owned(), file: file.to_owned(), line, detail: detail.to_owned() })
    };
    let transaction = name(SymbolKind::Transaction, "GET /tags/{}/", "", 0, "");
    let view = name(SymbolKind::Function, "tag_detail", "blog/views.py", 42, "");
    let sql = name(SymbolKind::Sql, "blog_post - SELECT", "blog/views.py", 47, "SELECT * FROM blog_post WHERE id = ?");
    name(SymbolKind::Template, "Render/blog/tag_detail.html", "", 0, "");
    name(SymbolKind::External, "GET example.org", "", 0, "https://example.org/");
    name(SymbolKind::Cache, "get", "", 0, "");
    name(SymbolKind::Queue, "publish", "", 0, "");
    name(SymbolKind::Gc, "gc 2", "", 0, "");
    let thread = name(SymbolKind::Thread, "ThreadPoolExecutor-0_0", "", 0, "");
    name(SymbolKind::Other, "other functions", "", 0, "");
    let call = name(SymbolKind::Other, "recvfrom", "", 0, "");
    let arm = |values: &[u64], cpu_percent: u128| {
        let mut latency = LatencyHistogram::default();
        values.iter().for_each(|ns| latency.record(*ns));
        let sum: u128 = values.iter().map(|ns| u128::from(*ns)).sum();
        let squares: u128 = values.iter().map(|ns| u128::from(*ns).pow(2)).sum();
        ArmStats {
            latency,
            wall_sum_ns: sum,
            wall_square_sum: squares,
            cpu_sum_ns: sum * cpu_percent / 100,
            cpu_square_sum: squares * cpu_percent.pow(2) / 10_000,
        }
    };
    let trace_node = |parent, symbol, calls, total_ms: u64, self_ms: u64| TraceNode {
        parent,
        symbol,
        calls,
        resumes: 1,
        errors: 2,
        total_ns: total_ms * MS,
        self_ns: self_ms * MS,
        min_ns: MS,
        max_ns: total_ms * MS,
        recursion_depth: 3,
        rows: 4,
    };
    let call_node = |parent, symbol, calls, total_ms: u64, self_ms: u64| CallTreeNode {
        parent,
        symbol,
        calls,
        resumes: 5,
        errors: 6,
        rows: 7,
        traces: 3,
        total_ns: total_ms * MS,
        self_ns: self_ms * MS,
        min_ns: 2 * MS,
        max_ns: 9 * MS,
    };
    let sample_node = |parent, symbol, line, kind, count| SampleTreeNode {
        parent,
        symbol,
        line,
        kind,
        count,
        self_count: 10,
        weight_ns: count * 10 * MS,
        self_ns: 100 * MS,
        self_cpu_ns: 90 * MS,
        self_states: [4, 3, 1, 0, 2],
    };
    let process = |key, pid, end| ProcessInfo {
        key: ProcessKey(key),
        host: "web-1".to_owned(),
        pid,
        python: "3.12.1".to_owned(),
        framework: Some("Django 5.2.19".to_owned()),
        joined_unix_ns: START + 5 * MS,
        left_unix_ns: START + 20_000 * MS,
        end,
        capabilities: Capabilities {
            tracer: Mechanism { name: "monitoring".to_owned(), reason: "CPython 3.12.1".to_owned() },
            sampler: Mechanism { name: "gil".to_owned(), reason: "no offsets for this build".to_owned() },
            clock: "tsc".to_owned(),
            event_cost_ns: 87,
        },
    };
    let traced = arm(&[20 * MS, 30 * MS, 50 * MS], 70);
    let control = arm(&[18 * MS, 28 * MS], 80);
    let second = SecondStats { matched: 3, other: 11, latency: traced.latency.clone(), samples: [4, 3, 2, 61] };
    SessionData {
        header: SessionHeader {
            id: SessionId("k3j9x0a1b2c3".to_owned()),
            app: "gunicorn blog.wsgi (/srv/blog)".to_owned(),
            target: Target {
                given: "/tags/<tag>/".to_owned(),
                canonical: "/tags/{}/".to_owned(),
                kind: TargetKind::Route,
            },
            limits: Limits {
                duration_ns: 20_000 * MS,
                traces: 100,
                stop_after: Some(500),
                min_ns: 0,
                share: 0.75,
                max_overhead: 0.05,
                hz: 100,
            },
            seed: 42,
            started_unix_ns: START,
        },
        ended_unix_ns: START + 20_050 * MS,
        stopped_by: StoppedBy::User,
        recovered: false,
        processes: vec![process(1, 4_711, ProcessEnd::Finished), process(2, 4_712, ProcessEnd::Lost)],
        symbols,
        requests: RequestCounts { traced: 3, control: 2, discarded: 1, incomplete: 4, other: 11, errors: 1 },
        traced,
        control,
        traces: vec![Trace {
            id: TraceId(0xabcdef),
            process: ProcessKey(1),
            thread: "MainThread".to_owned(),
            started_unix_ns: START + 7 * MS,
            duration_ns: 50 * MS,
            cpu_ns: 35 * MS,
            status: Some(500),
            error: Some("django.db.utils.OperationalError".to_owned()),
            calls: 122,
            complete: false,
            paths_folded: 8,
            timeline_threshold_ns: 20_000,
            attributes: vec![
                ("incomplete".to_owned(), "the session ended".to_owned()),
                ("method".to_owned(), "GET".to_owned()),
            ],
            nodes: vec![
                trace_node(None, transaction, 1, 50, 2),
                trace_node(Some(0), view, 1, 48, 18),
                trace_node(Some(1), sql, 120, 30, 30),
                trace_node(None, thread, 1, 15, 15),
            ],
            timeline: vec![
                TimelineEntry { node: 1, start_ns: MS, duration_ns: 48 * MS, folded: 0, arguments: None },
                TimelineEntry { node: 2, start_ns: 2 * MS, duration_ns: 3 * MS, folded: 119, arguments: None },
            ],
            samples: TraceSamples {
                frames: vec![
                    SampledFrame { parent: None, symbol: view, line: 44 },
                    SampledFrame { parent: Some(0), symbol: sql, line: 0 },
                ],
                samples: vec![
                    TraceSample {
                        at_ns: 9 * MS,
                        frame: Some(1),
                        state: ThreadState::Blocked,
                        count: 3,
                        weight_ns: 30 * MS,
                        cpu_ns: MS,
                    },
                    TraceSample {
                        at_ns: 45 * MS,
                        frame: None,
                        state: ThreadState::WaitingForGil,
                        count: 1,
                        weight_ns: 10 * MS,
                        cpu_ns: 0,
                    },
                ],
                dropped: 2,
            },
        }],
        call_tree: CallTree {
            nodes: vec![
                call_node(None, transaction, 3, 100, 5),
                call_node(Some(0), view, 3, 95, 35),
                call_node(Some(1), sql, 360, 60, 60),
            ],
        },
        sample_tree: SampleTree {
            nodes: vec![
                sample_node(None, view, 44, ThreadKind::Target, 30),
                sample_node(Some(0), view, 47, ThreadKind::Target, 20),
                sample_node(None, thread, 0, ThreadKind::Other, 12),
            ],
        },
        waits: BTreeMap::from([
            (
                Wait {
                    kind: ThreadKind::Target,
                    on: WaitedOn::Gil(Some(GilHolder { kind: ThreadKind::Other, thread, function: view, line: 12 })),
                },
                17 * MS,
            ),
            (Wait { kind: ThreadKind::Target, on: WaitedOn::Gil(None) }, 3 * MS),
            (Wait { kind: ThreadKind::Web, on: WaitedOn::Call(call) }, 5 * MS),
        ]),
        sample_stats: SampleStats {
            count: 42,
            on_target: 30,
            torn: 1,
            own: 5,
            ticks: 1_990,
            missed: 10,
            threads: 3,
            rate_hz: 100,
            active_ns: 20_000 * MS,
            sampler_cpu_ns: 120 * MS,
        },
        series: BTreeMap::from([(0, second), (19, SecondStats { matched: 0, other: 2, ..SecondStats::default() })]),
        loss: vec![Loss { kind: LossKind::PathsFolded, count: 8, capacity: 14_000 }],
        decisions: vec![Decision {
            process: ProcessKey(1),
            at_ns: 6_200 * MS,
            what: "traced_share".to_owned(),
            from: 0.75,
            to: 0.375,
            because: "overhead 7.1 % of CPU over 5 s, budget 5 %".to_owned(),
        }],
        notes: vec![Note {
            code: NoteCode("other_tool_present".to_owned()),
            severity: Severity::Warning,
            message: "Coverage measurement is on.".to_owned(),
        }],
        process_cpu_ns: 15_000 * MS,
        xray_cpu_ns: 450 * MS,
    }
}

#[test]
fn version_1_reads_as_what_was_written() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    if std::env::var_os("XRAY_WRITE_GOLDEN").is_some() {
        std::fs::write(golden.join("v1-packed.xr"), write(&known()).unwrap()).unwrap();
    }
    for (file, kind) in [("v1.xr", Kind::Trace), ("v1-packed.xr", Kind::PackedTrace)] {
        let bytes = std::fs::read(golden.join(file)).unwrap();
        assert!(dump(&bytes).any(|chunk| chunk.kind == Some(kind)));
        let read = read(&bytes).unwrap();
        assert!(read.complete && read.damage.is_none());
        assert_eq!(read.data, known());
    }
}
