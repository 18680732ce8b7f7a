//! Whole recordings, step by step.

use super::testing::{Disk, Rig, Tally, header};
use super::*;
use crate::clock::{Clock, FakeClock};
use crate::control::progress::decode_latency;
use crate::control::protocol::AgentState;
use crate::format;
use crate::limits::{DRAIN_NS, EXIT_DRAIN_NS, RECORD_CHANNEL, TRACE_CHANNEL};
use crate::model::{LossKind, Note, NoteCode, ProcessEnd, SessionData, Severity, ThreadKind, ThreadState, TraceId};
use crate::sample::{FrameAt, Sample, SampleBatch, Seen, StackId, StackNode, Stacks};
use crate::trace::{Allowance, Entry, Exit, Recorder};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

/// A trace of `duration_ns`: the transaction calls 2, which calls 4 `calls` times in half of the time.
fn finished(id: u64, duration_ns: u64, calls: u64) -> FinishedTrace {
    let mut recorder = Recorder::new();
    recorder.begin(0, Allowance::default());
    recorder.enter(CallKey(2), Entry::Start, 0);
    for call in 0..calls {
        recorder.enter(CallKey(4), Entry::Start, call * duration_ns / (2 * calls));
        recorder.leave(CallKey(4), Exit::Return, (call + 1) * duration_ns / (2 * calls));
    }
    recorder.leave(CallKey(2), Exit::Return, duration_ns);
    let tree = recorder.finish(duration_ns);
    FinishedTrace {
        id: TraceId(id),
        thread: "MainThread".to_owned(),
        started_unix_ns: FakeClock::ZERO_UNIX_NS,
        duration_ns,
        cpu_ns: duration_ns / 2,
        status: Some(200),
        error: None,
        attributes: vec![("route".to_owned(), "/tags/<tag>/".to_owned())],
        incomplete: None,
        strands: vec![Strand { name: None, started_ticks: 0, tree }],
    }
}

fn record(intake: &Intake, arm: Arm, wall_ns: u64) {
    let ended_at_ns = intake.session_now_ns();
    intake.record(TransactionRecord { arm, ended_at_ns, wall_ns, cpu_ns: wall_ns / 2, error: false });
}

fn batch(kind: ThreadKind, weights: &[u64]) -> SampleBatch {
    let mut stacks = Stacks::default();
    let at = |key, line| FrameAt { code: CallKey(key), line };
    let stack = stacks.of(&[at(4, 40), at(2, 20)]).unwrap();
    let node = |caller, frame| StackNode { caller, frame };
    let nodes = vec![node(StackId::EMPTY, at(2, 20)), node(stacks.of(&[at(2, 20)]).unwrap(), at(4, 40))];
    let seen = Seen { thread: 1, kind, state: ThreadState::OnCpu, trace: None, cpu_ns: 0, torn: false, stack };
    let samples = weights.iter().map(|ns| Sample { seen, count: 1, weight_ns: *ns, at_ns: 0 }).collect();
    SampleBatch { epoch: 0, first_node: 0, nodes, names: Vec::new(), samples, waits: Vec::new(), ticks: Vec::new() }
}

fn read(disk: &Disk) -> SessionData {
    format::read(&disk.bytes()).unwrap().data
}

impl Rig {
    /// Steps until it is over, 100 ms each; then what is in the part.
    fn run_out(mut self) -> (RecordingSummary, SessionData) {
        for _ in 0..10_000 {
            if self.step() {
                let summary = self.collector.finish(&mut self.names, &mut self.meter);
                assert_eq!(self.intake.state(), AgentState::Finished);
                return (summary, read(&self.disk));
            }
            self.clock.advance(100 * MS);
        }
        panic!("it does not end");
    }
}

