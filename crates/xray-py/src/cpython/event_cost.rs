//! What one traced event costs on this machine, measured when a session arms: the budget multiplies it.

use super::slot::{self, Strand};
use super::tracer::Tracer;
use crate::os::clock;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::time::Instant;
use xray_core::model::ContextId;
use xray_core::trace::{Allowance, Recorder};

/// Calls per round: half a microsecond each at worst, so that the application waits for well under a millisecond.
const CALLS: u32 = 500;
/// The quickest of these counts: another thread may run in between.
const ROUNDS: u32 = 7;

const PROGRAM: &std::ffi::CStr = c"
def called():
    pass

def call(times):
    for _ in range(times):
        called()
";

/// The measuring program, with its time untraced.
pub(crate) struct Untraced<'py> {
    call: Bound<'py, PyAny>,
    ns: u64,
}

/// Measures the program without tracing; to be called before the tracer is armed.
///
/// # Errors
/// Python's, for instance out of memory.
pub(crate) fn measure_untraced(py: Python<'_>) -> PyResult<Untraced<'_>> {
    let names = PyDict::new(py);
    py.run(PROGRAM, Some(&names), None)?;
    let call = names.as_any().get_item("call")?;
    call.call1((CALLS,))?;
    let ns = quickest(&call)?;
    Ok(Untraced { call, ns })
}

/// Measures the same traced into a scratch recorder; the difference per event, in nanoseconds, at least 1.
///
/// # Errors
/// As [`measure_untraced`].
pub(crate) fn measure(py: Python<'_>, tracer: &mut Tracer, untraced: &Untraced<'_>) -> PyResult<u32> {
    let Some(begun) = tracer.trace_begins(py) else { return Ok(0) };
    let mut recorder = Recorder::new();
    recorder.begin(clock::ticks(), Allowance::default());
    let mut scratch = Strand {
        context: ContextId(0),
        name: None,
        started_ticks: 0,
        recorder,
        segments: Vec::new(),
        suspension: slot::Suspension::default(),
    };
    let traced = slot::with_strand(py, &mut scratch, || quickest(&untraced.call));
    tracer.trace_ends(py, begun);
    let events = u64::from(2 * CALLS);
    Ok(u32::try_from(traced?.saturating_sub(untraced.ns) / events).unwrap_or(u32::MAX).max(1))
}

fn quickest(call: &Bound<'_, PyAny>) -> PyResult<u64> {
    let mut best = u64::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        call.call1((CALLS,))?;
        best = best.min(start.elapsed().as_nanos() as u64);
    }
    Ok(best)
}
