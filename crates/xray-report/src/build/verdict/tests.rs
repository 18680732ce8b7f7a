//! Sessions with one planted fault each, and healthy ones.

use crate::build::report;
use crate::model::Report;
use std::collections::BTreeMap;
use xray_core::model::*;

const MS: u64 = 1_000_000;
const REQUESTS: u64 = 200;
const DJANGO: &str = "/venv/lib/python3.12/site-packages/django";

/// A session is told by its paths: per request, `(depth, name, calls, self µs)`, outermost first.
struct Story {
    data: SessionData,
    /// Open path of the samples being added.
    samples: TreeSum<SampleTreeNode>,
}

fn symbol(kind: SymbolKind, name: &str, file: &str, line: u32) -> Symbol {
    Symbol { kind, name: name.to_owned(), file: file.to_owned(), line, detail: String::new() }
}

fn function(name: &str, file: &str, line: u32) -> Symbol {
    symbol(SymbolKind::Function, name, file, line)
}

fn django(name: &str) -> Symbol {
    function(name, &format!("{DJANGO}/{}.py", name.to_lowercase()), 10)
}

impl Story {
    fn new(calls: &[(usize, Symbol, u64, u64)]) -> Self {
        let mut symbols = SymbolTable::default();
        let mut nodes: Vec<CallTreeNode> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        for (depth, symbol, calls, self_us) in calls {
            open.truncate(*depth);
            let self_ns = self_us * 1_000 * REQUESTS;
            let at = nodes.len();
            nodes.push(CallTreeNode {
                parent: open.last().map(|parent| *parent as u32),
                symbol: symbols.intern(symbol.clone()),
                calls: calls * REQUESTS,
                resumes: 0,
                errors: 0,
                rows: 0,
                traces: REQUESTS,
                total_ns: self_ns,
                self_ns,
                min_ns: 1,
                max_ns: self_ns,
            });
            for above in &open {
                nodes[*above].total_ns += self_ns;
            }
            open.push(at);
        }
        let wall = nodes[0].total_ns / REQUESTS;
        let mut data = empty(symbols);
        data.call_tree.nodes = nodes;
        data.requests = RequestCounts { traced: REQUESTS, other: 900, ..RequestCounts::default() };
        let mut story = Self { data, samples: TreeSum::default() };
        story.cpu(wall, wall * 9 / 10);
        story
    }

    /// Wall and CPU time of each request.
    fn cpu(&mut self, wall_ns: u64, cpu_ns: u64) {
        let mut arm = ArmStats::default();
        for _ in 0..REQUESTS {
            arm.latency.record(wall_ns);
            arm.wall_sum_ns += u128::from(wall_ns);
            arm.cpu_sum_ns += u128::from(cpu_ns);
        }
        self.data.traced = arm;
    }

    fn gil_free(&mut self) {
        self.data.processes[0].capabilities.sampler.name = "gil_free".to_owned();
    }

    /// Samples of one stack, outermost first, each with the line; all of them `each_ms` long.
    fn sampled(&mut self, kind: ThreadKind, stack: &[(Symbol, u32)], count: u64, each_ms: u64, state: ThreadState) {
        let mut parent = None;
        for (depth, (symbol, line)) in stack.iter().enumerate() {
            let ends_here = if depth + 1 == stack.len() { count } else { 0 };
            let mut self_states = [0; ThreadState::COUNT];
            self_states[state as usize] = ends_here * each_ms * MS;
            let cpu = if state == ThreadState::OnCpu { ends_here * each_ms * MS } else { 0 };
            let node = SampleTreeNode {
                parent,
                symbol: self.data.symbols.intern(symbol.clone()),
                line: *line,
                kind,
                count,
                self_count: ends_here,
                weight_ns: count * each_ms * MS,
                self_ns: ends_here * each_ms * MS,
                self_cpu_ns: cpu,
                self_states,
            };
            parent = Some(self.samples.add_node(parent, node));
        }
    }