#[test]
fn what_goes_in_is_in_the_part() {
    let mut rig = Rig::new(header());
    rig.clock.advance(2 * SECOND);
    assert!(rig.intake.trace(|| finished(7, 10 * MS, 5)));
    record(&rig.intake, Arm::Traced, 10 * MS);
    record(&rig.intake, Arm::Control, 8 * MS);
    record(&rig.intake, Arm::Other, MS);
    assert!(rig.intake.samples(batch(ThreadKind::Target, &[10 * MS, 20 * MS])));
    rig.intake.counters().sampler.count.fetch_add(2, Relaxed);
    rig.intake.counters().events.fetch_add(1_000, Relaxed);
    rig.intake.note(Note {
        code: NoteCode("sampled_under_gil".to_owned()),
        severity: Severity::Info,
        message: "Sampled under the GIL.".to_owned(),
    });
    rig.meter.0 = Cost { process_cpu_ns: 90 * MS, agent_cpu_ns: 3 * MS, sampler_cpu_ns: 2 * MS };
    rig.step();
    let progress = rig.intake.progress();
    assert_eq!((progress.state, progress.traced, progress.control), (AgentState::Recording, 1, 1));
    assert_eq!((progress.elapsed_ns, decode_latency(&progress.latency_v2_base64).count()), (2 * SECOND, 2));
    rig.intake.request_stop(StoppedBy::User);
    let (summary, data) = rig.run_out();

    assert_eq!(summary.stopped_by, StoppedBy::User);
    assert_eq!((summary.traces_written, summary.write_errors), (1, 0));
    assert_eq!(summary.requests, data.requests);
    assert_eq!((data.requests.traced, data.requests.control, data.requests.other), (1, 1, 1));
    assert_eq!((data.traced.latency.count(), data.control.wall_sum_ns), (1, u128::from(8 * MS)));
    assert_eq!((data.series[&2].matched, data.series[&2].other), (2, 1));
    assert_eq!((data.process_cpu_ns, data.xray_cpu_ns), (90 * MS, 5 * MS + 25_000));
    assert_eq!((data.sample_stats.count, data.sample_stats.sampler_cpu_ns), (2, 2 * MS));
    assert_eq!(data.notes.len(), 1);
    assert_eq!(data.loss, []);
    assert_eq!((data.processes[0].end, data.stopped_by), (ProcessEnd::Finished, StoppedBy::User));

    let [trace] = &data.traces[..] else { panic!("one trace") };
    assert_eq!((trace.duration_ns, trace.calls, trace.complete), (10 * MS, 7, true));
    assert_eq!(trace.nodes.iter().map(|n| n.self_ns).sum::<u64>(), trace.duration_ns);
    let names: Vec<_> = trace.nodes.iter().map(|n| data.symbols[n.symbol].name.as_str()).collect();
    assert_eq!(names, ["/tags/<tag>/", "f2", "f4"]);
    assert_eq!(trace.nodes[2].calls, 5);
    let names: Vec<_> = data.call_tree.nodes.iter().map(|n| data.symbols[n.symbol].name.as_str()).collect();
    assert_eq!(names, ["/tags/<tag>/", "f2", "f4"]);
    assert_eq!((data.call_tree.nodes[2].total_ns, data.call_tree.nodes[2].traces), (5 * MS, 1));
    let lines: Vec<_> = data.sample_tree.nodes.iter().map(|n| (n.line, n.weight_ns, n.self_ns)).collect();
    assert_eq!(lines, [(20, 30 * MS, 0), (40, 30 * MS, 30 * MS)], "outermost first, with its lines");
}

#[test]
fn it_ends_at_its_time() {
    let mut header = header();
    header.limits.duration_ns = 3 * SECOND;
    let (summary, data) = Rig::new(header).run_out();
    assert_eq!((summary.stopped_by, data.stopped_by), (StoppedBy::Time, StoppedBy::Time));
    assert!((3 * SECOND..4 * SECOND).contains(&(data.ended_unix_ns - FakeClock::ZERO_UNIX_NS)));
}

#[test]
fn it_ends_after_its_traces_counted_over_all_processes_without_the_short_ones() {
    let mut header = header();
    (header.limits.stop_after, header.limits.min_ns) = (Some(3), 5 * MS);
    let (clock, tally) = (Arc::<FakeClock>::default(), Tally::default());
    let mut one = Rig::of_process(header.clone(), 1, clock.clone(), tally.clone());
    let mut two = Rig::of_process(header, 2, clock.clone(), tally);
    for (id, duration) in [(1, 6 * MS), (2, MS), (3, MS), (4, 6 * MS)] {
        assert!(one.intake.trace(|| finished(id, duration, 1)));
    }
    one.step();
    two.step();
    assert_eq!((one.intake.stopped(), two.intake.stopped()), (None, None));
    two.intake.trace(|| finished(5, 6 * MS, 1));
    two.step();
    one.step();
    assert_eq!(one.intake.stopped(), Some(StoppedBy::Traces));
    let (summary, data) = one.run_out();
    assert_eq!((summary.traces_written, data.traces.len()), (2, 2), "short traces are not kept");
    assert_eq!(data.call_tree.nodes[0].calls, 4, "and are counted");
    assert_eq!(two.run_out().0.stopped_by, StoppedBy::Traces);
}

