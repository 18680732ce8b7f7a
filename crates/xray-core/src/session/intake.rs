//! The application threads' side of a recording: nothing here waits.

use super::{Arm, Counters, FinishedTrace, TransactionRecord};
use crate::clock::Clock;
use crate::control::progress::encode_latency;
use crate::control::protocol::{AgentState, Progress};
use crate::histogram::LatencyHistogram;
use crate::limits::{
    DRAIN_NS, EXIT_DRAIN_NS, NOTES, RECORD_CHANNEL, SAMPLE_CHANNEL, TRACE_CHANNEL, TRACE_CHANNEL_NODES,
    TRACES_IN_FLIGHT,
};
use crate::model::{LossKind, Note, SessionHeader, StoppedBy};
use crate::sample::SampleBatch;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Where application threads, the sampler and the controller meet a recording. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    shared: Arc<Shared>,
}

struct Shared {
    counters: Counters,
    clock: Arc<dyn Clock>,
    started_unix_ns: u64,
    records: Sender<TransactionRecord>,
    traces: Sender<FinishedTrace>,
    samples: Sender<SampleBatch>,
    wake: Sender<()>,
    /// Traces that are in the channel or being built for it, and their nodes.
    queued_traces: AtomicUsize,
    queued_nodes: AtomicUsize,
    /// Bits of an `f64`.
    share: AtomicU64,
    sample_rate: AtomicU32,
    stop: OnceLock<Stop>,
    exiting: AtomicBool,
    samplers: AtomicU32,
    state: AtomicU8,
    /// When this process joined, after the session's start.
    joined_at_ns: u64,
    /// Touched by the collector and the controller only.
    published: Mutex<Published>,
}

#[derive(Clone, Copy)]
struct Stop {
    by: StoppedBy,
    at_ns: u64,
}

/// What is not an atomic.
#[derive(Debug, Default)]
pub(super) struct Published {
    /// Wall times of all matching transactions.
    pub(super) latency: LatencyHistogram,
    pub(super) overhead: f64,
    /// New ones, not yet taken by the collector.
    pub(super) notes: Vec<Note>,
}

/// The collector's ends of the channels.
pub(super) struct Outlet {
    pub(super) records: Receiver<TransactionRecord>,
    pub(super) traces: Receiver<FinishedTrace>,
    pub(super) samples: Receiver<SampleBatch>,
    pub(super) wake: Receiver<()>,
}

/// A traced transaction that is open; the recording waits for it (at most [`crate::limits::DRAIN_NS`]). Drop it
/// after the transaction was recorded and its trace handed in.
pub struct OpenTrace {
    intake: Intake,
}

/// A running sampler; the recording waits for its last samples.
pub(crate) struct OpenSampler {
    intake: Intake,
}

impl Drop for OpenSampler {
    fn drop(&mut self) {
        self.intake.shared.samplers.fetch_sub(1, Ordering::AcqRel);
        self.intake.wake();
    }
}

impl Drop for OpenTrace {
    fn drop(&mut self) {
        self.intake.counters().in_flight.fetch_sub(1, Ordering::SeqCst);
        if self.intake.stopped().is_some() {
            self.intake.wake();
        }
    }
}

impl Intake {
    pub(super) fn new(header: &SessionHeader, clock: Arc<dyn Clock>) -> (Self, Outlet) {
        let (records, records_out) = bounded(RECORD_CHANNEL);
        let (traces, traces_out) = bounded(TRACE_CHANNEL);
        let (samples, samples_out) = bounded(SAMPLE_CHANNEL);
        let (wake, wake_out) = bounded(1);
        let shared = Shared {
            counters: Counters::default(),
            joined_at_ns: clock.unix_ns().saturating_sub(header.started_unix_ns),
            clock,
            started_unix_ns: header.started_unix_ns,
            records,
            traces,
            samples,
            wake,
            queued_traces: AtomicUsize::new(0),
            queued_nodes: AtomicUsize::new(0),
            share: AtomicU64::new(header.limits.share.to_bits()),
            sample_rate: AtomicU32::new(header.limits.hz),
            stop: OnceLock::new(),
            exiting: AtomicBool::new(false),
            samplers: AtomicU32::new(0),
            state: AtomicU8::new(AgentState::Armed as u8),
            published: Mutex::default(),
        };
        let outlet = Outlet { records: records_out, traces: traces_out, samples: samples_out, wake: wake_out };
        (Self { shared: Arc::new(shared) }, outlet)
    }

