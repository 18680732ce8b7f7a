//! The tracer: one of two mechanisms, chosen once, when a session arms.

use super::capabilities::TracerChoice;
#[cfg(not(Py_3_12))]
use super::eval_frame;
#[cfg(Py_3_12)]
use super::monitoring;
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
    /// How often the hook had stepped aside by then.
    #[cfg(not(Py_3_12))]
    stepped_aside: u64,
}

/// In a forked child: takes out of the interpreter what the parent's tracer put there.
pub(crate) fn undo_inherited(py: Python<'_>) {
    #[cfg(Py_3_12)]
    monitoring::undo_inherited(py);
    #[cfg(not(Py_3_12))]
    eval_frame::remove(py);
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

    /// A trace begins; `None` when it cannot be recorded now.
    pub(crate) fn trace_begins(&mut self, py: Python<'_>) -> Option<Begun> {
        let _ = py;
        match self {
            #[cfg(Py_3_12)]
            Self::Monitoring(_) => Some(Begun {}),
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
            Self::Monitoring(_) => None,
            Self::Off => None,
        }
    }

    /// Undoes everything.
    pub(crate) fn disarm(&mut self, py: Python<'_>) {
        match std::mem::replace(self, Self::Off) {
            #[cfg(Py_3_12)]
            Self::Monitoring(monitoring) => monitoring.disarm(py),
            #[cfg(not(Py_3_12))]
            Self::EvalFrame { .. } => eval_frame::remove(py),
            Self::Off => {
                let _ = py;
            }
        }
    }
}
