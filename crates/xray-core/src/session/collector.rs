//! The agent's side of a recording: one thread puts everything together and writes it.

use super::call_tree::CallTreeBuilder;
use super::intake::{Outlet, nodes};
use super::ledger::Ledger;
use super::symbols::SymbolBook;
use super::trace_samples::TraceSampleBook;
use super::waits::WaitBook;
use super::{Cost, CostMeter, FinishedTrace, Intake, RecordingConfig, RecordingSummary, SymbolSource, TraceTally};
use crate::budget::{Budget, BudgetConfig, Usage};
use crate::clock::Clock;
use crate::control::protocol::AgentState;
use crate::format::{PartEnd, PartWriter, WriteError};
use crate::limits::{
    COLLECT_INTERVAL_NS, FLUSH_INTERVAL_NS, OBSERVE_INTERVAL_NS, RECORD_CHANNEL, SAMPLE_CHANNEL, TRACE_CHANNEL,
};
use crate::model::{
    Limits, LossKind, Note, NoteCode, ProcessEnd, ProcessInfo, SessionHeader, Severity, StoppedBy, SymbolKind, Trace,
    TraceSamples,
};
use crate::retention::{Retention, TraceRank, Verdict};
use crate::sample::{Placed, SampleBatch, SampleTreeBuilder};
use crate::trace::{NodeName, Subject, TickScale, TraceBody};
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Puts the recording of one process together and writes its part. States: armed, recording, draining (open traces
/// are waited for), finished.
pub struct Collector<W: Write = File> {
    intake: Intake,
    outlet: Outlet,
    clock: Arc<dyn Clock>,
    header: SessionHeader,
    process: ProcessInfo,
    scale: TickScale,
    tally: Box<dyn TraceTally>,
    writer: PartWriter<W>,
    budget: Budget,
    retention: Retention,
    book: SymbolBook,
    calls: CallTreeBuilder,
    samples: SampleTreeBuilder,
    waits: WaitBook,
    trace_samples: TraceSampleBook,
    ledger: Ledger,
    /// Of the last trace: its memory is used again.
    body: TraceBody,
    first_cost: Cost,
    observed_at_ns: u64,
    flushed_at_ns: u64,
    traces_written: u64,
}

/// A recording of one process: what application threads are given, and what the agent's thread runs.
pub fn recording<W: Write>(
    config: RecordingConfig,
    writer: PartWriter<W>,
    clock: Arc<dyn Clock>,
) -> (Intake, Collector<W>) {
    let RecordingConfig { header, process, scale, tally } = config;
    let (intake, outlet) = Intake::new(&header, clock.clone());
    let limits = &header.limits;
    let budget = Budget::new(BudgetConfig {
        process: process.key,
        share: limits.share,
        hz: limits.hz,
        max_overhead: limits.max_overhead,
        event_cost_ns: process.capabilities.event_cost_ns,
    });
    let collector = Collector {
        intake: intake.clone(),
        outlet,
        clock,
        retention: Retention::new(limits.traces, header.seed),
        header,
        process,
        scale,
        tally,
        writer,
        budget,
        book: SymbolBook::new(),
        calls: CallTreeBuilder::new(),
        samples: SampleTreeBuilder::default(),
        waits: WaitBook::new(),
        trace_samples: TraceSampleBook::default(),
        ledger: Ledger::default(),
        body: TraceBody::default(),
        first_cost: Cost::default(),
        observed_at_ns: 0,
        flushed_at_ns: 0,
        traces_written: 0,
    };
    (intake, collector)
}

impl<W: Write> Collector<W> {
    /// Records until stopped and drained, completes the part. Ends by [`Intake::request_stop`], at the session's
    /// time, or when the tally reaches `--stop-after`. Failed writes are counted and end nothing.
    pub fn run(mut self, symbols: &mut dyn SymbolSource, cost: &mut dyn CostMeter) -> RecordingSummary {
        self.start(cost);
        while !self.step(symbols, cost) {
            let _ = self.outlet.wake.recv_timeout(Duration::from_nanos(COLLECT_INTERVAL_NS));
        }
        self.finish(symbols, cost)
    }

    pub(super) fn start(&mut self, cost: &mut dyn CostMeter) {
        self.first_cost = cost.read();
        (self.observed_at_ns, self.flushed_at_ns) = (self.intake.session_now_ns(), self.intake.session_now_ns());
        self.intake.set_state(AgentState::Recording);
    }

    /// Takes in what there is; true when the recording is over and nothing is waited for any more.
    pub(super) fn step(&mut self, symbols: &mut dyn SymbolSource, cost: &mut dyn CostMeter) -> bool {
        // Asked before the channels are emptied: what was closed by now is in one of them.
        let open = self.intake.open();
        self.take_in(symbols);
        let now_ns = self.intake.session_now_ns();
        self.stop_at_limits(now_ns);
        if now_ns.saturating_sub(self.observed_at_ns) >= OBSERVE_INTERVAL_NS {
            self.observe(now_ns, cost);
        }
        if now_ns.saturating_sub(self.flushed_at_ns) >= FLUSH_INTERVAL_NS {
            self.flush(now_ns, cost, false);
        }
        let Some(stopped_at_ns) = self.intake.stopped_at_ns() else { return false };
        if self.intake.state() == AgentState::Recording {
            self.intake.set_state(AgentState::Draining);
            // Once more: who opened a trace before the end was seen is counted by then.
            self.intake.wake();
            return false;
        }
        open == 0 || now_ns.saturating_sub(stopped_at_ns) >= self.intake.drain_ns()
    }

    pub(super) fn finish(mut self, symbols: &mut dyn SymbolSource, cost: &mut dyn CostMeter) -> RecordingSummary {
        self.intake.set_state(AgentState::Finished);
        self.take_in(symbols);
        let counters = self.intake.counters();
        let abandoned = counters.in_flight.load(Ordering::Acquire);
        counters.incomplete.fetch_add(u64::from(abandoned), Ordering::Relaxed);
        let now_ns = self.intake.session_now_ns();
        self.observe(now_ns, cost);
        self.flush(now_ns, cost, true);
        let stopped_by = self.intake.stopped().unwrap_or(StoppedBy::Lost);
        let end = if stopped_by == StoppedBy::Exit { ProcessEnd::Exited } else { ProcessEnd::Finished };
        let part_end = PartEnd { left_unix_ns: self.clock.unix_ns(), end, stopped_by };
        if let Err(error) = self.writer.finish(&part_end) {
            self.intake.counters().lose(LossKind::WriteErrors, 1);
            log::warn!("the end of the session's part was not written: {error}");
        }
        RecordingSummary {
            stopped_by,
            requests: self.ledger.written_requests(),
            traces_written: self.traces_written,
            write_errors: self.intake.counters().lost(LossKind::WriteErrors),
        }
    }

    #[cfg(test)]
    pub(crate) fn take_batches(&self) -> Vec<SampleBatch> {
        self.outlet.samples.try_iter().collect()
    }

    /// Empties the channels; at most what they can hold, so that it ends under any load.
    fn take_in(&mut self, symbols: &mut dyn SymbolSource) {
        for _ in 0..RECORD_CHANNEL {
            let Ok(record) = self.outlet.records.try_recv() else { break };
            self.ledger.record(record);
        }
        for _ in 0..TRACE_CHANNEL {
            let Ok(trace) = self.outlet.traces.try_recv() else { break };
            self.intake.taken(nodes(&trace));
            self.add_trace(trace, symbols);
        }
        for _ in 0..SAMPLE_CHANNEL {
            let Ok(batch) = self.outlet.samples.try_recv() else { break };
            self.add_samples(batch, symbols);
        }
    }

    fn stop_at_limits(&mut self, now_ns: u64) {
        if self.intake.stopped().is_some() {
            return;
        }
        let Limits { duration_ns, stop_after, .. } = self.header.limits;
        if stop_after.is_some_and(|wanted| self.tally.total() >= wanted) {
            self.intake.request_stop(StoppedBy::Traces);
        } else if now_ns >= duration_ns {
            self.intake.request_stop(StoppedBy::Time);
        }
    }

    fn add_trace(&mut self, finished: FinishedTrace, symbols: &mut dyn SymbolSource) {
        // Nearly always every function is known from the traces before: then each is looked up once.
        if !self.set_body(&finished) {
            let nodes = finished.strands.iter().flat_map(|strand| &strand.tree.nodes);
            let keys = nodes.filter_map(|node| match node.name {
                NodeName::Call(key) => Some(key),
                NodeName::Root | NodeName::Other => None,
            });
            let lost = self.book.learn(keys, symbols);
            self.intake.counters().lose(LossKind::SymbolsFull, lost);
            self.set_body(&finished);
        }
        let counters = self.intake.counters();
        let unmatched: u64 = finished.strands.iter().map(|strand| strand.tree.unmatched_returns).sum();
        counters.lose(LossKind::UnmatchedReturns, unmatched);
        let arguments_lost: u64 = finished.strands.iter().map(|strand| strand.tree.arguments_lost).sum();
        counters.lose(LossKind::Arguments, arguments_lost);
        counters.lose(LossKind::PathsFolded, self.body.paths_folded);
        let other = self.book.other();
        counters.lose(LossKind::CallTreeFull, self.calls.add(&self.body.nodes, other));
        let duration_ns = if self.body.nodes.is_empty() { finished.duration_ns } else { self.body.duration_ns };
        if duration_ns < self.header.limits.min_ns {
            return self.end_samples(&finished, false);
        }
        let total = self.tally.add();
        if self.header.limits.stop_after.is_some_and(|wanted| total >= wanted) {
            self.intake.request_stop(StoppedBy::Traces);
        }
        let failed = finished.error.is_some() || finished.status.is_some_and(|status| status >= 500);
        let rank = TraceRank { id: finished.id, duration_ns, failed };
        let is_kept = self.retention.offer(rank) == Verdict::Kept;
        self.end_samples(&finished, is_kept);
        if is_kept {
            let mut body = std::mem::take(&mut self.body);
            body.set_timeline(&finished.strands, self.scale);
            let trace = assemble(finished, duration_ns, body, &self.process);
            self.write_trace(&trace);
            (self.body.nodes, self.body.timeline) = (trace.nodes, trace.timeline);
        }
    }

    fn end_samples(&mut self, finished: &FinishedTrace, is_kept: bool) {
        let started_at_ns = self.on_agents_clock(finished.started_unix_ns);
        self.trace_samples.end(finished.id, is_kept, started_at_ns, self.clock.now_ns());
    }

    /// The sampler's instants are those of the same clock, without the date.
    fn on_agents_clock(&self, unix_ns: u64) -> u64 {
        let ago = self.clock.unix_ns().saturating_sub(unix_ns);
        self.clock.now_ns().saturating_sub(ago)
    }

    /// Converts a trace; false when there was a function whose symbol is not learnt yet.
    fn set_body(&mut self, finished: &FinishedTrace) -> bool {
        let book = &mut self.book;
        let name = transaction_name(finished, &self.header);
        let mut all_known = true;
        self.body.set_nodes(&finished.strands, self.scale, |subject| match subject {
            Subject::Transaction => book.root(SymbolKind::Transaction, name),
            Subject::Thread(name) => book.root(SymbolKind::Thread, name),
            Subject::Call(key) => book.known(key).unwrap_or_else(|| {
                all_known = false;
                book.other()
            }),
            Subject::Other => book.other(),
        });
        all_known
    }

    fn add_samples(&mut self, batch: SampleBatch, symbols: &mut dyn SymbolSource) {
        let SampleBatch { epoch, first_node, nodes, names, samples, waits, ticks } = batch;
        let unnamed = names.into_iter().map(|(key, symbol)| u64::from(!self.book.add(key, symbol))).sum::<u64>();
        let lost = self.book.learn(nodes.iter().map(|node| node.frame.code), symbols);
        let counters = self.intake.counters();
        counters.lose(LossKind::SymbolsFull, unnamed + lost);
        self.samples.learn(
            epoch,
            first_node,
            nodes
                .iter()
                .map(|node| (node.caller, Placed { symbol: self.book.of(node.frame.code), line: node.frame.line })),
        );
        let other = self.book.other();
        let full: u64 =
            samples.iter().filter(|sample| !self.samples.add(sample, other)).map(|sample| sample.count).sum();
        counters.lose(LossKind::SampleTreeFull, full);
        for sample in &samples {
            self.trace_samples.add(sample, &self.samples);
        }
        let started_at_ns = self.on_agents_clock(self.header.started_unix_ns);
        for tick in &ticks {
            self.ledger.sampled(tick.at_ns.saturating_sub(started_at_ns) / 1_000_000_000, &tick.kinds);
        }
        for waited in &waits {
            self.waits.add(waited, &self.samples, &mut self.book, symbols);
        }
    }

    /// Looks at what xray costs, and tells how it goes.
    fn observe(&mut self, now_ns: u64, cost: &mut dyn CostMeter) {
        self.observed_at_ns = now_ns;
        let cost = self.cost(cost);
        let joined_at_ns = self.intake.joined_at_ns();
        let decision = self.budget.observe(Usage {
            at_ns: now_ns.saturating_sub(joined_at_ns),
            process_cpu_ns: cost.process_cpu_ns,
            sampler_cpu_ns: cost.sampler_cpu_ns,
            agent_cpu_ns: cost.agent_cpu_ns,
            events: self.intake.counters().events.load(Ordering::Relaxed),
        });
        if let Some(mut decision) = decision {
            decision.at_ns = now_ns;
            self.ledger.decide(decision);
            self.intake.allow(self.budget.share(), self.budget.sample_rate());
        }
        let notes = {
            let mut published = self.intake.published();
            published.overhead = self.budget.overhead();
            if published.latency.count() != self.ledger.matched().count() {
                published.latency = self.ledger.matched().clone();
            }
            std::mem::take(&mut published.notes)
        };
        notes.into_iter().for_each(|note| self.ledger.note(note));
    }

    fn cost(&self, meter: &mut dyn CostMeter) -> Cost {
        let now = meter.read();
        Cost {
            process_cpu_ns: now.process_cpu_ns.saturating_sub(self.first_cost.process_cpu_ns),
            agent_cpu_ns: now.agent_cpu_ns.saturating_sub(self.first_cost.agent_cpu_ns),
            sampler_cpu_ns: now.sampler_cpu_ns.saturating_sub(self.first_cost.sampler_cpu_ns),
        }
    }

    /// Writes what came since the last time, if there is something, or if it is the last time.
    fn flush(&mut self, now_ns: u64, cost: &mut dyn CostMeter, last: bool) {
        self.flushed_at_ns = now_ns;
        self.write_trace_samples(last);
        let cost = self.cost(cost);
        let event_cost_ns = self.process.capabilities.event_cost_ns;
        self.ledger.count(self.intake.counters(), self.header.limits.hz, cost, event_cost_ns);
        let has_news = self.ledger.has_news() || !self.calls.is_unchanged() || !self.samples.is_unchanged();
        if !(has_news || last) || !self.write_symbols() {
            return;
        }
        let mut delta = self.ledger.take(self.clock.unix_ns());
        delta.call_tree = self.calls.take();
        delta.sample_tree = self.samples.take();
        delta.waits = self.waits.take();
        let written = self.writer.delta(&delta);
        self.check(written);
    }

    fn write_trace(&mut self, trace: &Trace) {
        if !self.write_symbols() {
            return;
        }
        let written = self.writer.trace(trace);
        self.traces_written += u64::from(self.check(written));
    }

    fn write_trace_samples(&mut self, all: bool) {
        for (trace, samples) in self.trace_samples.take(self.clock.now_ns(), all) {
            if self.write_symbols() {
                let written = self.writer.trace_samples(trace, &samples);
                self.check(written);
            }
        }
    }

    /// Brings the part's symbols up to date; false when nothing can be written now.
    fn write_symbols(&mut self) -> bool {
        let waiting = self.writer.retry();
        if !self.check(waiting) {
            return false;
        }
        let (first, symbols) = self.book.unwritten();
        if symbols.is_empty() {
            return true;
        }
        let written = self.writer.symbols(first, symbols);
        // Bytes that a full disk refused are kept by the writer.
        if !matches!(written, Err(WriteError::TooLarge { .. })) {
            self.book.mark_written();
        }
        self.check(written)
    }

    /// Counts a failed write and notes the first of its kind.
    fn check(&mut self, written: Result<(), WriteError>) -> bool {
        let Err(error) = written else { return true };
        self.intake.counters().lose(LossKind::WriteErrors, 1);
        self.ledger.note(Note {
            code: NoteCode("write_failed".to_owned()),
            severity: Severity::Warning,
            message: format!("Process {} could not write a piece of its part: {error}.", self.process.pid),
        });
        false
    }
}

/// The name of a trace's root.
fn transaction_name<'a>(finished: &'a FinishedTrace, header: &'a SessionHeader) -> &'a str {
    let attribute = |wanted: &str| finished.attributes.iter().find(|(key, _)| key == wanted).map(|(_, value)| value);
    attribute("name").or_else(|| attribute("route")).unwrap_or(&header.target.canonical)
}

fn assemble(finished: FinishedTrace, duration_ns: u64, body: TraceBody, process: &ProcessInfo) -> Trace {
    let mut attributes = finished.attributes;
    let complete = finished.incomplete.is_none();
    attributes.extend(finished.incomplete.map(|reason| ("incomplete".to_owned(), reason)));
    attributes.sort_unstable();
    Trace {
        id: finished.id,
        process: process.key,
        thread: finished.thread,
        started_unix_ns: finished.started_unix_ns,
        duration_ns,
        cpu_ns: finished.cpu_ns,
        status: finished.status,
        error: finished.error,
        calls: body.calls,
        complete,
        paths_folded: body.paths_folded,
        timeline_threshold_ns: body.timeline_threshold_ns,
        attributes,
        nodes: body.nodes,
        timeline: body.timeline,
        // They come later.
        samples: TraceSamples::default(),
    }
}