    /// Time of all samples in matching requests.
    fn target_time(&self) -> u64 {
        let nodes = self.samples.clone().into_preorder();
        nodes.iter().filter(|node| node.kind == ThreadKind::Target).map(|node| node.self_ns).sum()
    }

    fn report(mut self) -> Report {
        self.data.sample_tree.nodes = self.samples.into_preorder();
        report(&self.data)
    }
}

fn empty(symbols: SymbolTable) -> SessionData {
    let process = ProcessInfo {
        key: ProcessKey(1),
        host: "web-1".to_owned(),
        pid: 4_711,
        python: "3.12.1".to_owned(),
        framework: None,
        joined_unix_ns: 0,
        left_unix_ns: 20_000 * MS,
        end: ProcessEnd::Finished,
        capabilities: Capabilities {
            tracer: Mechanism { name: "monitoring".to_owned(), reason: "3.12".to_owned() },
            sampler: Mechanism { name: "gil".to_owned(), reason: "3.12".to_owned() },
            clock: "tsc".to_owned(),
            event_cost_ns: 90,
        },
    };
    SessionData {
        header: SessionHeader {
            id: SessionId("s".to_owned()),
            app: "blog".to_owned(),
            target: Target { given: "/tags/<tag>/".into(), canonical: "/tags/{}/".into(), kind: TargetKind::Route },
            limits: Limits {
                duration_ns: 20_000 * MS,
                traces: 100,
                stop_after: None,
                min_ns: 0,
                share: 1.0,
                max_overhead: 1.0,
                hz: 100,
            },
            seed: 0,
            started_unix_ns: 0,
        },
        ended_unix_ns: 20_000 * MS,
        stopped_by: StoppedBy::Time,
        recovered: false,
        processes: vec![process],
        symbols,
        requests: RequestCounts::default(),
        traced: ArmStats::default(),
        control: ArmStats::default(),
        traces: Vec::new(),
        call_tree: CallTree::default(),
        sample_tree: SampleTree::default(),
        waits: Waits::new(),
        sample_stats: SampleStats { rate_hz: 100, ticks: 2_000, active_ns: 20_000 * MS, ..SampleStats::default() },
        series: BTreeMap::new(),
        loss: Vec::new(),
        decisions: Vec::new(),
        notes: Vec::new(),
        process_cpu_ns: 0,
        xray_cpu_ns: 0,
    }
}

fn view() -> Symbol {
    function("tag_detail", "/srv/blog/blog/views.py", 53)
}

fn sql(name: &str, file: &str, line: u32) -> Symbol {
    symbol(SymbolKind::Sql, name, file, line)
}

/// A page of 12 ms: five statements, templates, querysets. `with` is added below the view.
fn page(with: &[(usize, Symbol, u64, u64)]) -> Vec<(usize, Symbol, u64, u64)> {
    let views = "/srv/blog/blog/views.py";
    let mut calls = vec![
        (0, symbol(SymbolKind::Transaction, "GET /tags/{}/", "", 0), 1, 400),
        (1, django("get_response"), 1, 500),
        (2, view(), 1, 300),
        (3, django("filter"), 6, 1_300),
        (4, django("resolve_ref"), 40, 900),
        (3, django("execute_sql"), 5, 700),
        (4, sql("blog_post - SELECT", views, 57), 1, 1_900),
        (4, sql("blog_tag - SELECT", views, 55), 2, 800),
        (4, sql("blog_comment - SELECT", views, 72), 1, 1_200),
    ];
    calls.extend_from_slice(with);
    calls.extend([
        (3, symbol(SymbolKind::Template, "Render/blog/tag_detail.html", "", 0), 1, 200),
        (4, django("render_annotated"), 300, 2_100),
        (5, django("resolve"), 250, 1_700),
    ]);
    calls
}

/// What the sampler sees of such a page.
fn page_samples(story: &mut Story) {
    let base = [(django("get_response"), 12), (view(), 60)];
    for (leaf, count) in [(django("render_annotated"), 30), (django("resolve"), 25), (django("execute_sql"), 40)] {
        let stack = [&base[..], &[(leaf, 14)]].concat();
        story.sampled(ThreadKind::Target, &stack, count, 10, ThreadState::OnCpu);
    }
}

