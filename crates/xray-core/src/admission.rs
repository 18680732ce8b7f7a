//! The one decision about each matching transaction: trace it, or only time it as a control.
//!
//! A pure function, so that a session can be replayed from its seed. The random number belongs to the trace id, not
//! to the call: what is traced at a small share is also traced at every larger one.

use crate::id;
use crate::limits::TRACES_IN_FLIGHT;
use crate::model::TraceId;

/// What the decision depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdmissionInput {
    /// Seed of the session.
    pub seed: u64,
    /// Identity of the transaction, should it be traced.
    pub trace: TraceId,
    /// Share of matching transactions to trace as configured, 0 to 1.
    pub configured_share: f64,
    /// Share that the budget allows now, 0 to `configured_share`.
    pub allowed_share: f64,
    /// Traced transactions now in flight in this process, this one not counted.
    pub in_flight: u32,
    /// Whether the context is already being traced, as part of an outer matching transaction.
    pub inside_trace: bool,
}

/// What is done with a matching transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Record every call.
    Trace,
    /// Time it only.
    Control(Reason),
}

/// Why a matching transaction is not traced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The configured share left it out.
    Share,
    /// The configured share would have traced it; the budget's smaller one does not.
    Budget,
    /// [`TRACES_IN_FLIGHT`] are being traced.
    InFlight,
    /// The context is being traced already.
    InsideTrace,
}

/// Decides.
pub fn decide(input: AdmissionInput) -> Admission {
    if input.inside_trace {
        return Admission::Control(Reason::InsideTrace);
    }
    let draw = uniform(id::trace_hash(input.seed, input.trace));
    // A share that is not a number admits nothing: comparisons with it are false.
    if !is_admitted(draw, input.configured_share) {
        Admission::Control(Reason::Share)
    } else if !is_admitted(draw, input.allowed_share) {
        Admission::Control(Reason::Budget)
    } else if input.in_flight >= TRACES_IN_FLIGHT {
        Admission::Control(Reason::InFlight)
    } else {
        Admission::Trace
    }
}

fn is_admitted(draw: f64, share: f64) -> bool {
    draw < share
}

/// 53 random bits as a number in [0, 1): a share of 1 admits all, a share of 0 none.
fn uniform(hash: u64) -> f64 {
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ProcessKey;
    use proptest::prelude::*;

    fn input(counter: u64, configured: f64, allowed: f64) -> AdmissionInput {
        AdmissionInput {
            seed: 42,
            trace: id::trace_id(42, ProcessKey(7), counter),
            configured_share: configured,
            allowed_share: allowed,
            in_flight: 0,
            inside_trace: false,
        }
    }

    fn traced(configured: f64, allowed: f64) -> usize {
        (0..10_000).filter(|&i| decide(input(i, configured, allowed)) == Admission::Trace).count()
    }

    #[test]
    fn traces_the_share_it_was_given() {
        assert_eq!(traced(1.0, 1.0), 10_000);
        assert_eq!(traced(0.0, 0.0), 0);
        assert_eq!(traced(f64::NAN, f64::NAN), 0);
        assert!((7_350..7_650).contains(&traced(0.75, 0.75)));
        assert!((1_750..2_000).contains(&traced(0.75, 0.1875)));
    }

    #[test]
    fn the_smallest_and_the_largest_draw_keep_to_no_share_and_to_all() {
        assert!(!is_admitted(uniform(0), 0.0));
        assert!(is_admitted(uniform(u64::MAX), 1.0));
    }

    #[test]
    fn says_which_limit_it_met() {
        let all = (0..10_000).map(|i| decide(input(i, 0.5, 0.25))).collect::<Vec<_>>();
        let count = |of| all.iter().filter(|&&a| a == of).count();
        assert!((4_800..5_200).contains(&count(Admission::Control(Reason::Share))));
        assert!((2_300..2_700).contains(&count(Admission::Control(Reason::Budget))));
    }

    #[test]
    fn keeps_to_the_traces_in_flight_and_to_one_trace_per_context() {
        let full = AdmissionInput { in_flight: TRACES_IN_FLIGHT, ..input(1, 1.0, 1.0) };
        assert_eq!(decide(full), Admission::Control(Reason::InFlight));
        let one_less = AdmissionInput { in_flight: TRACES_IN_FLIGHT - 1, ..full };
        assert_eq!(decide(one_less), Admission::Trace);
        let nested = AdmissionInput { inside_trace: true, ..one_less };
        assert_eq!(decide(nested), Admission::Control(Reason::InsideTrace));
    }

    proptest! {
        #[test]
        fn a_larger_share_never_drops_a_trace(counter: u64, a in 0.0..=1.0_f64, b in 0.0..=1.0_f64) {
            let (small, large) = if a < b { (a, b) } else { (b, a) };
            if decide(input(counter, 1.0, small)) == Admission::Trace {
                prop_assert_eq!(decide(input(counter, 1.0, large)), Admission::Trace);
            }
        }
    }
}