#[test]
fn open_traces_are_waited_for_and_belong_to_the_session() {
    let mut rig = Rig::new(header());
    rig.clock.advance(SECOND);
    let open = rig.intake.open_trace().unwrap();
    rig.intake.request_stop(StoppedBy::User);
    assert!(rig.intake.open_trace().is_none(), "no new ones");
    for _ in 0..30 {
        assert!(!rig.step());
        rig.clock.advance(100 * MS);
    }
    assert_eq!(rig.intake.state(), AgentState::Draining);
    assert_eq!(rig.intake.progress().elapsed_ns, SECOND, "the time recorded, not the time waited");
    rig.intake.trace(|| finished(1, 3_500 * MS, 1));
    record(&rig.intake, Arm::Traced, 3_500 * MS);
    record(&rig.intake, Arm::Other, 2_000 * MS);
    drop(open);
    assert!(rig.step());
    let (summary, data) = rig.run_out();
    assert_eq!((summary.requests.traced, summary.requests.incomplete), (1, 0));
    assert_eq!(summary.requests.other, 0, "began after recording ended");
    assert_eq!(data.traces.len(), 1);
}

#[test]
fn traces_that_do_not_end_are_incomplete_and_end_nothing_but_the_wait() {
    for (by, drain_ns, end) in
        [(StoppedBy::Time, DRAIN_NS, ProcessEnd::Finished), (StoppedBy::Exit, EXIT_DRAIN_NS, ProcessEnd::Exited)]
    {
        let rig = Rig::new(header());
        let clock = rig.clock.clone();
        let open = rig.intake.open_trace();
        rig.intake.request_stop(by);
        let (summary, data) = rig.run_out();
        assert!(clock.now_ns() >= drain_ns && clock.now_ns() < drain_ns + SECOND);
        assert_eq!((summary.requests.incomplete, data.requests.incomplete), (1, 1));
        assert_eq!(data.processes[0].end, end);
        drop(open);
    }
}

#[test]
fn counts_are_exact_when_the_channels_are_full() {
    let rig = Rig::new(header());
    let (records, traces) = (RECORD_CHANNEL as u64 + 500, TRACE_CHANNEL as u64 + 20);
    (0..records).for_each(|_| record(&rig.intake, Arm::Control, MS));
    let mut built = 0;
    for id in 0..traces {
        rig.intake.trace(|| {
            built += 1;
            finished(id, MS, 1)
        });
    }
    assert_eq!(built, TRACE_CHANNEL as u64, "nothing is built for a full channel");
    rig.intake.request_stop(StoppedBy::User);
    let (_, data) = rig.run_out();
    assert_eq!((data.requests.control, data.control.latency.count()), (records, RECORD_CHANNEL as u64));
    let losses: Vec<_> = data.loss.iter().map(|loss| (loss.kind, loss.count, loss.capacity)).collect();
    assert_eq!(
        losses,
        [(LossKind::TraceChannel, 20, TRACE_CHANNEL as u64), (LossKind::RecordChannel, 500, RECORD_CHANNEL as u64)]
    );
}

#[test]
fn room_for_traces_is_counted_in_nodes_too_and_comes_back() {
    let mut rig = Rig::new(header());
    let large = || {
        let mut trace = finished(1, MS, 1);
        let node = trace.strands[0].tree.nodes[2].clone();
        trace.strands[0].tree.nodes.resize(200_000, node);
        trace
    };
    let taken = (0..10).filter(|_| rig.intake.trace(large)).count();
    assert_eq!(taken, 3);
    rig.step();
    assert!(rig.intake.trace(|| finished(2, MS, 1)));
}

