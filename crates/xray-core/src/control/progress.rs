//! How a session goes over all processes of an application.

use super::protocol::{AgentState, Progress};
use crate::histogram::LatencyHistogram;
use crate::model::StoppedBy;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A histogram as [`Progress::latency_v2_base64`] carries it.
pub fn encode_latency(latency: &LatencyHistogram) -> String {
    STANDARD.encode(latency.to_v2())
}

/// The histogram of a [`Progress::latency_v2_base64`]; empty when it is damaged.
pub fn decode_latency(encoded: &str) -> LatencyHistogram {
    STANDARD.decode(encoded).ok().and_then(|bytes| LatencyHistogram::from_v2(&bytes).ok()).unwrap_or_default()
}

/// The sum over all processes, those that are gone included.
#[derive(Clone, Debug, PartialEq)]
pub struct AppProgress {
    /// `Finished` when every process has finished its part or is gone, and nobody can join any more.
    pub state: AgentState,
    /// Since the session's start.
    pub elapsed_ns: u64,
    /// Traced to the end.
    pub traced: u64,
    /// Matching, not traced.
    pub control: u64,
    /// Not matching.
    pub other: u64,
    /// Matching and failed.
    pub errors: u64,
    /// Traced and in flight.
    pub in_flight: u32,
    /// Samples taken.
    pub samples: u64,
    /// xray's share of a process's CPU time, of the process where it is highest.
    pub overhead: f64,
    /// Traced share in force, of the process where it is lowest.
    pub share: f64,
    /// Wall times of all matching transactions.
    pub latency: LatencyHistogram,
    /// Losses, summed.
    pub lost: u64,
    /// Why recording ended, once it did.
    pub stopped_by: Option<StoppedBy>,
    /// Living processes in the session.
    pub processes: usize,
    /// Processes that were in the session and are gone.
    pub gone: usize,
    /// Living processes that do not answer at the moment.
    pub silent: usize,
    /// Why processes did not join, each reason once.
    pub refused: Vec<String>,
}

impl AppProgress {
    /// Nothing yet.
    pub fn new() -> Self {
        Self {
            state: AgentState::Armed,
            elapsed_ns: 0,
            traced: 0,
            control: 0,
            other: 0,
            errors: 0,
            in_flight: 0,
            samples: 0,
            overhead: 0.0,
            share: 1.0,
            latency: LatencyHistogram::default(),
            lost: 0,
            stopped_by: None,
            processes: 0,
            gone: 0,
            silent: 0,
            refused: Vec::new(),
        }
    }

    /// Matching transactions: traced and control.
    pub fn matched(&self) -> u64 {
        self.traced.saturating_add(self.control)
    }

    /// Adds what one process counted. What it says of the present (in flight, overhead, share) counts only while it
    /// `lives`.
    pub fn add(&mut self, one: &Progress, lives: bool) {
        for (sum, part) in [
            (&mut self.traced, one.traced),
            (&mut self.control, one.control),
            (&mut self.other, one.other),
            (&mut self.errors, one.errors),
            (&mut self.samples, one.samples),
            (&mut self.lost, one.lost),
        ] {
            *sum = sum.saturating_add(part);
        }
        self.latency.add(&decode_latency(&one.latency_v2_base64));
        if lives {
            self.in_flight = self.in_flight.saturating_add(one.in_flight);
            self.overhead = self.overhead.max(one.overhead);
            self.share = self.share.min(one.share);
        }
    }
}

impl Default for AppProgress {
    fn default() -> Self {
        Self::new()
    }
}
