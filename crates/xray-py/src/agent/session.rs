//! The application's side of a session: which transactions match, which are traced, and what becomes of them.

use super::names::{NameId, NameTable};
use super::segment::SegmentTable;
use crate::cpython::frames::thread_name;
use crate::cpython::slot::{self, Strand};
use crate::cpython::tracer::{Begun, Tracer};
use crate::cpython::{arguments, code};
use crate::os::clock;
use pyo3::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};
use xray_core::admission::{self, Admission, AdmissionInput, Reason};
use xray_core::id;
use xray_core::limits::TRACES_IN_FLIGHT;
use xray_core::model::{ContextId, LossKind, ProcessKey, SessionHeader, TraceId};
use xray_core::session::{Arm, FinishedTrace, Intake, OpenTrace, Strand as FinishedStrand, TransactionRecord};
use xray_core::target::Matcher;
use xray_core::trace::{Allowance, Recorder};

/// Contexts (threads) of one trace that are recorded beside its own.
const STRANDS: usize = 64;

static GENERATION: AtomicU64 = AtomicU64::new(0);

/// The application's side of a session. Lives in [`STATE`]; touched only with the GIL.
pub(crate) struct Recording {
    /// Tells this session from the one before.
    pub(crate) generation: u64,
    /// Segments seen.
    pub(crate) segments: SegmentTable,
    intake: Intake,
    matcher: Matcher,
    /// By name, once asked.
    decided: Vec<Option<bool>>,
    seed: u64,
    share: f64,
    process: ProcessKey,
    counter: u64,
    tracer: Tracer,
    /// Recorders to use again: their memory is warm, and they know the paths of this session.
    spare: Vec<Recorder>,
    /// What [`arguments::version`] was when they did not know it better.
    arguments: u64,
}

/// A trace in flight.
pub(crate) struct LiveTrace {
    /// Identity.
    pub(crate) id: TraceId,
    thread: u64,
    begun: Begun,
    /// The recording waits for it; dropped after the trace was handed in.
    _open: OpenTrace,
    /// Boxed: threads hold their address.
    #[allow(clippy::vec_box, reason = "slots point to the strands, which must not move when the list grows")]
    strands: Vec<Box<Strand>>,
    /// What the recorders of all strands may take together.
    memory: Allowance,
    /// [`arguments::version`] when it began.
    arguments: u64,
    /// Whether a context found no strand free.
    left_out: bool,
}

/// What is known of a traced transaction at its end.
pub(crate) struct Description {
    pub(crate) started_unix_ns: u64,
    pub(crate) duration_ns: u64,
    pub(crate) cpu_ns: u64,
    pub(crate) status: Option<u16>,
    pub(crate) error: Option<String>,
    pub(crate) attributes: Vec<(String, String)>,
    /// Whether its final name matches.
    pub(crate) keep: bool,
}

impl Recording {
    /// A session that starts now, with an armed tracer.
    pub(crate) fn new(
        intake: Intake,
        matcher: Matcher,
        header: &SessionHeader,
        process: ProcessKey,
        tracer: Tracer,
    ) -> Self {
        Self {
            generation: GENERATION.fetch_add(1, Ordering::Relaxed) + 1,
            segments: SegmentTable::new(),
            intake,
            matcher,
            decided: Vec::new(),
            seed: header.seed,
            share: header.limits.share,
            process,
            counter: 0,
            tracer,
            spare: Vec::new(),
            arguments: arguments::version(),
        }
    }

    /// Ends it: the tracer is off afterwards.
    pub(crate) fn disarm(&mut self, py: Python<'_>) {
        self.tracer.disarm(py);
        slot::forget_recorders(py);
    }

    /// Whether a transaction of this name is the target.
    pub(crate) fn matches(&mut self, name: NameId, names: &NameTable) -> bool {
        if self.decided.len() <= name.index() {
            self.decided.resize(name.index() + 1, None);
        }
        *self.decided[name.index()].get_or_insert_with(|| self.matcher.matches(names.name(name)))
    }