/// The thread that serves requests, between two of them: it carries the CPU time of the one before.
fn between_requests(story: &mut Story, share_of_ticks: u64) {
    let main = function("<module>", "/venv/bin/gunicorn", 1);
    let target = [(main.clone(), 8), (django("get_response"), 12)];
    story.sampled(ThreadKind::Target, &target, 20, 10, ThreadState::OnCpu);
    let wait = function("wait", "/venv/lib/python3.12/site-packages/gunicorn/workers/sync.py", 30);
    story.sampled(ThreadKind::Other, &[(main, 8), (wait, 33)], 20 * share_of_ticks, 10, ThreadState::OnCpu);
}

fn only(report: &Report) -> (&'static str, &str) {
    assert_eq!(report.verdict.findings.len(), 1, "{:#?}", report.verdict);
    (report.verdict.findings[0].code, &report.verdict.findings[0].text)
}

#[test]
fn a_healthy_page_has_no_finding() {
    let mut story = Story::new(&page(&[]));
    page_samples(&mut story);
    between_requests(&mut story, 60);
    let report = story.report();
    assert_eq!(report.verdict.findings, []);
    assert!(report.verdict.text.contains("Nothing stands out"), "{}", report.verdict.text);
}

#[test]
fn a_healthy_page_under_load_has_no_finding() {
    // Twice as many workers as cores: everything takes three times as long, evenly, and the CPU is at 40 %.
    let slow: Vec<_> = page(&[]).into_iter().map(|(depth, symbol, calls, us)| (depth, symbol, calls, us * 3)).collect();
    let mut story = Story::new(&slow);
    page_samples(&mut story);
    between_requests(&mut story, 90);
    story.cpu(36 * MS, 14 * MS);
    assert_eq!(story.report().verdict.findings, []);
}

#[test]
fn a_page_without_samples_has_no_finding() {
    assert_eq!(Story::new(&page(&[])).report().verdict.findings, []);
}

/// Fault 1: most of the loop's time is the ORM's, hardly any the statement's.
#[test]
fn an_n_plus_one_is_found_with_its_caller() {
    let file = "/srv/blog/blog/faults/last_words.py";
    let loops = [
        (3, function("last_words", file, 6), 1, 300),
        (4, function("last_words.<locals>.<listcomp>", file, 10), 1, 500),
        (5, django("__get__"), 120, 9_000),
        (6, django("get_object"), 120, 8_000),
        (7, django("ModelIterable"), 120, 9_000),
        (8, sql("blog_author - SELECT", file, 10), 120, 5_000),
    ];
    let mut story = Story::new(&page(&loops));
    page_samples(&mut story);
    let report = story.report();
    let (code, text) = only(&report);
    assert_eq!(code, "n_plus_one");
    for part in ["blog_author - SELECT", "120 times", "last_words", "faults/last_words.py:10"] {
        assert!(text.contains(part), "{text}");
        assert!(report.verdict.text.contains(part), "{}", report.verdict.text);
    }
    assert!(report.verdict.findings[0].share > 0.6, "the ORM's work counts");
    let component = report.verdict.findings[0].component.as_ref().unwrap();
    let named = report.components.iter().find(|c| c.id == *component).unwrap();
    assert_eq!(named.name, "blog_author - SELECT");
}

/// How each call came out stands below it and is as frequent.
#[test]
fn the_outcomes_of_a_repeated_call_are_not_repeated_calls() {
    let file = "/srv/blog/blog/views.py";
    let cache = |name: &str| symbol(SymbolKind::Cache, name, "", 0);
    let loops = [
        (3, function("ask", file, 6), 1, 300),
        (4, cache("cache get"), 120, 30_000),
        (5, cache("cache get: miss"), 120, 0),
    ];
    let mut story = Story::new(&page(&loops));
    page_samples(&mut story);
    let findings = story.report().verdict.findings;
    let repeated: Vec<_> = findings.iter().filter(|found| found.code == "n_plus_one").collect();
    assert_eq!(repeated.len(), 1, "{findings:#?}");
    assert!(repeated[0].text.contains("cache get runs 120 times"), "{findings:#?}");
}

