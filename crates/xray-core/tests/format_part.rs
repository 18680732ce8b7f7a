//! A part: written as a session runs, cut anywhere, damaged anywhere.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use proptest::prelude::*;
use std::collections::BTreeMap;
use xray_core::format::{Delta, PartEnd, PartWriter, ReadError, WriteError, dump, read};
use xray_core::histogram::LatencyHistogram;
use xray_core::model::*;

const START: u64 = 1_767_225_600_000_000_000;

fn header() -> SessionHeader {
    SessionHeader {
        id: SessionId("s0123456789a".to_owned()),
        app: "blog".to_owned(),
        target: Target { given: "/tags/<tag>/".into(), canonical: "/tags/{}/".into(), kind: TargetKind::Route },
        limits: Limits {
            duration_ns: 60_000_000_000,
            traces: 100,
            stop_after: None,
            min_ns: 0,
            share: 0.75,
            max_overhead: 0.05,
            hz: 100,
        },
        seed: 7,
        started_unix_ns: START,
    }
}

fn process() -> ProcessInfo {
    let mechanism = |name: &str| Mechanism { name: name.to_owned(), reason: "CPython 3.12.1".to_owned() };
    ProcessInfo {
        key: ProcessKey(0xfeed),
        host: "web-1".to_owned(),
        pid: 4711,
        python: "3.12.1".to_owned(),
        framework: Some("Django 5.2.19".to_owned()),
        joined_unix_ns: START,
        left_unix_ns: START,
        end: ProcessEnd::Finished,
        capabilities: Capabilities {
            tracer: mechanism("monitoring"),
            sampler: mechanism("gil"),
            clock: "tsc".to_owned(),
            event_cost_ns: 90,
        },
    }
}

fn symbol(line: u32) -> Symbol {
    Symbol {
        kind: SymbolKind::Function,
        name: format!("function_{line}"),
        file: "blog/views.py".to_owned(),
        line,
        detail: String::new(),
    }
}

fn trace(id: u64) -> Trace {
    let node = |parent, symbol, total_ns, self_ns| TraceNode {
        parent,
        symbol: SymbolId(symbol),
        calls: 1,
        resumes: 0,
        errors: 0,
        total_ns,
        self_ns,
        min_ns: total_ns,
        max_ns: total_ns,
        recursion_depth: 1,
        rows: 0,
    };
    Trace {
        id: TraceId(id),
        process: process().key,
        thread: "MainThread".to_owned(),
        started_unix_ns: START + id * 1_000_000,
        duration_ns: 5_000_000,
        cpu_ns: 4_000_000,
        status: Some(200),
        error: None,
        calls: 3,
        complete: true,
        paths_folded: 0,
        timeline_threshold_ns: 1_000,
        attributes: vec![("method".to_owned(), "GET".to_owned())],
        nodes: vec![node(None, 0, 5_000_000, 1_000_000), node(Some(0), 1, 4_000_000, 4_000_000)],
        timeline: vec![TimelineEntry { node: 1, start_ns: 10, duration_ns: 4_000_000, folded: 0, arguments: None }],
        samples: TraceSamples::default(),
    }
}

fn delta(traced: u64) -> Delta {
    let mut latency = LatencyHistogram::default();
    (0..traced).for_each(|_| latency.record(5_000_000));
    let node = |parent, symbol| CallTreeNode {
        parent,
        symbol: SymbolId(symbol),
        calls: traced,
        resumes: 0,
        errors: 0,
        rows: 0,
        traces: traced,
        total_ns: 5 * traced,
        self_ns: traced,
        min_ns: 5,
        max_ns: 5,
    };
    Delta {
        at_unix_ns: START + 1_000_000_000 * traced,
        requests: RequestCounts { traced, other: 2, ..RequestCounts::default() },
        traced: ArmStats { latency: latency.clone(), wall_sum_ns: u128::from(traced), ..ArmStats::default() },
        series: BTreeMap::from([(0, SecondStats { matched: traced, other: 2, latency, samples: [traced, 0, 1, 9] })]),
        call_tree: CallTree { nodes: vec![node(None, 0), node(Some(0), 1)] },
        notes: vec![Note {
            code: NoteCode("sampled_under_gil".to_owned()),
            severity: Severity::Info,
            message: "Samples are taken under the GIL.".to_owned(),
        }],
        process_cpu_ns: 10,
        xray_cpu_ns: 1,
        ..Delta::default()
    }
}

const TRACES: u64 = 12;

