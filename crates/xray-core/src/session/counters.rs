//! Counts that stay exact when a channel is full.

use crate::limits;
use crate::model::{Loss, LossKind, RequestCounts};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// Every kind of loss, in the order of the file.
const LOSS_KINDS: [LossKind; 13] = [
    LossKind::TraceChannel,
    LossKind::SampleChannel,
    LossKind::PathsFolded,
    LossKind::SampleTreeFull,
    LossKind::CallTreeFull,
    LossKind::UnmatchedReturns,
    LossKind::SymbolsFull,
    LossKind::Recorders,
    LossKind::RecordChannel,
    LossKind::FileBytes,
    LossKind::FileChunks,
    LossKind::WriteErrors,
    LossKind::Arguments,
];

/// The counts of one recording. `traced`, `control`, `other` and `errors` are counted by [`super::Intake::record`],
/// `in_flight` by [`super::Intake::open_trace`]; the rest by whoever sees it happen.
#[derive(Debug, Default)]
pub struct Counters {
    /// See [`RequestCounts::traced`].
    pub traced: AtomicU64,
    /// See [`RequestCounts::control`].
    pub control: AtomicU64,
    /// See [`RequestCounts::other`].
    pub other: AtomicU64,
    /// See [`RequestCounts::errors`].
    pub errors: AtomicU64,
    /// See [`RequestCounts::discarded`].
    pub discarded: AtomicU64,
    /// See [`RequestCounts::incomplete`]; traces open at the end are added by the collector.
    pub incomplete: AtomicU64,
    /// Traced transactions now open.
    pub in_flight: AtomicU32,
    /// Events of all recorders, added by the tracer when a trace ends or from time to time within it.
    pub events: AtomicU64,
    /// What the sampler did.
    pub sampler: SamplerCounters,
    losses: [AtomicU64; LOSS_KINDS.len()],
}

/// See [`crate::model::SampleStats`].
#[derive(Debug, Default)]
#[allow(missing_docs, reason = "described there")]
pub struct SamplerCounters {
    pub count: AtomicU64,
    pub on_target: AtomicU64,
    pub torn: AtomicU64,
    pub own: AtomicU64,
    pub ticks: AtomicU64,
    pub missed: AtomicU64,
    pub threads: AtomicU64,
    pub active_ns: AtomicU64,
}

impl Counters {
    /// Counts a loss.
    pub fn lose(&self, kind: LossKind, count: u64) {
        self.losses[kind as usize].fetch_add(count, Relaxed);
    }

    /// Losses of one kind so far.
    pub fn lost(&self, kind: LossKind) -> u64 {
        self.losses[kind as usize].load(Relaxed)
    }

    /// All losses so far, those above 0 only, sorted by kind.
    pub fn losses(&self) -> Vec<Loss> {
        let loss = |kind: LossKind| Loss { kind, count: self.lost(kind), capacity: capacity(kind) };
        LOSS_KINDS.into_iter().map(loss).filter(|loss| loss.count > 0).collect()
    }

    /// The request counts so far.
    pub fn requests(&self) -> RequestCounts {
        RequestCounts {
            traced: self.traced.load(Relaxed),
            control: self.control.load(Relaxed),
            discarded: self.discarded.load(Relaxed),
            incomplete: self.incomplete.load(Relaxed),
            other: self.other.load(Relaxed),
            errors: self.errors.load(Relaxed),
        }
    }
}

fn capacity(kind: LossKind) -> u64 {
    let capacity = match kind {
        LossKind::TraceChannel => limits::TRACE_CHANNEL,
        LossKind::SampleChannel => limits::SAMPLE_CHANNEL,
        LossKind::PathsFolded => limits::TRACE_BYTES,
        LossKind::SampleTreeFull => limits::SAMPLE_TREE_NODES,
        LossKind::CallTreeFull => limits::CALL_TREE_NODES,
        LossKind::SymbolsFull => limits::SYMBOLS,
        LossKind::Recorders => limits::TRACES_IN_FLIGHT as usize,
        LossKind::RecordChannel => limits::RECORD_CHANNEL,
        LossKind::Arguments => limits::ARGUMENTS_BYTES,
        LossKind::UnmatchedReturns | LossKind::FileBytes | LossKind::FileChunks | LossKind::WriteErrors => 0,
    };
    capacity as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_loss_has_its_own_place() {
        let counters = Counters::default();
        for (count, kind) in (1..).zip(LOSS_KINDS) {
            counters.lose(kind, count);
        }
        let losses = counters.losses();
        assert!(losses.is_sorted_by_key(|loss| loss.kind));
        for (loss, (count, kind)) in losses.iter().zip((1..).zip(LOSS_KINDS)) {
            assert_eq!((loss.kind, loss.count), (kind, count));
        }
        assert_eq!(losses.len(), LOSS_KINDS.len());
    }
}
