//! The messages between a controller (CLI, `scope="app"`) and the agent in one process.
//!
//! A frame is a 32-bit little-endian length and that many bytes of JSON. The controller asks, the agent answers each
//! request with exactly one [`Reply`]. Unknown fields are ignored, so that either side may be newer.

use crate::model::{Capabilities, Limits, SessionHeader, SessionId, StoppedBy, Target};
use serde::{Deserialize, Serialize};

/// Version of this protocol; an agent refuses a [`Request::Hello`] with another one.
pub const PROTOCOL_VERSION: u32 = 1;

/// Longest frame either side accepts, in bytes.
pub const MAX_FRAME_BYTES: u32 = 4 << 20;

/// What a controller asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// First on every connection.
    Hello {
        /// [`PROTOCOL_VERSION`] of the controller.
        protocol: u32,
    },
    /// Which transactions exist: routes of the router, and names seen with their rates.
    Transactions,
    /// How the agent understands a name that a user gave.
    Resolve {
        /// As given to `--transaction`.
        given: String,
    },
    /// Join this session now.
    Arm {
        /// Header, with the target resolved.
        session: SessionSpec,
    },
    /// How the session goes in this process.
    Progress {
        /// Which session.
        session: SessionId,
    },
    /// End recording now and finish the part.
    Stop {
        /// Which session.
        session: SessionId,
        /// Why.
        by: StoppedBy,
    },
    /// What the process does now.
    Status,
}

/// A session as agents get it, from the socket or from `session.json` in the session's directory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionSpec {
    /// Identity, target, limits, seed, start.
    pub header: SessionHeader,
    /// Where part files go: the session's directory, absolute.
    pub directory: String,
}

/// What an agent answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// To `Hello`.
    Hello {
        /// [`PROTOCOL_VERSION`] of the agent.
        protocol: u32,
        /// xray's version.
        version: String,
        /// Application name.
        app: String,
        /// Process id.
        pid: u32,
        /// `3.12.1`.
        python: String,
        /// `Django 5.2.19`, if a framework is known.
        framework: Option<String>,
        /// When the process's agent started.
        started_unix_ns: u64,
        /// The session it is in, if any.
        session: Option<SessionId>,
    },
    /// To `Transactions`.
    Transactions {
        /// Sorted by name.
        transactions: Vec<TransactionSummary>,
    },
    /// To `Resolve`.
    Resolved {
        /// The target, if the name is known or can be used as given.
        target: Option<Target>,
        /// True when the router or the traffic knows it.
        known: bool,
        /// Nearest known names, best first.
        nearest: Vec<TransactionSummary>,
    },
    /// To `Arm`.
    Armed {
        /// What this process can do.
        capabilities: CapabilitiesMessage,
    },
    /// To `Progress`, and to `Stop` (the last state).
    Progress(Progress),
    /// To `Status`.
    Status {
        /// `idle`, `recording`, `draining`.
        state: AgentState,
        /// The session it is in, if any.
        session: Option<SessionId>,
        /// What the process can do, as probed when it armed; `None` before.
        #[serde(default)]
        capabilities: Option<CapabilitiesMessage>,
    },
    /// The request was understood and refused, or not understood.
    Refused {
        /// One sentence for the user.
        reason: String,
    },
}

/// State of an agent's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// No session.
    Idle,
    /// Joined; hooks are being set.
    Armed,
    /// Recording.
    Recording,
    /// Recording ended; open traces are given time to end (at most 10 s).
    Draining,
    /// The part is complete.
    Finished,
}

/// [`Capabilities`] on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapabilitiesMessage {
    /// Name and reason of the tracer's mechanism.
    pub tracer: (String, String),
    /// Name and reason of the sampler's mechanism.
    pub sampler: (String, String),
    /// `tsc` or `monotonic`.
    pub clock: String,
    /// Measured cost of one traced event, in nanoseconds.
    pub event_cost_ns: u32,
}

impl From<&Capabilities> for CapabilitiesMessage {
    fn from(c: &Capabilities) -> Self {
        let pair = |m: &crate::model::Mechanism| (m.name.clone(), m.reason.clone());
        Self {
            tracer: pair(&c.tracer),
            sampler: pair(&c.sampler),
            clock: c.clock.clone(),
            event_cost_ns: c.event_cost_ns,
        }
    }
}

/// One transaction name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransactionSummary {
    /// For people and for `--transaction`: `/tags/<tag>/`.
    pub name: String,
    /// `web`, `background`, `other`.
    pub kind: String,
    /// `blog.views.tag_detail`, if known.
    pub handler: Option<String>,
    /// Url name or endpoint, if known.
    pub url_name: Option<String>,
    /// Seen since the process started.
    pub count: u64,
    /// Seen in the last whole minute.
    pub per_minute: f64,
    /// Median of the last (at most [`crate::limits::RECENT_TIMES`]) ones, in nanoseconds; 0 when none.
    pub p50_ns: u64,
    /// 95th percentile of the same.
    pub p95_ns: u64,
}

/// How a session goes in one process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// State.
    pub state: AgentState,
    /// Since this process began to record.
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
    /// xray's share of the process's CPU time over the last 5 s.
    pub overhead: f64,
    /// Traced share now in force.
    pub share: f64,
    /// Wall times of all matching transactions: HDR V2 bytes, base64.
    pub latency_v2_base64: String,
    /// Losses so far, summed.
    pub lost: u64,
    /// Why recording ended, once it did.
    pub stopped_by: Option<StoppedBy>,
}

/// `session.json` in a session's directory: the truth about a session that outlives its controller.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionFile {
    /// What agents join.
    pub spec: SessionSpec,
    /// Deadline; agents that come later do not join.
    pub ends_unix_ns: u64,
    /// Only this process is in it (`scope="process"`): nobody else joins.
    #[serde(default)]
    pub only_pid: Option<u32>,
    /// Set by `session stop` or the first agent that found a limit reached: nobody joins any more.
    pub stopped_by: Option<StoppedBy>,
}

/// Options of a session before the name is resolved, the same for the CLI and for Python.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionRequest {
    /// As given to `--transaction`.
    pub transaction: String,
    /// Limits.
    pub limits: Limits,
    /// Seed; random when `None`.
    pub seed: Option<u64>,
    /// Start although the name is unknown.
    pub unseen: bool,
}
