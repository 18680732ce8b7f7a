//! Totals over all transactions of a session; exact also where detail is cut.

use super::{SymbolId, ThreadKind};
use crate::histogram::LatencyHistogram;

/// How many transactions there were. `matched = traced + control`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestCounts {
    /// Matching and traced to the end.
    pub traced: u64,
    /// Matching, timed, not traced.
    pub control: u64,
    /// Armed by the early name, then found to have another final name (counted in `other` as well).
    pub discarded: u64,
    /// Begun, matching, but not ended when the session or the process ended (counted nowhere else).
    pub incomplete: u64,
    /// Not matching.
    pub other: u64,
    /// Matching transactions that ended by an exception or with status 500 or above.
    pub errors: u64,
}

impl RequestCounts {
    /// Matching transactions.
    pub fn matched(&self) -> u64 {
        self.traced.saturating_add(self.control)
    }

    /// Adds other counts.
    pub fn add(&mut self, other: &Self) {
        let Self { traced, control, discarded, incomplete, other: not_matching, errors } = other;
        self.traced = self.traced.saturating_add(*traced);
        self.control = self.control.saturating_add(*control);
        self.discarded = self.discarded.saturating_add(*discarded);
        self.incomplete = self.incomplete.saturating_add(*incomplete);
        self.other = self.other.saturating_add(*not_matching);
        self.errors = self.errors.saturating_add(*errors);
    }
}

/// Latency and cost of one arm (traced or control). Sums are integers, so that merging is associative.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ArmStats {
    /// Wall time of each transaction.
    pub latency: LatencyHistogram,
    /// Sum of wall times.
    pub wall_sum_ns: u128,
    /// Sum of squared wall times.
    pub wall_square_sum: u128,
    /// Sum of CPU times.
    pub cpu_sum_ns: u128,
    /// Sum of squared CPU times.
    pub cpu_square_sum: u128,
}

impl ArmStats {
    /// Adds other transactions.
    pub fn add(&mut self, other: &Self) {
        self.latency.add(&other.latency);
        self.wall_sum_ns = self.wall_sum_ns.saturating_add(other.wall_sum_ns);
        self.wall_square_sum = self.wall_square_sum.saturating_add(other.wall_square_sum);
        self.cpu_sum_ns = self.cpu_sum_ns.saturating_add(other.cpu_sum_ns);
        self.cpu_square_sum = self.cpu_square_sum.saturating_add(other.cpu_square_sum);
    }
}

/// One second of the session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SecondStats {
    /// Matching transactions that ended in this second.
    pub matched: u64,
    /// Other transactions that ended in this second.
    pub other: u64,
    /// Wall times of the matching ones.
    pub latency: LatencyHistogram,
    /// Samples taken in this second, by [`ThreadKind`].
    pub samples: [u64; ThreadKind::COUNT],
}

impl SecondStats {
    /// Adds what another process did in the same second.
    pub fn add(&mut self, other: &Self) {
        self.matched = self.matched.saturating_add(other.matched);
        self.other = self.other.saturating_add(other.other);
        self.latency.add(&other.latency);
        for (sum, more) in self.samples.iter_mut().zip(other.samples) {
            *sum = sum.saturating_add(more);
        }
    }
}

/// One node of the call tree over all traced transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallTreeNode {
    /// Index of the parent, smaller than the node's own; `None` for a root.
    pub parent: Option<u32>,
    /// The function or segment.
    pub symbol: SymbolId,
    /// Calls.
    pub calls: u64,
    /// Resumptions of generators and coroutines.
    pub resumes: u64,
    /// Calls that ended by an exception.
    pub errors: u64,
    /// Rows, for SQL.
    pub rows: u64,
    /// Traced transactions in which the node occurs.
    pub traces: u64,
    /// Wall time, callees included.
    pub total_ns: u64,
    /// Wall time, callees excluded.
    pub self_ns: u64,
    /// Shortest call.
    pub min_ns: u64,
    /// Longest call.
    pub max_ns: u64,
}

/// The sum of the call trees of all traced transactions, kept or not, preorder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallTree {
    /// The nodes.
    pub nodes: Vec<CallTreeNode>,
}