    /// The counts.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// Now, in nanoseconds after the session's start.
    pub fn session_now_ns(&self) -> u64 {
        self.shared.clock.unix_ns().saturating_sub(self.shared.started_unix_ns)
    }

    /// Opens a traced transaction; `None` when recording has ended or [`TRACES_IN_FLIGHT`] are open.
    pub fn open_trace(&self) -> Option<OpenTrace> {
        let in_flight = &self.counters().in_flight;
        let before = in_flight.fetch_add(1, Ordering::SeqCst);
        let open = OpenTrace { intake: self.clone() };
        // Counted first, asked then: a recording that ends in between either waits for it or is seen here.
        (before < TRACES_IN_FLIGHT && self.stopped().is_none()).then_some(open)
    }

    pub(crate) fn open_sampler(&self) -> OpenSampler {
        self.shared.samplers.fetch_add(1, Ordering::AcqRel);
        OpenSampler { intake: self.clone() }
    }

    /// Counts an ended transaction, always, and hands in its times, if there is room. Transactions that began after
    /// recording ended do not belong to the session and are ignored.
    pub fn record(&self, record: TransactionRecord) {
        if let Some(stop) = self.shared.stop.get()
            && (record.ended_at_ns.saturating_sub(record.wall_ns) > stop.at_ns || self.state() == AgentState::Finished)
        {
            return;
        }
        let counters = self.counters();
        let arm = match record.arm {
            Arm::Traced => &counters.traced,
            Arm::Control => &counters.control,
            Arm::Other => &counters.other,
        };
        arm.fetch_add(1, Ordering::Relaxed);
        if record.error && record.arm != Arm::Other {
            counters.errors.fetch_add(1, Ordering::Relaxed);
        }
        if self.shared.records.try_send(record).is_err() {
            counters.lose(LossKind::RecordChannel, 1);
        }
        if self.shared.records.len() == RECORD_CHANNEL / 2 {
            self.wake();
        }
    }

    /// Hands in a finished trace. `build` runs only when there is room for it; false when there was none (a counted
    /// loss) or the recording is over.
    pub fn trace(&self, build: impl FnOnce() -> FinishedTrace) -> bool {
        let shared = &self.shared;
        if self.state() == AgentState::Finished {
            return false;
        }
        let waiting = shared.queued_traces.fetch_add(1, Ordering::AcqRel);
        if waiting >= TRACE_CHANNEL || shared.queued_nodes.load(Ordering::Acquire) >= TRACE_CHANNEL_NODES {
            shared.queued_traces.fetch_sub(1, Ordering::AcqRel);
            self.counters().lose(LossKind::TraceChannel, 1);
            return false;
        }
        let trace = build();
        let nodes = nodes(&trace);
        shared.queued_nodes.fetch_add(nodes, Ordering::AcqRel);
        let sent = shared.traces.try_send(trace).is_ok();
        if !sent {
            self.taken(nodes);
            self.counters().lose(LossKind::TraceChannel, 1);
        } else if waiting >= TRACE_CHANNEL / 4 {
            self.wake();
        }
        sent
    }

    /// Hands in samples; false when there was no room (a counted loss).
    pub fn samples(&self, batch: SampleBatch) -> bool {
        let sent = self.shared.samples.try_send(batch).is_ok();
        if !sent {
            self.counters().lose(LossKind::SampleChannel, 1);
        } else if self.shared.samples.len() == SAMPLE_CHANNEL / 2 {
            self.wake();
        }
        sent
    }

    /// Share of matching transactions that the budget allows to trace now, 0 to 1.
    pub fn share(&self) -> f64 {
        f64::from_bits(self.shared.share.load(Ordering::Relaxed))
    }

    /// Samples a second that the budget allows now.
    pub fn sample_rate(&self) -> u32 {
        self.shared.sample_rate.load(Ordering::Relaxed)
    }

