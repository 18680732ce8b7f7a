//! The agent's life in a process: nothing until the first transaction, then one sleeping thread; gone before the
//! interpreter is, and born anew in a forked child.

use super::state::STATE;
use super::{arming, control};
use crate::gate;
use crate::os::{process, thread};
use pyo3::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use xray_core::control::descriptors;
use xray_core::control::directory::{AppDirectory, base_directory};
use xray_core::control::server::{self, StopHandle};
use xray_core::model::StoppedBy;

/// How long the end of the application waits for a session's part to be written.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(2);

/// Whether `configure` was called and the agent may run.
static ENABLED: AtomicBool = AtomicBool::new(false);
/// Whether this process's agent has been started.
static STARTED: AtomicBool = AtomicBool::new(false);
/// The control thread, and how to end it. Never locked by the control thread itself, nor across a fork by anyone but
/// the thread that forks: it is used only under the GIL.
static CONTROL: Mutex<Option<(StopHandle, JoinHandle<()>)>> = Mutex::new(None);

/// Lets transactions be counted from now on.
pub(crate) fn enable() {
    ENABLED.store(true, Ordering::Relaxed);
}

/// Whether the application goes on.
pub(crate) fn is_enabled() -> bool {
    ENABLED.load(Ordering::SeqCst)
}

/// Starts the agent of this process at its first transaction; false when there is none.
#[inline]
pub(crate) fn ensure_started(py: Python<'_>) -> bool {
    if STARTED.load(Ordering::Relaxed) {
        return true;
    }
    ENABLED.load(Ordering::Relaxed) && start(py)
}

#[cold]
fn start(py: Python<'_>) -> bool {
    STARTED.store(true, Ordering::Relaxed);
    let Some(app) = STATE.with(py, |state| state.config.as_ref().map(|config| config.app.clone())).flatten() else {
        return false;
    };
    gate::open();
    let started = server::stop_pair()
        .and_then(|(handle, signal)| Ok((handle, thread::spawn("xray-control", move || run_control(&app, &signal))?)));
    match started {
        Ok(control) => *CONTROL.lock().unwrap_or_else(PoisonError::into_inner) = Some(control),
        Err(error) => log_once(&format!("the agent's thread could not be started: {error}")),
    }
    true
}

/// The control thread: joins the running session if there is one, then answers until it is stopped.
fn run_control(app: &str, stop: &server::StopSignal) {
    let bound = AppDirectory::open_or_create(&base_directory(), app).and_then(|directory| directory.bind());
    let bound = match bound {
        Ok(bound) => bound,
        Err(error) => return log_once(&format!("xray cannot be reached from outside: {error}")),
    };
    let agent = control::Agent::new(app.to_owned());
    agent.join_running_session();
    if let Err(error) = server::serve(bound.listener(), &agent, stop) {
        log_once(&format!("the control socket failed: {error}"));
    }
}

/// In a forked child: forgets the parent's threads, session and socket. The child's own first transaction starts its
/// own agent.
pub(crate) fn after_fork_in_child(py: Python<'_>) {
    STARTED.store(false, Ordering::Relaxed);
    descriptors::take_inherited().into_iter().for_each(process::close_inherited);
    // The thread is the parent's; its handle is forgotten, not joined.
    std::mem::forget(CONTROL.lock().unwrap_or_else(PoisonError::into_inner).take());
    arming::forget_parents(py);
    STATE.with(py, |state| state.names.forget_counts());
}

/// Ends the session of this process and the agent's threads, before the interpreter ends.
pub(crate) fn shutdown(py: Python<'_>) {
    ENABLED.store(false, Ordering::SeqCst);
    if !STARTED.load(Ordering::Relaxed) {
        return;
    }
    let deadline = Instant::now() + SHUTDOWN_PATIENCE;
    py.detach(|| arming::wait_while_arming(deadline));
    if let Some(handle) = arming::running() {
        handle.request_stop(StoppedBy::Exit);
        py.detach(|| handle.wait_until(deadline));
    }
    gate::close(py);
    let control = CONTROL.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some((stop, thread)) = control {
        stop.stop();
        py.detach(|| drop(thread.join()));
    }
}

/// One line in the application's log, through Python's logging if it can be reached.
pub(crate) fn log_once(message: &str) {
    gate::attached(|py| {
        let written = py
            .import("logging")
            .and_then(|logging| logging.call_method1("getLogger", ("xray",)))
            .and_then(|logger| logger.call_method1("warning", ("%s", message)));
        if let Err(error) = written {
            log::warn!("xray: {message} ({error})");
        }
    });
}