/// A small part, finished or not.
fn part(finish: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = PartWriter::new(&mut bytes, &header(), &process()).unwrap();
    writer.symbols(0, &[symbol(1), symbol(2)]).unwrap();
    for id in 0..TRACES {
        writer.trace(&trace(id)).unwrap();
        writer.delta(&delta(id + 1)).unwrap();
    }
    if finish {
        let end =
            PartEnd { left_unix_ns: START + 60_000_000_000, end: ProcessEnd::Finished, stopped_by: StoppedBy::Time };
        writer.finish(&end).unwrap();
    }
    bytes
}

#[test]
fn a_finished_part_reads_as_what_was_written() {
    let read = read(&part(true)).unwrap();
    assert!(read.complete && read.damage.is_none());
    let data = read.data;
    let sum = (1..=TRACES).sum::<u64>();
    assert_eq!(data.header, header());
    assert_eq!((data.stopped_by, data.ended_unix_ns, data.recovered), (StoppedBy::Time, START + 60_000_000_000, false));
    assert_eq!(data.processes, [ProcessInfo { left_unix_ns: data.ended_unix_ns, ..process() }]);
    assert_eq!(data.traces, (0..TRACES).map(trace).collect::<Vec<_>>());
    assert_eq!((data.requests.traced, data.requests.other), (sum, 2 * TRACES));
    assert_eq!((data.traced.latency.count(), data.series[&0].matched), (sum, sum));
    assert_eq!(data.call_tree.nodes.len(), 2, "deltas of a tree are added by path");
    assert_eq!((data.call_tree.nodes[1].calls, data.call_tree.nodes[1].min_ns), (sum, 5));
    assert_eq!((data.notes.len(), data.process_cpu_ns, data.xray_cpu_ns), (1, 10 * TRACES, TRACES));
}

#[test]
fn a_part_without_trailer_is_that_of_a_lost_process() {
    let read = read(&part(false)).unwrap();
    assert!(!read.complete && read.damage.is_none() && read.data.recovered);
    assert_eq!(read.data.stopped_by, StoppedBy::Lost);
    assert_eq!(read.data.processes[0].end, ProcessEnd::Lost);
    assert_eq!(read.data.processes[0].left_unix_ns, START + 1_000_000_000 * TRACES, "its last chunk");
    assert_eq!(read.data.traces.len(), TRACES as usize);
}

#[test]
fn every_cut_gives_all_chunks_before_it_or_one_error() {
    let whole = part(true);
    let ends: Vec<(u64, bool)> = dump(&whole)
        .map(|chunk| (chunk.offset + chunk.len, chunk.kind == Some(xray_core::format::Kind::PackedTrace)))
        .collect();
    for cut in 0..whole.len() {
        let expected = ends.iter().filter(|(end, trace)| *trace && *end <= cut as u64).count();
        match read(&whole[..cut]) {
            Ok(read) => {
                assert_eq!(read.data.traces.len(), expected, "cut at {cut}");
                assert!(read.data.recovered && !read.complete);
            }
            Err(error) => {
                assert!((cut as u64) < ends[0].0, "cut at {cut}: {error}");
                assert_eq!(cut == 0, matches!(error, ReadError::Empty));
            }
        }
    }
}

#[test]
fn a_lost_symbols_chunk_costs_names_and_not_traces() {
    let mut bytes = part(true);
    let symbols = dump(&bytes).find(|chunk| chunk.kind == Some(xray_core::format::Kind::Symbols)).unwrap();
    bytes[symbols.offset as usize + 40] ^= 0x10;
    let read = read(&bytes).unwrap();
    let damage = read.damage.unwrap();
    assert_eq!((damage.offset, damage.chunk, damage.lost_chunks), (symbols.offset, 2, 1));
    assert_eq!(damage.lost_bytes, symbols.len);
    assert_eq!(read.data.traces.len(), TRACES as usize);
    assert_eq!(read.data.symbols[read.data.traces[0].nodes[0].symbol].name, "(name lost)");
    assert_eq!(read.data.loss.len(), 2);
    assert!(read.complete && read.data.recovered);
}

#[test]
fn the_header_may_be_damaged_because_it_stands_there_twice() {
    let mut bytes = part(true);
    bytes[20..60].fill(0);
    let read = read(&bytes).unwrap();
    assert_eq!(read.data.header, header());
    assert_eq!(read.data.traces.len(), TRACES as usize);
}

