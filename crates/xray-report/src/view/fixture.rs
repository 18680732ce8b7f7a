//! A small session by hand, for the tests of both drawings: an N+1 in a tag page.

use crate::model::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;
use xray_core::histogram::LatencyHistogram;

const MS: u64 = 1_000_000;
const VIEWS: &str = "/srv/blog/blog/views.py";
const DJANGO: &str = "/venv/lib/python3.12/site-packages/django";

pub(crate) fn latency_of(values: &[u64]) -> Latency {
    let mut histogram = LatencyHistogram::default();
    values.iter().for_each(|ns| histogram.record(*ns));
    let count = histogram.count();
    let range = histogram.range();
    let at = |percentile: f64, least: u64| (count >= least).then(|| histogram.percentile(percentile));
    Latency {
        count,
        min_ns: range.map(|r| r.0),
        mean_ns: (count > 0).then(|| histogram.mean() as u64),
        p50_ns: at(50.0, 1),
        p75_ns: at(75.0, 1),
        p90_ns: at(90.0, 1),
        p95_ns: at(95.0, 1),
        p99_ns: at(99.0, 100),
        p999_ns: at(99.9, 1_000),
        max_ns: range.map(|r| r.1),
        hdr_v2_base64: STANDARD.encode(histogram.to_v2()),
    }
}

pub(crate) fn latencies(traced: &[u64], control: &[u64]) -> Latencies {
    let all: Vec<u64> = traced.iter().chain(control).copied().collect();
    Latencies { traced: latency_of(traced), control: latency_of(control), all: latency_of(&all) }
}

fn process(pid: u32) -> Process {
    Process {
        host: "web-1".into(),
        pid,
        python: "3.12.1".into(),
        framework: Some("Django 5.2.19".into()),
        joined_at: "2026-11-22T14:03:05.112Z".into(),
        left_at: "2026-11-22T14:03:25.140Z".into(),
        end: "finished",
        tracer: Tracer { mechanism: "monitoring".into(), reason: "Python 3.12".into(), clock: "tsc".into() },
        sampler: Sampler { mechanism: "gil".into(), reason: "no GIL-free reader for this Python".into() },
    }
}

fn component(id: &str, name: &str, kind: &'static str, calls: u64, self_ms: u64, share: f64) -> Component {
    Component {
        id: id.into(),
        name: name.into(),
        kind,
        file: Some(VIEWS.into()),
        line: Some(42),
        detail: None,
        calls,
        calls_per_request: calls as f64 / 90.0,
        total_ns: self_ms * 2 * MS,
        self_ns: self_ms * MS,
        share,
        source: "traced",
        members: None,
    }
}

fn summary(id: &str, duration_ms: u64) -> TraceSummary {
    TraceSummary {
        id: id.into(),
        process: "web-1:4711".into(),
        thread: "MainThread".into(),
        started_at: "2026-11-22T14:03:09.250Z".into(),
        duration_ns: duration_ms * MS,
        cpu_ns: duration_ms * MS * 7 / 10,
        status: Some(200),
        error: None,
        calls: 12_345,
        timeline_entries: 9,
        complete: true,
        attributes: BTreeMap::from([
            ("method".to_owned(), "GET".to_owned()),
            ("path".to_owned(), "/tags/django/".to_owned()),
        ]),
    }
}

