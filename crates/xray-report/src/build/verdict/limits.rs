//! What is large enough to be named.
//!
//! In a healthy Django page the largest single component (rendering templates, building querysets) has 10 to 20 % of
//! the traced time itself. What is worth a sentence has clearly more, and costs each request something that a person
//! would want back.

/// This share of the traced time, if it is also long: a quarter of a slow request.
const LARGE: (f64, f64) = (0.25, 10e6);
/// This share of the traced time, also when it is short: most of what a fast request does.
const DOMINANT: (f64, f64) = (0.4, 2e6);

/// Whether something with this share of the traced time and this time per transaction, in nanoseconds, stands out.
pub(super) fn stands_out(share: f64, per_transaction_ns: f64) -> bool {
    [LARGE, DOMINANT].iter().any(|(least, ns)| share >= *least && per_transaction_ns >= *ns)
}

/// One statement this often in one request, from one place, is a loop over rows.
pub(super) const REPEATS: f64 = 10.0;
/// A loop of statements is a mistake also where it is not most of the time: it grows with the data.
pub(super) const REPEATED_SHARE: f64 = 0.1;
/// See [`REPEATED_SHARE`]; in nanoseconds per transaction.
pub(super) const REPEATED_NS: f64 = 1e6;

/// Samples on the target from which they can contradict the trace.
pub(super) const SAMPLES_TO_CONTRADICT: u64 = 50;
/// Tracing makes functions with many fast calls look larger. Samples show the same inflation only in traced requests,
/// so a function that samples give less than this part of its traced share is not what makes requests slow.
pub(super) const AGREEMENT: f64 = 0.4;
/// Samples of one function from which its lines and states mean something.
pub(super) const SAMPLES_OF_FUNCTION: u64 = 8;
/// Share of a function's samples at one line that makes it the line.
pub(super) const ONE_LINE: f64 = 0.8;
/// Share of a function's samples with an idle CPU clock that makes it a wait.
pub(super) const MOSTLY_ASLEEP: f64 = 0.6;
/// A sampler that needs the GIL comes late only while C code keeps it: then a sample stands for at least this many
/// periods. In Python code it gets the GIL within the switch interval of 5 ms.
pub(super) const LATE_PERIODS: f64 = 2.0;

/// Share of the session that a thread outside the requests must spend on a CPU to be their rival.
pub(super) const RIVAL_BUSY: f64 = 0.25;
/// Part of their wall time that requests spend on a CPU when nobody is in their way: at least this, unless they wait
/// for something of their own.
pub(super) const UNDISTURBED_CPU: f64 = 0.7;
/// Waiting of one request from which a rival matters, in nanoseconds: the interpreter's switch interval.
pub(super) const WAIT_NS: f64 = 5e6;

/// Part of their time for which requests wait for the GIL from which that is what makes them slow.
pub(super) const GIL_WAIT: f64 = 0.25;
/// Part of that for which one thread outside the requests has it: below, they wait for each other.
pub(super) const ONE_HOLDER: f64 = 0.5;
