//! One session in one process: what application threads hand in ([`Intake`]) and the agent thread that puts it
//! together and writes it.
//!
//! Application threads never wait: counts are atomics and always exact, details go through bounded channels, and what
//! finds a channel full is counted as a loss.

mod call_tree;
mod collector;
mod counters;
mod intake;
mod ledger;
mod symbols;
mod trace_samples;
mod waits;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use crate::trace::Strand;
pub use collector::{Collector, recording};
pub use counters::{Counters, SamplerCounters};
pub use intake::{Intake, OpenTrace};

use crate::model::{ProcessInfo, RequestCounts, SessionHeader, StoppedBy, Symbol, TraceId};
use crate::trace::{CallKey, TickScale};

/// What was done with a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arm {
    /// It matched and was traced.
    Traced,
    /// It matched and was only timed.
    Control,
    /// It did not match.
    Other,
}

/// One ended transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionRecord {
    /// What was done with it.
    pub arm: Arm,
    /// When it ended, after the session's start ([`Intake::session_now_ns`]).
    pub ended_at_ns: u64,
    /// Wall time.
    pub wall_ns: u64,
    /// CPU time of its thread.
    pub cpu_ns: u64,
    /// Ended by an exception or with status 500 or above.
    pub error: bool,
}

/// One transaction traced to its end.
#[derive(Clone, Debug)]
pub struct FinishedTrace {
    /// Identity.
    pub id: TraceId,
    /// Name of the thread that ran it.
    pub thread: String,
    /// Start.
    pub started_unix_ns: u64,
    /// Wall time; only for a trace without strands. Otherwise the duration is that of strand 0's tree, so that the
    /// trace's self times sum to it.
    pub duration_ns: u64,
    /// CPU time of its thread.
    pub cpu_ns: u64,
    /// HTTP status.
    pub status: Option<u16>,
    /// Type of the exception that ended it.
    pub error: Option<String>,
    /// Sorted by key. The name of the transaction's node is `name`, else `route`, else the session's target.
    pub attributes: Vec<(String, String)>,
    /// What of it is missing, if something is.
    pub incomplete: Option<String>,
    /// The transaction's own tree, then those of the threads and tasks it started.
    pub strands: Vec<Strand>,
}

/// Who knows the names behind call keys. Called by the collector's thread only.
pub trait SymbolSource: Send {
    /// The symbols of these keys, in their order; at most [`crate::limits::SYMBOL_BATCH`] keys at a time.
    fn resolve(&mut self, keys: &[CallKey]) -> Vec<Symbol>;

    /// The name of a running thread, by what `threading.get_ident()` says of it.
    fn thread_name(&mut self, ident: u64) -> Option<String>;
}

/// CPU times, each since an arbitrary start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// The whole process.
    pub process_cpu_ns: u64,
    /// xray's threads but the sampler.
    pub agent_cpu_ns: u64,
    /// xray's sampler thread.
    pub sampler_cpu_ns: u64,
}

/// Who knows what the process and xray's threads cost. Called by the collector's thread only.
pub trait CostMeter: Send {
    /// Reads the CPU clocks.
    fn read(&mut self) -> Cost;
}

/// The number of finished traces over all processes of a session, for `--stop-after`.
pub trait TraceTally: Send {
    /// Counts one more; returns the total.
    fn add(&mut self) -> u64;
    /// The total.
    fn total(&self) -> u64;
}

/// What a recording needs to know.
pub struct RecordingConfig {
    /// The session.
    pub header: SessionHeader,
    /// This process, with the measured cost of an event.
    pub process: ProcessInfo,
    /// Length of the recorders' ticks.
    pub scale: TickScale,
    /// Finished traces over all processes.
    pub tally: Box<dyn TraceTally>,
}

/// How a recording went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordingSummary {
    /// Why recording ended.
    pub stopped_by: StoppedBy,
    /// The counts, as they are in the part.
    pub requests: RequestCounts,
    /// Traces written. The merge keeps at most the limit of them.
    pub traces_written: u64,
    /// Writes that failed; when the last one did, the part has no trailer.
    pub write_errors: u64,
}