/// 90 traced and 30 control requests in twenty seconds.
pub(crate) fn report() -> Report {
    let spread = |n: u64, shift: u64| -> Vec<u64> {
        (0..n).map(|i| (shift + i * 7 % 60 + if i % 10 == 0 { 150 } else { 0 }) * MS).collect()
    };
    let sql = Component {
        detail: Some(
            "SELECT \"blog_tag\".\"id\", \"blog_tag\".\"name\" FROM \"blog_tag\" WHERE \"blog_tag\".\"id\" = ?".into(),
        ),
        ..component("c1", "blog_tag - SELECT", "sql", 4_500, 6_120, 0.612)
    };
    let remainder = Component {
        file: None,
        line: None,
        members: Some(1_204),
        ..component("remainder", "remainder", "remainder", 812_345, 900, 0.09)
    };
    let mut failed = summary("b7", 187);
    failed.status = Some(500);
    failed.error = Some("django.db.utils.OperationalError".into());
    let mut cut = summary("c9", 120);
    cut.complete = false;
    cut.attributes.insert("incomplete".into(), "the session ended".into());
    Report {
        schema: "xray.report/1",
        xray_version: "0.1.0".into(),
        format_version: 1,
        recovered: false,
        verdict: Verdict {
            text: "/tags/{}/: 90 of 120 matching requests traced in 20.0 s on 2 workers. p50 68 ms, p95 205 ms. 61 % of the time is one query, blog_tag - SELECT, run 50 times a request from tag_detail (blog/views.py:42).".into(),
            findings: vec![Finding {
                code: "n_plus_one",
                text: "N+1: blog_tag - SELECT runs 50 times a request, from tag_detail (blog/views.py:42).".into(),
                component: Some("c1".into()),
                share: 0.612,
            }],
        },
        session: Session {
            id: "k3j9x0a1b2c3".into(),
            app: "gunicorn-blog".into(),
            target: Target { given: "/tags/<tag>/".into(), canonical: "/tags/{}/".into(), kind: "route" },
            limits: Limits {
                duration_ns: 20_000 * MS,
                traces: 100,
                stop_after: None,
                min_ns: 0,
                share: 0.75,
                max_overhead: 0.05,
                hz: 100,
            },
            state: "finished",
            started_at: "2026-11-22T14:03:05.100Z".into(),
            ended_at: "2026-11-22T14:03:25.150Z".into(),
            duration_ns: 20_050 * MS,
            stopped_by: "time",
            processes: vec![process(4711), process(4712)],
        },
        requests: Requests { matched: 120, traced: 90, control: 30, discarded: 0, incomplete: 1, other: 1_480, errors: 1 },
        latency: latencies(&spread(90, 42), &spread(30, 39)),
        tracing_cost: TracingCost {
            cpu: Some(Difference { difference: 0.31, ci95: [0.22, 0.40] }),
            wall: Some(Difference { difference: 0.06, ci95: [-0.04, 0.16] }),
            process_share: Some(0.031),
            event: Some(EventCost { measured_ns: 32.0, arms_ns: 47.5, ci95_ns: [38.0, 57.0] }),
            reason: None,
        },
        components: vec![
            sql,
            component("c2", "Tag.slug_of", "function", 4_500, 1_480, 0.148),
            component("c3", "Render/blog/tag_detail.html", "template", 90, 1_000, 0.1),
            component("c4", "ブログの詳細ページを表示する", "function", 90, 500, 0.05),
            remainder,
        ],
        traces: vec![summary("a1", 252), failed, cut],
        samples: Samples {
            count: 7_910,
            on_target: 1_240,
            threads: 4,
            rate_hz: 100,
            achieved_hz: Some(98.7),
            missed: 26,
            torn: 0,
            sampler_cpu_ns: 310 * MS,
        },
        waits: vec![
            Wait { call: Some("epoll_wait".into()), idle: true, ..wait("other", "system_call", 30_000) },
            Wait {
                holder: Some(GilHolder {
                    thread_kind: "other",
                    thread: "hog".into(),
                    function: "spin".into(),
                    file: Some("/srv/blog/hog.py".into()),
                    line: Some(12),
                }),
                ..wait("target", "gil", 4_800)
            },
            Wait { call: Some("recvfrom".into()), ..wait("target", "system_call", 1_200) },
            wait("target", "gil", 120),
            Wait { call: Some("futex".into()), ..wait("web", "system_call", 3) },
        ],
        series: (0..20)
            .map(|t| Second {
                t_s: t,
                matched: 3 + u64::from(t * 7 % 5),
                other: 60 + u64::from(t * 13 % 30),
                p50_ns: (t != 4).then(|| (60 + u64::from(t * 3 % 17)) * MS),
                p95_ns: (t != 4).then(|| (150 + u64::from(t * 11 % 90)) * MS),
                samples: SampledThreads { target: u64::from(40 + t), web: 20, background: 0, other: 100 },
            })
            .collect(),
        loss: vec![LossEntry { kind: "paths_folded", count: 42, capacity: 1_048_576 }],
        decisions: vec![DecisionEntry {
            at_ns: 6_200 * MS,
            what: "traced_share".into(),
            from: 0.75,
            to: 0.375,
            because: "overhead 7.1 % of CPU over 5 s, budget 5 %".into(),
        }],
        notes: vec![
            NoteEntry {
                code: "sampled_under_gil".into(),
                severity: "info",
                message: "Threads were sampled under the GIL.".into(),
            },
            NoteEntry {
                code: "other_tool_present".into(),
                severity: "warning",
                message: "A debugger was attached.".into(),
            },
        ],
    }
}