#[test]
fn a_full_disk_ends_nothing_and_what_was_not_written_comes_later() {
    let mut rig = Rig::new(header());
    rig.disk.limit(Some(rig.disk.bytes().len() + 60));
    for second in 0..5_u64 {
        rig.clock.advance(SECOND);
        record(&rig.intake, Arm::Control, MS);
        rig.intake.trace(|| finished(second, MS, 1));
        assert!(!rig.step());
    }
    assert!(rig.intake.counters().lost(LossKind::WriteErrors) > 0);
    rig.disk.limit(None);
    rig.intake.trace(|| finished(9, MS, 1));
    rig.intake.request_stop(StoppedBy::User);
    let (summary, data) = rig.run_out();
    assert!(!data.recovered, "no damage is left");
    assert_eq!((data.requests.control, data.call_tree.nodes[0].calls), (5, 6), "everything counted once");
    assert_eq!(summary.traces_written as usize, data.traces.len());
    assert!(data.traces.iter().any(|trace| trace.id == TraceId(9)));
    let write_errors = data.loss.iter().find(|loss| loss.kind == LossKind::WriteErrors).unwrap();
    assert_eq!(write_errors.count, summary.write_errors);
    assert_eq!(data.notes[0].code.0, "write_failed");
}

#[test]
fn killed_at_any_byte_the_part_reads_and_holds_what_was_written_a_second_before() {
    let mut rig = Rig::new(header());
    let mut whole = vec![(rig.disk.bytes().len(), 0)];
    for id in 1..=12 {
        rig.clock.advance(300 * MS);
        rig.intake.trace(|| finished(id, MS, 3));
        record(&rig.intake, Arm::Traced, MS);
        rig.intake.samples(batch(ThreadKind::Web, &[MS]));
        rig.step();
        whole.push((rig.disk.bytes().len(), id));
    }
    let bytes = rig.disk.bytes();
    for cut in whole[0].0..bytes.len() {
        let data = format::read(&bytes[..cut]).unwrap().data;
        let finished = whole.iter().rev().find(|(length, _)| *length <= cut).unwrap().1;
        assert!(data.traces.len() as u64 >= finished, "cut at {cut}");
        assert!(data.requests.traced + 4 >= finished, "the counts are at most a second older");
        assert_eq!(data.stopped_by, StoppedBy::Lost);
    }
}

#[test]
fn nothing_is_written_while_nothing_happens() {
    let mut rig = Rig::new(header());
    rig.step();
    let before = rig.disk.bytes().len();
    for second in 1..20 {
        rig.clock.advance(SECOND);
        rig.meter.0.process_cpu_ns = second * MS;
        rig.step();
    }
    assert_eq!(rig.disk.bytes().len(), before);
}

#[test]
fn the_budget_cuts_what_it_may_and_the_decision_is_in_the_part() {
    let mut rig = Rig::new(header());
    for _ in 0..30 {
        rig.clock.advance(250 * MS);
        rig.meter.0.process_cpu_ns += 200 * MS;
        rig.intake.counters().events.fetch_add(1_000_000, Relaxed);
        rig.step();
    }
    assert!(rig.intake.share() < 1.0);
    assert!(rig.intake.progress().overhead > 0.1);
    rig.intake.request_stop(StoppedBy::User);
    let (_, data) = rig.run_out();
    assert_eq!(
        (data.decisions[0].what.as_str(), data.decisions[0].from, data.decisions[0].to),
        ("traced_share", 1.0, 0.5)
    );
}

