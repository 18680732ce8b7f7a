//! The tracer: one of two mechanisms, chosen once, when a session arms.

use super::capabilities::TracerChoice;
#[cfg(not(Py_3_12))]
use super::eval_frame;
#[cfg(Py_3_12)]
use super::{audit, monitoring, muting, slot, switches};
use pyo3::prelude::*;

/// An armed tracer. Every way out of a session goes through [`Tracer::disarm`].
pub(crate) enum Tracer {
    /// Session-long `sys.monitoring`.
    #[cfg(Py_3_12)]
    Monitoring(monitoring::Monitoring),
    /// The evaluation hook, in place while a trace is in flight.
    #[cfg(not(Py_3_12))]
    EvalFrame {
        /// Traces in flight.
        in_flight: u32,
    },
    /// No calls are traced; matching transactions are timed and sampled.
    Off,
}

/// What must be remembered of a trace's begin until its end.
#[derive(Clone, Copy)]
pub(crate) struct Begun {
    #[cfg(Py_3_12)]
    followed: switches::Followed,
    /// How often the hook had stepped aside by then.
    #[cfg(not(Py_3_12))]
    stepped_aside: u64,
}

/// In a forked child: takes out of the interpreter what the parent's tracer put there.
pub(crate) fn undo_inherited(py: Python<'_>) {
    #[cfg(Py_3_12)]
    {
        audit::stop_watching();
        switches::disarm(py);
        monitoring::undo_inherited(py);
        muting::forbid(py);
    }
    #[cfg(not(Py_3_12))]
    eval_frame::remove(py);
}

/// How often another tool came since this process started; threads are no longer muted from then on until the session
/// ends.
pub(crate) fn tools_that_came() -> u64 {
    #[cfg(Py_3_12)]
    return audit::arrivals();
    #[cfg(not(Py_3_12))]
    0
}

/// Whether no thread is muted any more. To be asked again later when one is: it is inside `sys.call_tracing`, where
/// nothing can be done for it.
pub(crate) fn is_undone(py: Python<'_>) -> bool {
    let _ = py;
    #[cfg(Py_3_12)]
    return muting::is_allowed() || muting::unmute_all(py);
    #[cfg(not(Py_3_12))]
    true
}

impl Tracer {
    /// Arms what was chosen.
    ///
    /// # Errors
    /// When it cannot be armed after all; nothing is changed then.
    pub(crate) fn arm(py: Python<'_>, choice: &TracerChoice) -> PyResult<Self> {
        let _ = py;
        match choice {
            #[cfg(Py_3_12)]
            TracerChoice::Monitoring => monitoring::arm(py).map(Self::Monitoring),
            #[cfg(not(Py_3_12))]
            TracerChoice::EvalFrame => Ok(Self::EvalFrame { in_flight: 0 }),
            TracerChoice::Off(_) => Ok(Self::Off),
        }
    }

    /// Mutes the threads that are in no traced transaction, from now on: once the cost of an event is measured. Returns
    /// why not, if not.
    pub(crate) fn mute_others(&self, py: Python<'_>) -> Option<String> {
        match self {
            #[cfg(Py_3_12)]
            Self::Monitoring(monitoring) => {
                // From 3.15 on PY_UNWIND is an event of the code object: CPython 3.15.2 reads its list of tools without asking
                // whether there is one, and code that was first entered on a muted thread has none.
                if cfg!(Py_3_15) {
                    return Some(
                        "Python 3.15 could crash where an exception leaves a function that began on a muted thread"
                            .to_owned(),
                    );
                }
                let listens = monitoring.other_listener(py);
                if listens.is_some() {
                    return listens.map(|tool| format!("{tool} listens too"));
                }
                if !audit::watch(py) {
                    return Some("other tools could not be heard of when they come".to_owned());
                }
                if !switches::arm(py) {
                    return Some("nobody tells when another context begins to run".to_owned());
                }
                muting::allow(py);
                // Who has looked already was not muted then.
                slot::forget_recorders(py);
                None
            }
            #[cfg(not(Py_3_12))]
            Self::EvalFrame { .. } => {
                let _ = py;
                None
            }
            Self::Off => None,
        }
    }

    /// A trace begins; `None` when it cannot be recorded now.
    pub(crate) fn trace_begins(&mut self, py: Python<'_>) -> Option<Begun> {
        let _ = py;
        match self {
            #[cfg(Py_3_12)]
            Self::Monitoring(_) => {
                // A thread may be in a context that inherited the transaction before it had its name.
                muting::unmute_all(py);
                Some(Begun { followed: switches::trace_begins(py) })
            }
            #[cfg(not(Py_3_12))]
            Self::EvalFrame { in_flight } => {
                // Also when others are in flight: the hook may have stepped aside.
                if !eval_frame::install(py) {
                    return None;
                }
                *in_flight += 1;
                Some(Begun { stepped_aside: eval_frame::stepped_aside() })
            }
            Self::Off => None,
        }
    }

    /// A trace that began has ended. Returns why it is incomplete, if it is.
    pub(crate) fn trace_ends(&mut self, py: Python<'_>, begun: Begun) -> Option<&'static str> {
        let _ = (py, &begun);
        match self {
            #[cfg(not(Py_3_12))]
            Self::EvalFrame { in_flight } => {
                *in_flight = in_flight.saturating_sub(1);
                if *in_flight == 0 {
                    eval_frame::remove(py);
                }
                (eval_frame::stepped_aside() != begun.stepped_aside)
                    .then_some("the C stack was nearly full: deeper calls are missing")
            }
            #[cfg(Py_3_12)]
            Self::Monitoring(_) => {
                switches::trace_ends(py, begun.followed);
                None
            }
            Self::Off => None,
        }
    }

    /// Undoes everything; what [`Self::mute_others`] has left, [`is_undone`] tells.
    pub(crate) fn disarm(&mut self, py: Python<'_>) {
        match std::mem::replace(self, Self::Off) {
            #[cfg(Py_3_12)]
            Self::Monitoring(monitoring) => {
                audit::stop_watching();
                monitoring.disarm(py);
                switches::disarm(py);
                muting::forbid(py);
            }
            #[cfg(not(Py_3_12))]
            Self::EvalFrame { .. } => eval_frame::remove(py),
            Self::Off => {
                let _ = py;
            }
        }
    }
}