fn wait(thread_kind: &'static str, on: &'static str, ms: u64) -> Wait {
    Wait { thread_kind, on, ns: ms * MS, holder: None, call: None, idle: false }
}

pub(crate) fn node(parent: i64, name: &str, calls: u64) -> TraceNode {
    TraceNode {
        parent,
        name: name.into(),
        kind: if parent < 0 { "transaction" } else { "function" },
        file: Some(VIEWS.into()),
        line: Some(10),
        detail: None,
        calls,
        resumes: 0,
        errors: 0,
        total_ns: 0,
        self_ns: 0,
        min_ns: 0,
        max_ns: 0,
        recursion_depth: 1,
        rows: 0,
    }
}

pub(crate) fn entry(node: u64, start_ns: u64, duration_ns: u64, folded: u64) -> TimelineEntry {
    TimelineEntry { node, start_ns, duration_ns, folded, arguments: None }
}

/// A tag page of 252 ms: middleware, view, queries in a template, an exception that was caught.
pub(crate) fn trace() -> TraceReport {
    let mut nodes = vec![
        node(-1, "GET /tags/{}/", 1),
        node(0, "WSGIHandler.__call__", 1),
        node(1, "tag_detail", 1),
        node(2, "blog_post - SELECT", 1),
        node(2, "Render/blog/tag_detail.html", 1),
        node(4, "Block/content", 1),
        node(5, "blog_tag - SELECT", 2),
        node(5, "Tag.slug_of", 50),
        node(2, "ログを書く関数", 1),
    ];
    for (at, kind) in [(3, "sql"), (4, "template"), (5, "template"), (6, "sql")] {
        nodes[at].kind = kind;
    }
    nodes[1].file = Some(format!("{DJANGO}/core/handlers/wsgi.py"));
    nodes[1].line = Some(112);
    nodes[1].self_ns = 4 * MS;
    nodes[2].self_ns = 8 * MS;
    nodes[3].rows = 50;
    nodes[3].detail = Some("SELECT *\n  FROM blog_post\n  WHERE tag_id = ? ORDER BY created DESC LIMIT ?".into());
    nodes[5].self_ns = 20 * MS;
    nodes[6].detail = Some("SELECT * FROM blog_tag WHERE id = ?".into());
    nodes[8].errors = 1;
    let timeline = vec![
        entry(1, 1_000_000, 250 * MS, 120),
        entry(2, 11_000_000, 230 * MS, 12),
        entry(3, 12_000_000, 32 * MS, 0),
        entry(4, 50_000_000, 180 * MS, 0),
        entry(5, 51_000_000, 178 * MS, 50),
        entry(6, 52_000_000, 70 * MS, 3),
        entry(6, 130_000_000, 72 * MS, 3),
        entry(8, 231_000_000, 5 * MS, 0),
    ];
    TraceReport {
        schema: "xray.trace/1",
        trace: TraceDetail {
            summary: summary("a1", 252),
            paths_folded: 0,
            timeline_threshold_ns: 20_000,
            nodes,
            timeline,
            samples: trace_samples(),
        },
    }
}

