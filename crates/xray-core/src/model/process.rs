//! One application process in a session.

/// Identity of a process within a session: a hash of host, pid and start time, the same in every part and merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessKey(pub u64);

/// How something is done, and why so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mechanism {
    /// `monitoring`, `eval_frame`, `none` for the tracer; `gil`, `gil_free`, `none` for the sampler.
    pub name: String,
    /// Why this one, in words.
    pub reason: String,
}

/// The answer of the one probe at arm time: what this process can do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Capabilities {
    /// How calls are traced.
    pub tracer: Mechanism,
    /// How threads are sampled.
    pub sampler: Mechanism,
    /// `tsc` or `monotonic`.
    pub clock: String,
    /// Measured cost of one traced event on this machine, in nanoseconds.
    pub event_cost_ns: u32,
}

/// How a process left the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProcessEnd {
    /// It finished its part: the trailer is there.
    Finished,
    /// It exited in mid-session, orderly.
    Exited,
    /// Its part has no trailer: it was killed, or the file is cut.
    Lost,
}

/// One application process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProcessInfo {
    /// Identity.
    pub key: ProcessKey,
    /// Host name.
    pub host: String,
    /// Process id.
    pub pid: u32,
    /// `3.12.1`.
    pub python: String,
    /// `Django 5.2.19`, if a framework is known.
    pub framework: Option<String>,
    /// When it joined the session.
    pub joined_unix_ns: u64,
    /// When it left; for a lost process the time of its last chunk.
    pub left_unix_ns: u64,
    /// How it left.
    pub end: ProcessEnd,
    /// What it could do.
    pub capabilities: Capabilities,
}