#[test]
fn an_n_plus_one_comes_before_one_call_that_a_busy_machine_made_long() {
    let file = "/srv/blog/blog/faults/last_words.py";
    let (statement, other) = (sql("blog_author - SELECT", file, 12), sql("blog_comment - SELECT", file, 10));
    let last_words = function("last_words", file, 6);
    let calls = |other_us| {
        let all =
            [(3, last_words.clone(), 1, 300), (4, statement.clone(), 120, 40_000), (4, other.clone(), 1, other_us)];
        let codes: Vec<&str> =
            Story::new(&page(&all)).report().verdict.findings.iter().map(|finding| finding.code).collect();
        codes
    };
    assert_eq!(calls(60_000), ["n_plus_one", "slow_query"]);
    assert_eq!(calls(200_000), ["slow_query", "n_plus_one"]);
}

#[test]
fn a_repeated_statement_that_costs_nothing_is_no_finding() {
    let cheap = [(3, django("cheap"), 12, 50), (4, sql("blog_author - SELECT", "", 0), 12, 250)];
    assert_eq!(Story::new(&page(&cheap)).report().verdict.findings, []);
}

/// Fault 2.
#[test]
fn a_slow_query_is_found_with_its_caller() {
    let file = "/srv/blog/blog/faults/mentions.py";
    let slow = [
        (3, function("mentioned_beside", file, 18), 1, 200),
        (4, django("execute"), 1, 200),
        (5, sql("blog_post - SELECT", file, 21), 1, 45_000),
    ];
    let mut story = Story::new(&page(&slow));
    page_samples(&mut story);
    let report = story.report();
    let (code, text) = only(&report);
    assert_eq!(code, "slow_query");
    assert!(text.contains("blog_post - SELECT") && text.contains("mentioned_beside (faults/mentions.py:18)"), "{text}");
}

fn hot_loop() -> Story {
    let file = "/srv/blog/blog/faults/similar_titles.py";
    let edit_distance = function("edit_distance", file, 8);
    let hot = [(3, function("similar_titles", file, 23), 1, 300), (4, edit_distance.clone(), 276, 52_000)];
    let mut story = Story::new(&page(&hot));
    page_samples(&mut story);
    // The GIL is let go at the loop's end only, so all samples are of one line, and none is late.
    story.sampled(ThreadKind::Target, &[(view(), 60), (edit_distance, 18)], 400, 11, ThreadState::OnCpu);
    story
}

/// Fault 3.
#[test]
fn the_time_of_a_statement_is_the_statement_s_whoever_spends_it() {
    let file = "/srv/blog/blog/faults/mentions.py";
    let statement = sql("blog_post - SELECT", file, 24);
    let report = Story::new(&page(&[
        (3, function("mentions", file, 14), 1, 10),
        (4, statement, 1, 5),
        (5, django("SQLiteCursorWrapper.execute"), 1, 70_000),
    ]))
    .report();
    assert_eq!(report.verdict.findings[0].code, "slow_query");
    let component = |name: &str| report.components.iter().find(|component| component.name == name);
    assert_eq!(component("blog_post - SELECT").unwrap().self_ns, 70_005_000 * REQUESTS);
    assert!(component("SQLiteCursorWrapper.execute").is_none_or(|driver| driver.self_ns == 0));
    let shares: f64 = report.components.iter().map(|component| component.share).sum();
    assert!((shares - 1.0).abs() < 1e-9, "self times add up to the whole: {shares}");
}

#[test]
fn a_hot_python_function_is_found_also_when_its_samples_gather_at_one_line() {
    let report = hot_loop().report();
    let (code, text) = only(&report);
    assert_eq!(code, "hot_function");
    assert!(text.contains("edit_distance (faults/similar_titles.py:8)") && text.contains("276 calls"), "{text}");
}