    /// Ends recording; the first reason stands. Open traces are still waited for, but not for long once
    /// [`StoppedBy::Exit`] was a reason: the process is ending.
    pub fn request_stop(&self, by: StoppedBy) {
        if by == StoppedBy::Exit {
            self.shared.exiting.store(true, Ordering::Release);
        }
        // A reader that sees the stop sees an instant at or after everything recorded before it.
        let _ = self.shared.stop.set(Stop { by, at_ns: self.session_now_ns() });
        self.wake();
    }

    /// Why recording ended, once it did.
    pub fn stopped(&self) -> Option<StoppedBy> {
        self.shared.stop.get().map(|stop| stop.by)
    }

    /// How it goes; takes a small lock that no application thread takes.
    pub fn progress(&self) -> Progress {
        let counters = self.counters();
        let requests = counters.requests();
        let (latency, overhead) = {
            let published = self.published();
            (published.latency.clone(), published.overhead)
        };
        let joined_at_ns = self.shared.joined_at_ns;
        let elapsed_ns = match self.shared.stop.get() {
            Some(stop) => stop.at_ns.saturating_sub(joined_at_ns),
            None => self.session_now_ns().saturating_sub(joined_at_ns),
        };
        Progress {
            state: self.state(),
            elapsed_ns,
            traced: requests.traced,
            control: requests.control,
            other: requests.other,
            errors: requests.errors,
            in_flight: counters.in_flight.load(Ordering::Relaxed),
            samples: counters.sampler.count.load(Ordering::Relaxed),
            overhead,
            share: self.share(),
            latency_v2_base64: encode_latency(&latency),
            lost: counters.losses().iter().map(|loss| loss.count).sum(),
            stopped_by: self.stopped(),
        }
    }

    /// Adds a sentence for the reader of the report. For agent threads: it takes the same small lock.
    pub fn note(&self, note: Note) {
        let mut published = self.published();
        if published.notes.len() < NOTES {
            published.notes.push(note);
        }
    }

    /// State of the recording.
    pub fn state(&self) -> AgentState {
        match self.shared.state.load(Ordering::Acquire) {
            state if state == AgentState::Armed as u8 => AgentState::Armed,
            state if state == AgentState::Recording as u8 => AgentState::Recording,
            state if state == AgentState::Draining as u8 => AgentState::Draining,
            _ => AgentState::Finished,
        }
    }

    pub(super) fn set_state(&self, state: AgentState) {
        self.shared.state.store(state as u8, Ordering::Release);
    }

    pub(crate) fn allow(&self, share: f64, sample_rate: u32) {
        self.shared.share.store(share.to_bits(), Ordering::Relaxed);
        self.shared.sample_rate.store(sample_rate, Ordering::Relaxed);
    }

    pub(super) fn published(&self) -> MutexGuard<'_, Published> {
        self.shared.published.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A trace was taken out of the channel.
    pub(super) fn taken(&self, nodes: usize) {
        self.shared.queued_nodes.fetch_sub(nodes, Ordering::AcqRel);
        self.shared.queued_traces.fetch_sub(1, Ordering::AcqRel);
    }

    /// Traces and samplers that are open.
    pub(super) fn open(&self) -> u32 {
        self.counters().in_flight.load(Ordering::SeqCst) + self.shared.samplers.load(Ordering::SeqCst)
    }

    /// How long open traces are waited for.
    pub(super) fn drain_ns(&self) -> u64 {
        if self.shared.exiting.load(Ordering::Acquire) { EXIT_DRAIN_NS } else { DRAIN_NS }
    }

    /// When recording ended, after the session's start.
    pub(super) fn stopped_at_ns(&self) -> Option<u64> {
        self.shared.stop.get().map(|stop| stop.at_ns)
    }

    /// When this process joined, after the session's start.
    pub(super) fn joined_at_ns(&self) -> u64 {
        self.shared.joined_at_ns
    }

    pub(super) fn wake(&self) {
        // Full means that it is about to wake.
        let _ = self.shared.wake.try_send(());
    }
}

/// Nodes and timeline entries of all strands: what a queued trace costs.
pub(super) fn nodes(trace: &FinishedTrace) -> usize {
    trace.strands.iter().map(|strand| strand.tree.nodes.len() + strand.tree.timeline.len()).sum()
}