    /// The one decision about a matching transaction: a trace, or `None` for a control.
    pub(crate) fn admit(
        &mut self,
        py: Python<'_>,
        inside_trace: bool,
        thread: u64,
        started_ticks: u64,
    ) -> Option<Box<LiveTrace>> {
        self.counter += 1;
        let id = id::trace_id(self.seed, self.process, self.counter);
        let decision = admission::decide(AdmissionInput {
            seed: self.seed,
            trace: id,
            configured_share: self.share,
            allowed_share: self.intake.share(),
            in_flight: self.intake.counters().in_flight.load(Ordering::Relaxed),
            inside_trace,
        });
        if decision == Admission::Control(Reason::InFlight) {
            self.intake.counters().lose(LossKind::Recorders, 1);
        }
        if decision != Admission::Trace {
            return None;
        }
        let open = self.intake.open_trace()?;
        let begun = self.tracer.trace_begins(py)?;
        let memory = Allowance::default();
        if self.arguments != arguments::version() {
            self.arguments = arguments::version();
            self.spare.clear();
        }
        let recorder = self.spare.pop().unwrap_or_default();
        let own = new_strand(ContextId(thread), None, started_ticks, &memory, recorder);
        Some(Box::new(LiveTrace {
            id,
            thread,
            begun,
            _open: open,
            strands: vec![own],
            memory,
            arguments: self.arguments,
            left_out: false,
        }))
    }

    /// Counts a transaction that has ended.
    pub(crate) fn count(&self, arm: Arm, wall_ns: u64, cpu_ns: u64, error: bool) {
        let ended_at_ns = self.intake.session_now_ns();
        self.intake.record(TransactionRecord { arm, ended_at_ns, wall_ns, cpu_ns, error });
    }

    /// A trace has ended: hands it to the collector, or drops it when its final name is another one.
    pub(crate) fn end_trace(&mut self, py: Python<'_>, mut trace: LiveTrace, description: Description) {
        let now = clock::ticks();
        let incomplete = self.tracer.trace_ends(py, trace.begun);
        let left_out = trace.left_out.then_some("it had more threads than are recorded in one trace");
        slot::forget_recorders(py);
        let counters = self.intake.counters();
        counters.events.fetch_add(trace.strands.iter().map(|s| s.recorder.events()).sum(), Ordering::Relaxed);
        if description.keep {
            self.intake.trace(|| FinishedTrace {
                id: trace.id,
                thread: thread_name(py, trace.thread),
                started_unix_ns: description.started_unix_ns,
                duration_ns: description.duration_ns,
                cpu_ns: description.cpu_ns,
                status: description.status,
                error: description.error,
                attributes: description.attributes,
                incomplete: incomplete.or(left_out).map(str::to_owned),
                strands: trace.strands.iter_mut().map(|strand| finish_strand(strand, now)).collect(),
            });
        } else {
            counters.discarded.fetch_add(1, Ordering::Relaxed);
        }
        // The transaction's own, whose memory is warm; the others were made for few calls.
        if let Some(own) = std::mem::take(&mut trace.strands).into_iter().next()
            && self.spare.len() < TRACES_IN_FLIGHT as usize
            && trace.arguments == arguments::version()
            && code::keeps_all(py)
        {
            self.spare.push(own.recorder);
        }
    }

    /// A transaction was dropped without an end.
    pub(crate) fn abandon(&mut self, py: Python<'_>, matching: bool, trace: Option<Box<LiveTrace>>) {
        if matching {
            self.intake.counters().incomplete.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(trace) = trace {
            self.tracer.trace_ends(py, trace.begun);
        }
    }
}

impl LiveTrace {
    /// The strand of the running thread; made at its first call.
    pub(crate) fn strand(&mut self, py: Python<'_>, thread: u64) -> *mut Strand {
        let context = ContextId(thread);
        let found = self.strands.iter().position(|strand| strand.context == context);
        let index = match found {
            Some(index) => index,
            None if self.strands.len() < STRANDS => {
                let name = Some(thread_name(py, thread));
                self.strands.push(new_strand(context, name, clock::ticks(), &self.memory, Recorder::new()));
                self.strands.len() - 1
            }
            None => {
                self.left_out = true;
                return std::ptr::null_mut();
            }
        };
        &raw mut *self.strands[index]
    }
}

impl Drop for LiveTrace {
    fn drop(&mut self) {
        // Dropped only from Python code, so the GIL is held; while the interpreter ends nothing is traced any more.
        Python::try_attach(slot::forget_recorders);
    }
}

fn new_strand(
    context: ContextId,
    name: Option<String>,
    started_ticks: u64,
    memory: &Allowance,
    mut recorder: Recorder,
) -> Box<Strand> {
    recorder.begin(started_ticks, memory.clone());
    Box::new(Strand {
        context,
        name,
        started_ticks,
        recorder,
        segments: Vec::new(),
        suspension: slot::Suspension::default(),
    })
}

fn finish_strand(strand: &mut Strand, now: u64) -> FinishedStrand {
    FinishedStrand { name: strand.name.take(), started_ticks: strand.started_ticks, tree: strand.recorder.finish(now) }
}