#[test]
fn samples_contradict_a_function_that_only_tracing_made_large() {
    let many = [(3, function("tiny", "/srv/blog/blog/util.py", 3), 40_000, 20_000)];
    let mut story = Story::new(&page(&many));
    page_samples(&mut story);
    assert_eq!(story.report().verdict.findings, []);
}

fn slow_sort(each_ms: u64) -> Story {
    let file = "/srv/blog/blog/faults/word_index.py";
    let first_words = function("first_words", file, 14);
    let mut story = Story::new(&page(&[(3, first_words.clone(), 1, 48_000)]));
    page_samples(&mut story);
    story.sampled(ThreadKind::Target, &[(view(), 60), (first_words, 16)], 180, each_ms, ThreadState::OnCpu);
    story
}

/// Fault 4: the sampler comes only after the sort has let go of the GIL.
#[test]
fn a_slow_c_call_is_found_with_its_line() {
    let report = slow_sort(45).report();
    let (code, text) = only(&report);
    assert_eq!(code, "slow_c_call");
    assert!(text.contains("first_words") && text.contains("faults/word_index.py:16"), "{text}");
}

#[test]
fn a_sampler_without_the_gil_sees_the_line_at_once() {
    let mut story = slow_sort(10);
    story.gil_free();
    assert_eq!(only(&story.report()).0, "slow_c_call");
    assert_eq!(only(&slow_sort(10).report()).0, "hot_function", "under the GIL the line alone proves nothing");
}

#[test]
fn a_function_that_waits_is_not_called_hot() {
    let read = function("readinto", "/usr/lib/python3.12/socket.py", 694);
    let mut story = Story::new(&page(&[(3, read.clone(), 1, 60_000)]));
    story.sampled(ThreadKind::Target, &[(view(), 60), (read, 706)], 300, 10, ThreadState::Blocked);
    let report = story.report();
    let (code, text) = only(&report);
    assert_eq!(code, "slow_component");
    assert!(text.contains("readinto") && text.contains("off the CPU"), "{text}");
}

/// Fault 5: every statement gives up the GIL and waits for it, so the statements look slow.
fn contended() -> Story {
    let views = "/srv/blog/blog/views.py";
    let waiting = [(3, django("cursor"), 5, 3_000), (4, sql("blog_tag - SELECT", views, 80), 5, 70_000)];
    let mut story = Story::new(&page(&waiting));
    page_samples(&mut story);
    between_requests(&mut story, 20);
    story.cpu(85 * MS, 13 * MS);
    story
}

fn hog(story: &mut Story, busy_percent: u64) {
    let threading = "/usr/lib/python3.12/threading.py";
    let file = "/srv/blog/blog/faults/trending.py";
    let stack = [
        (function("Thread._bootstrap", threading, 1_014), 1_030),
        (function("Thread.run", threading, 1_000), 1_010),
        (function("keep_scoring", file, 21), 24),
        (function("score", file, 13), 17),
    ];
    story.sampled(ThreadKind::Other, &stack, 20 * busy_percent, 10, ThreadState::OnCpu);
    story.sampled(ThreadKind::Other, &stack[..3], 100, 10, ThreadState::Blocked);
}

#[test]
fn a_thread_that_hogs_the_gil_is_found_and_the_statements_are_not_blamed() {
    let mut story = contended();
    hog(&mut story, 80);
    let report = story.report();
    let (code, text) = only(&report);
    assert_eq!(code, "gil_contention");
    assert!(text.contains("score (faults/trending.py:17)") && text.contains("80 %"), "{text}");
    assert!(report.verdict.text.contains("score"), "{}", report.verdict.text);
}

