//! What the agent's parts share: one value under the GIL, and the flags that are read before it.

use super::labels::Labels;
use super::names::NameTable;
use super::session::Recording;
use crate::cpython::gil_cell::GilCell;
use crate::cpython::slot;
use pyo3::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use xray_core::clock::{Clock, SystemClock};

/// What `configure` was told.
pub(crate) struct Config {
    /// Application name.
    pub(crate) app: String,
    /// `() -> [(methods, template, handler, url_name)]`
    pub(crate) routes: Py<PyAny>,
    /// `() -> [name]`
    pub(crate) tasks: Py<PyAny>,
    /// `(path) -> template | None`
    pub(crate) resolve_path: Py<PyAny>,
    /// `() -> "Django 5.2.19" | None`
    pub(crate) framework: Py<PyAny>,
    /// Where xray's own Python files are.
    pub(crate) own_directory: String,
}

/// The agent's state in this process.
pub(crate) struct State {
    /// `None` until `configure`.
    pub(crate) config: Option<Config>,
    /// Transactions seen.
    pub(crate) names: NameTable,
    /// The session that records, or drains.
    pub(crate) recording: Option<Recording>,
    /// Which reference means which transaction, while a session records.
    pub(crate) labels: Labels,
}

/// The state. Bodies given to it run no Python code.
pub(crate) static STATE: GilCell<State> =
    GilCell::new(State { config: None, names: NameTable::new(), recording: None, labels: Labels::new() });

static CLOCK: LazyLock<Arc<SystemClock>> = LazyLock::new(Arc::default);

/// No session: neither recording nor draining.
pub(crate) const NO_RECORDING: u64 = 0;

/// Generation of the session that records or drains in this process.
static RECORDING: AtomicU64 = AtomicU64::new(NO_RECORDING);

/// The agent's clock.
pub(crate) fn clock() -> Arc<dyn Clock> {
    CLOCK.clone()
}

/// Nanoseconds of the agent's clock.
pub(crate) fn now_ns() -> u64 {
    CLOCK.now_ns()
}

/// The same instant since the Unix epoch.
pub(crate) fn unix_ns() -> u64 {
    CLOCK.unix_ns()
}

/// Whether a session records or drains in this process.
#[inline]
pub(crate) fn is_recording() -> bool {
    generation() != NO_RECORDING
}

/// Generation of the session that records or drains. What belongs to another one (of before, or of the process that
/// this one was forked from) is dead.
#[inline]
pub(crate) fn generation() -> u64 {
    RECORDING.load(Ordering::Relaxed)
}

/// Says which session records.
pub(crate) fn set_recording(generation: u64) {
    RECORDING.store(generation, Ordering::Relaxed);
    slot::set_armed(generation != NO_RECORDING);
}