/// Two of its lines, one of them twice on a stack.
fn trace_samples() -> TraceSamples {
    let frame = |parent, name: &str, line| SampledFrame {
        parent,
        name: name.into(),
        file: Some(VIEWS.into()),
        line: Some(line),
    };
    let line = |name: &str, line, count, self_count: u64, self_states_ns| SampledLine {
        name: name.into(),
        file: Some(VIEWS.into()),
        line: Some(line),
        count,
        self_count,
        ns: count * 10 * MS,
        self_ns: self_count * 10 * MS,
        self_cpu_ns: self_count * 2 * MS,
        self_states_ns,
    };
    let stack = |at, frame, state, count: u64| SampledStack {
        at_ns: at * MS,
        frame,
        state,
        count,
        ns: count * 10 * MS,
        cpu_ns: count * 2 * MS,
    };
    TraceSamples {
        count: 25,
        ns: 250 * MS,
        cpu_ns: 50 * MS,
        dropped: 3,
        lines: vec![
            line("Tag.slug_of", 71, 20, 20, States { blocked: 200 * MS, ..States::default() }),
            line("tag_detail", 42, 25, 5, States { on_cpu: 50 * MS, ..States::default() }),
        ],
        frames: vec![frame(-1, "tag_detail", 42), frame(0, "Tag.slug_of", 71)],
        stacks: vec![stack(3, 0, "on_cpu", 5), stack(53, 1, "blocked", 20)],
    }
}

pub(crate) fn stack_node(parent: i64, name: &str, file: &str, line: u32, weight_ns: u64, self_ns: u64) -> TreeNode {
    TreeNode {
        parent,
        name: name.into(),
        file: Some(file.into()),
        line: Some(line),
        thread_kind: None,
        count: weight_ns.div_ceil(10 * MS),
        weight_ns,
        self_ns,
        cpu_ns: None,
        self_cpu_ns: None,
        self_states_ns: None,
    }
}

/// Three kinds of threads, the target's through some frames of the framework.
pub(crate) fn samples() -> TreeReport {
    let wsgi = format!("{DJANGO}/core/handlers/wsgi.py");
    let s = 1_000 * MS;
    let mut nodes = vec![
        stack_node(-1, "main", "/srv/blog/run.py", 3, 12 * s, 0),
        stack_node(0, "WSGIHandler.__call__", &wsgi, 124, 12 * s, 0),
        stack_node(1, "get_response", &wsgi, 140, 12 * s, 0),
        stack_node(2, "inner", &wsgi, 55, 12 * s, 0),
        stack_node(3, "_get_response", &wsgi, 197, 12 * s, 0),
        stack_node(4, "tag_detail", VIEWS, 42, 8 * s, s),
        stack_node(5, "Tag.slug_of", VIEWS, 71, 5 * s, 5 * s),
        stack_node(5, "Tag.slug_of", VIEWS, 72, 2 * s, 2 * s),
        stack_node(4, "tag_detail", VIEWS, 44, 4 * s, 4 * s),
        stack_node(-1, "main", "/srv/blog/run.py", 3, 30 * s, 30 * s),
        stack_node(-1, "Thread._bootstrap", "/usr/lib/python3.12/threading.py", 1_002, 37 * s, 37 * s),
    ];
    for (at, kind) in nodes.iter_mut().enumerate() {
        kind.thread_kind = Some(match at {
            0..9 => "target",
            9 => "web",
            _ => "other",
        });
        let own = kind.self_ns;
        kind.cpu_ns = Some(kind.weight_ns / 4);
        kind.self_cpu_ns = Some(kind.self_ns / 4);
        kind.self_states_ns = Some(States {
            on_cpu: own / 4,
            waiting_for_gil: own / 2,
            waiting_for_core: 0,
            blocked: own - own / 4 - own / 2,
            unknown: 0,
        });
    }
    TreeReport { schema: "xray.tree/1", source: "samples", nodes }
}

/// The exact calls of the same session.
pub(crate) fn calls() -> TreeReport {
    let s = 1_000 * MS;
    let nodes = vec![
        stack_node(-1, "GET /tags/{}/", VIEWS, 0, 10 * s, 0),
        stack_node(0, "tag_detail", VIEWS, 40, 10 * s, s),
        stack_node(1, "blog_tag - SELECT", VIEWS, 42, 6 * s, 6 * s),
        stack_node(1, "Tag.slug_of", VIEWS, 70, 3 * s, 3 * s),
    ];
    TreeReport { schema: "xray.tree/1", source: "calls", nodes }
}