/// Where samples see who waits for the GIL, that counts, not who was busy.
#[test]
fn a_sampler_without_the_gil_names_the_thread_that_has_it() {
    let slow = |held_by: ThreadKind, waited_ms: u64| {
        let mut story = contended();
        story.gil_free();
        hog(&mut story, 80);
        let time = story.target_time();
        let function = story.data.symbols.intern(function("score", "/srv/blog/blog/faults/trending.py", 13));
        let thread = story.data.symbols.intern(symbol(SymbolKind::Thread, "trending", "", 0));
        let holder = GilHolder { kind: held_by, thread, function, line: 17 };
        for (on, ns) in [(WaitedOn::Gil(Some(holder)), waited_ms * time / 100), (WaitedOn::Gil(None), time / 100)] {
            story.data.waits.insert(Wait { kind: ThreadKind::Target, on }, ns);
        }
        story.report()
    };
    let report = slow(ThreadKind::Other, 69);
    let (code, text) = only(&report);
    assert_eq!(code, "gil_contention");
    assert!(text.contains("70 % of their time") && text.contains("thread trending has it"), "{text}");
    assert!(report.verdict.text.contains("score (faults/trending.py:17)"), "{}", report.verdict.text);
    let contends = |report: Report| report.verdict.findings.iter().any(|finding| finding.code == "gil_contention");
    assert!(!contends(slow(ThreadKind::Other, 5)), "a busy thread that does not have the GIL");
    assert!(!contends(slow(ThreadKind::Target, 69)), "they wait for each other");
}

#[test]
fn a_hog_is_told_from_request_threads_that_begin_in_the_same_library() {
    let mut story = contended();
    hog(&mut story, 80);
    let threading = "/usr/lib/python3.12/threading.py";
    let pool = [
        (function("Thread._bootstrap", threading, 1_014), 1_030),
        (function("_worker", "/usr/lib/python3.12/concurrent/futures/thread.py", 69), 90),
        (function("handle", "/venv/lib/python3.12/site-packages/gunicorn/workers/gthread.py", 270), 280),
        (view(), 60),
    ];
    story.sampled(ThreadKind::Target, &pool, 100, 10, ThreadState::Waiting);
    assert_eq!(only(&story.report()).0, "gil_contention");
}

#[test]
fn a_busy_thread_is_no_finding_while_requests_compute() {
    let mut story = Story::new(&page(&[]));
    page_samples(&mut story);
    hog(&mut story, 80);
    assert_eq!(story.report().verdict.findings, [], "they have the GIL whenever they want it");
}

#[test]
fn a_request_that_waits_for_its_database_is_no_contention() {
    let mut story = contended();
    hog(&mut story, 3);
    assert_eq!(only(&story.report()).0, "slow_query");
}

#[test]
fn nothing_matched_is_said_and_explained() {
    let mut data = empty(SymbolTable::default());
    data.requests.other = 7;
    let report = report(&data);
    assert_eq!(report.verdict.text, "/tags/<tag>/: nothing matched in 20.0 s in 1 process; 7 others ran.");
    assert!(report.notes.iter().any(|note| note.code == "nothing_matched"));
    assert!(report.components.is_empty());
}

#[test]
fn component_times_add_up_and_recursion_counts_once() {
    let walk = function("walk", "/srv/blog/tree.py", 1);
    let mut calls = vec![(0, symbol(SymbolKind::Transaction, "GET /", "", 0), 1, 100)];
    // walk -> step -> walk -> step: indirect recursion.
    let step = function("step", "/srv/blog/tree.py", 9);
    calls.extend([(1, walk.clone(), 1, 10), (2, step.clone(), 1, 20), (3, walk, 1, 30), (4, step, 1, 40)]);
    for other in 0..40 {
        calls.push((1, function(&format!("f{other}"), "/srv/blog/f.py", other), 1, 5));
    }
    let report = Story::new(&calls).report();
    let wall = report.components.iter().map(|c| c.self_ns).sum::<u64>();
    assert_eq!(wall, (100 + 10 + 20 + 30 + 40 + 200) * 1_000 * REQUESTS);
    let shares: f64 = report.components.iter().map(|c| c.share).sum();
    assert!((shares - 1.0).abs() < 1e-9);
    let walk = report.components.iter().find(|c| c.name == "walk").unwrap();
    assert_eq!((walk.calls, walk.self_ns, walk.total_ns), (400, 40_000 * REQUESTS, 100_000 * REQUESTS));
    let rest = report.components.last().unwrap();
    assert_eq!((rest.kind, rest.members, report.components.len()), ("remainder", Some(23), 21));
}
