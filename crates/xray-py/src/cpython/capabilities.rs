//! What this process can do, asked once when a session arms: the only place that asks which Python this is.

use super::thread_state;
use crate::os::clock::Calibration;
use pyo3::prelude::*;
use xray_core::model::{Capabilities, Mechanism};

/// How calls will be traced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TracerChoice {
    /// `sys.monitoring`.
    #[cfg(Py_3_12)]
    Monitoring,
    /// The frame evaluation hook.
    #[cfg(not(Py_3_12))]
    EvalFrame,
    /// Not at all, for this reason.
    Off(String),
}

/// Asks this process.
pub(crate) fn probe(py: Python<'_>) -> TracerChoice {
    if let Err(error) = thread_state::self_test(py) {
        return TracerChoice::Off(format!("calls cannot be traced safely here: {}", error.value(py)));
    }
    choose(py)
}

#[cfg(Py_3_12)]
fn choose(_py: Python<'_>) -> TracerChoice {
    TracerChoice::Monitoring
}

#[cfg(not(Py_3_12))]
fn choose(py: Python<'_>) -> TracerChoice {
    if !super::eval_frame::is_free(py) {
        return TracerChoice::Off("another tool has set the frame evaluation hook".to_owned());
    }
    match super::eval_frame::self_test(py) {
        Ok(()) => TracerChoice::EvalFrame,
        Err(error) => TracerChoice::Off(error.value(py).to_string()),
    }
}

/// The answer in the session's words.
///
/// `under_gil` says why stacks are not read without the GIL.
pub(crate) fn describe(
    tracer: &TracerChoice,
    not_muted: Option<&str>,
    under_gil: Option<&str>,
    clock: Calibration,
    event_cost_ns: u32,
) -> Capabilities {
    let _ = not_muted;
    let tracer = match tracer {
        #[cfg(Py_3_12)]
        TracerChoice::Monitoring => {
            let others = not_muted.map_or_else(String::new, |why| {
                format!("; requests that are not traced are slowed down as well, because {why}")
            });
            Mechanism {
                name: "monitoring".to_owned(),
                reason: format!("sys.monitoring, Python 3.12 and newer{others}"),
            }
        }
        #[cfg(not(Py_3_12))]
        TracerChoice::EvalFrame => Mechanism {
            name: "eval_frame".to_owned(),
            reason: "frame evaluation hook, while a traced request is in flight: Python 3.11 has no sys.monitoring"
                .to_owned(),
        },
        TracerChoice::Off(reason) => Mechanism { name: "none".to_owned(), reason: reason.clone() },
    };
    let sampler = match under_gil {
        None => Mechanism {
            name: "memory".to_owned(),
            reason: "stacks are copied without the GIL, and no thread is stopped".to_owned(),
        },
        Some(reason) => Mechanism {
            name: "gil".to_owned(),
            reason: format!(
                "stacks are read while holding the GIL, so a thread inside long C code is seen when it returns: {reason}"
            ),
        },
    };
    Capabilities { tracer, sampler, clock: clock.name.to_owned(), event_cost_ns }
}