#[test]
fn a_damaged_preamble_is_survived_and_a_foreign_file_is_refused() {
    let mut bytes = part(true);
    bytes[9] ^= 0xff;
    assert_eq!(read(&bytes).unwrap().data.traces.len(), TRACES as usize);
    for foreign in [&b"\x7fELF\x02\x01\x01"[..], b"{\"json\": true}", &[0; 4_096]] {
        assert!(matches!(read(foreign), Err(ReadError::Foreign)));
    }
}

#[test]
fn a_newer_version_is_refused_by_its_number() {
    let mut bytes = part(true);
    bytes[8] = 2;
    let crc = crc32fast::hash(&bytes[..12]);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    assert!(matches!(read(&bytes), Err(ReadError::Newer { found: 2, newest: 1 })));
}

#[test]
fn nothing_recoverable_names_offset_and_chunk() {
    let bytes = part(true);
    let message = read(&bytes[..40]).unwrap_err().to_string();
    assert_eq!(message.split(": cut").next().unwrap(), "nothing can be recovered: chunk 0 at offset 16", "{message}");
}

#[test]
fn chunks_of_another_session_are_left_out() {
    let mut other = header();
    other.id = SessionId("another00000".to_owned());
    let mut bytes = part(true);
    PartWriter::new(&mut bytes, &other, &process()).unwrap();
    let read = read(&bytes).unwrap();
    assert_eq!(read.data.header, header());
    assert!(read.damage.is_some());
}

#[test]
fn a_part_is_private_and_never_overwritten() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.4711.xr.part");
    let writer = PartWriter::create(&path, &header(), &process()).unwrap();
    assert!(matches!(PartWriter::create(&path, &header(), &process()), Err(WriteError::Io(_))));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    drop(writer);
    assert_eq!(read(&std::fs::read(&path).unwrap()).unwrap().data.processes.len(), 1);
}

#[test]
fn what_does_not_fit_into_a_chunk_is_refused_and_the_part_goes_on() {
    let mut bytes = Vec::new();
    let mut writer = PartWriter::new(&mut bytes, &header(), &process()).unwrap();
    writer.symbols(0, &[symbol(1), symbol(2)]).unwrap();
    assert!(matches!(writer.trace(&long_trace(120_000)), Err(WriteError::TooLarge { kind: "trace", .. })));
    writer.trace(&trace(2)).unwrap();
    drop(writer);
    assert_eq!(read(&bytes).unwrap().data.traces, [trace(2)]);
}

/// A trace of so many nodes whose numbers are long.
fn long_trace(nodes: u64) -> Trace {
    let mut trace = trace(1);
    let root = trace.nodes[0].clone();
    trace.nodes = (0..nodes).map(|at| TraceNode { calls: u64::MAX - at, resumes: u64::MAX, ..root.clone() }).collect();
    trace
}

#[test]
fn a_trace_that_is_too_long_to_be_packed_is_written_as_it_is() {
    let mut bytes = Vec::new();
    let mut writer = PartWriter::new(&mut bytes, &header(), &process()).unwrap();
    writer.symbols(0, &[symbol(1), symbol(2)]).unwrap();
    writer.trace(&long_trace(100_000)).unwrap();
    drop(writer);
    assert!(dump(&bytes).any(|chunk| chunk.kind == Some(xray_core::format::Kind::Trace)));
    assert_eq!(read(&bytes).unwrap().data.traces, [long_trace(100_000)]);
}

#[test]
fn dump_covers_the_file() {
    let bytes = part(true);
    let mut at = 16;
    for chunk in dump(&bytes) {
        assert_eq!(chunk.offset, at);
        assert!(chunk.crc_ok && !chunk.summary.is_empty());
        at += chunk.len;
    }
    assert_eq!(at, bytes.len() as u64);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn flipped_bits_never_panic_and_never_invent(flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..20)) {
        let mut bytes = part(true);
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        if let Ok(read) = read(&bytes) {
            for kept in &read.data.traces {
                prop_assert_eq!(kept.duration_ns, 5_000_000);
            }
            prop_assert!(read.data.requests.traced <= (1..=TRACES).sum::<u64>());
        }
        dump(&bytes).for_each(drop);
    }

    #[test]
    fn pieces_moved_about_never_panic(cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..8)) {
        let source = part(true);
        let mut bytes = Vec::new();
        for (from, to) in cuts {
            let (from, to) = (from.index(source.len()), to.index(source.len()));
            bytes.extend_from_slice(&source[from.min(to)..from.max(to)]);
        }
        let _ = read(&bytes);
        dump(&bytes).for_each(drop);
    }
}