#[test]
fn many_threads_hand_in_while_it_runs_and_every_one_is_counted() {
    let rig = Rig::new(header());
    let Rig { intake, collector, disk, mut meter, mut names, .. } = rig;
    let collecting = std::thread::spawn(move || collector.run(&mut names, &mut meter));
    let threads: Vec<_> = (0..4_u64)
        .map(|thread| {
            let intake = intake.clone();
            std::thread::spawn(move || {
                for number in 0..200 {
                    if let Some(open) = intake.open_trace() {
                        intake.trace(|| finished(thread << 32 | number, MS, 2));
                        record(&intake, Arm::Traced, MS);
                        drop(open);
                    } else {
                        record(&intake, Arm::Control, MS);
                    }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    intake.request_stop(StoppedBy::User);
    let summary = collecting.join().unwrap();
    let data = read(&disk);
    assert_eq!(data.requests.matched(), 800);
    let lost = data.loss.iter().find(|loss| loss.kind == LossKind::TraceChannel).map_or(0, |loss| loss.count);
    assert_eq!(data.call_tree.nodes[0].traces + lost, data.requests.traced);
    assert_eq!(summary.requests, data.requests);
    assert!(!intake.trace(|| finished(1, MS, 1)), "over");
}

/// Numbers that do not depend on which process they were counted in.
fn numbers(data: &SessionData) -> impl PartialEq + std::fmt::Debug {
    let mut calls: Vec<_> =
        data.call_tree.nodes.iter().map(|n| (data.symbols[n.symbol].clone(), n.calls, n.total_ns, n.self_ns)).collect();
    calls.sort();
    let mut weights: Vec<_> = data
        .sample_tree
        .nodes
        .iter()
        .map(|n| (data.symbols[n.symbol].clone(), n.line, n.kind, n.count, n.weight_ns))
        .collect();
    weights.sort();
    (data.requests, data.traced.clone(), data.control.clone(), data.series.clone(), calls, weights)
}

mod property {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Record(Arm, u64),
        Trace(u64, u64),
        Samples(u64),
        Wait(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let arm = prop_oneof![Just(Arm::Traced), Just(Arm::Control), Just(Arm::Other)];
        prop_oneof![
            (arm, 1_u64..1_000).prop_map(|(arm, us)| Step::Record(arm, us * 1_000)),
            (1_u64..1_000, 1_u64..5).prop_map(|(us, calls)| Step::Trace(us * 1_000, calls)),
            (1_u64..100).prop_map(|ms| Step::Samples(ms * MS)),
            (1_u64..900).prop_map(|ms| Step::Wait(ms * MS)),
        ]
    }

    fn feed(rig: &mut Rig, id: u64, step: &Step) {
        match step {
            Step::Record(arm, wall_ns) => record(&rig.intake, *arm, *wall_ns),
            Step::Trace(duration_ns, calls) => {
                assert!(rig.intake.trace(|| finished(id, *duration_ns, *calls)));
            }
            Step::Samples(weight_ns) => assert!(rig.intake.samples(batch(ThreadKind::Web, &[*weight_ns]))),
            Step::Wait(_) => {
                rig.step();
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn two_recordings_together_count_what_one_would(
            steps in prop::collection::vec((step(), any::<bool>()), 0..60),
        ) {
            let clock = Arc::<FakeClock>::default();
            let mut all = Rig::of_process(header(), 1, clock.clone(), Tally::default());
            let mut halves = [2, 3].map(|pid| Rig::of_process(header(), pid, clock.clone(), Tally::default()));
            for (id, (step, half)) in steps.iter().enumerate() {
                if let Step::Wait(ns) = step {
                    clock.advance(*ns);
                }
                feed(&mut all, id as u64, step);
                feed(&mut halves[usize::from(*half)], id as u64, step);
            }
            let mut out = Vec::new();
            for rig in halves.into_iter().chain([all]) {
                rig.intake.request_stop(StoppedBy::User);
                out.push(rig.run_out().1);
            }
            let all = out.pop().unwrap();
            let mut sum = out.pop().unwrap();
            let other = out.pop().unwrap();
            add(&mut sum, &other);
            prop_assert_eq!(numbers(&sum), numbers(&all));
            let mut ids: Vec<_> = sum.traces.iter().map(|trace| trace.id).collect();
            ids.sort();
            prop_assert_eq!(ids, { let mut ids: Vec<_> = all.traces.iter().map(|t| t.id).collect(); ids.sort(); ids });
        }
    }

    /// The part of a merge that this module answers for.
    fn add(sum: &mut SessionData, other: &SessionData) {
        use crate::model::{PathNode, TreeSum};
        fn trees<N: PathNode>(
            ours: &[N],
            theirs: &[N],
            symbol: impl Fn(crate::model::SymbolId) -> crate::model::SymbolId,
        ) -> Vec<N> {
            let mut tree = TreeSum::default();
            tree.add(ours, |s| s);
            tree.add(theirs, symbol);
            tree.into_sorted_preorder()
        }
        let mut symbols = sum.symbols.clone();
        let ids: Vec<_> = other.symbols.entries().iter().map(|symbol| symbols.intern(symbol.clone())).collect();
        sum.symbols = symbols;
        sum.call_tree.nodes = trees(&sum.call_tree.nodes, &other.call_tree.nodes, |s| ids[s.0 as usize]);
        sum.sample_tree.nodes = trees(&sum.sample_tree.nodes, &other.sample_tree.nodes, |s| ids[s.0 as usize]);
        sum.requests.add(&other.requests);
        sum.traced.add(&other.traced);
        sum.control.add(&other.control);
        for (second, stats) in &other.series {
            sum.series.entry(*second).or_default().add(stats);
        }
        sum.traces.extend(other.traces.iter().cloned());
    }
}
