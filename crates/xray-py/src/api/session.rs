//! `xray.start_session` and its `Session`.

use super::report::Report;
use crate::agent::arming::{self, Alone, Handle};
use crate::agent::lifecycle;
use crate::agent::state::STATE;
use crate::agent::{known, transaction};
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use xray_core::control::coordinator::{self, AppSession, Next};
use xray_core::control::directory::{AppDirectory, base_directory};
use xray_core::control::progress::AppProgress;
use xray_core::control::protocol::{AgentState, SessionFile, SessionRequest};
use xray_core::limits::DRAIN_NS;
use xray_core::model::{Limits, SessionId, StoppedBy};
use xray_core::target;

/// The arguments of `xray.start_session`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    transaction: String,
    minutes: Option<f64>,
    seconds: Option<f64>,
    traces: u32,
    stop_after: Option<u64>,
    #[serde(default)]
    min_ms: f64,
    hz: u32,
    share: f64,
    max_overhead: f64,
    seed: Option<u64>,
    path: Option<PathBuf>,
    scope: String,
    app: Option<String>,
}

/// Sessions last a minute unless told otherwise, and a day at most.
const DEFAULT_SECONDS: f64 = 60.0;
const MOST_SECONDS: f64 = 24.0 * 3600.0;

impl Options {
    fn limits(&self) -> Result<Limits, String> {
        let seconds = match (self.minutes, self.seconds) {
            (Some(_), Some(_)) => return Err("give minutes or seconds, not both".to_owned()),
            (Some(minutes), None) => minutes * 60.0,
            (None, seconds) => seconds.unwrap_or(DEFAULT_SECONDS),
        };
        if !(seconds > 0.0 && seconds <= MOST_SECONDS) {
            return Err("a session lasts more than 0 seconds and at most 24 hours".to_owned());
        }
        if !(0.0..=1.0).contains(&self.share) {
            return Err("share is a number from 0 to 1".to_owned());
        }
        if !(self.max_overhead > 0.0 && self.max_overhead <= 1.0) {
            return Err("max_overhead is a number above 0 and up to 1".to_owned());
        }
        if !(1..=10_000).contains(&self.hz) {
            return Err("hz is a number from 1 to 10000".to_owned());
        }
        if self.traces == 0 || self.stop_after == Some(0) {
            return Err("traces and stop_after are at least 1".to_owned());
        }
        if !(self.min_ms >= 0.0 && self.min_ms < 1e12) {
            return Err("min_ms is at least 0".to_owned());
        }
        Ok(Limits {
            duration_ns: (seconds * 1e9) as u64,
            traces: self.traces,
            stop_after: self.stop_after,
            min_ns: (self.min_ms * 1e6) as u64,
            share: self.share,
            max_overhead: self.max_overhead,
            hz: self.hz,
        })
    }
}

/// How often `wait()` asks the agents of an application.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// `xray.Progress`.
#[derive(Serialize)]
struct ProgressJson {
    state: AgentState,
    elapsed_ns: u64,
    traced: u64,
    control: u64,
    other: u64,
    errors: u64,
    in_flight: u32,
    samples: u64,
    overhead: f64,
    share: f64,
    p50_ns: Option<u64>,
    p95_ns: Option<u64>,
    lost: u64,
    stopped_by: Option<StoppedBy>,
}

impl From<&AppProgress> for ProgressJson {
    fn from(progress: &AppProgress) -> Self {
        let percentile = |p| (progress.latency.count() > 0).then(|| progress.latency.percentile(p));
        Self {
            state: progress.state,
            elapsed_ns: progress.elapsed_ns,
            traced: progress.traced,
            control: progress.control,
            other: progress.other,
            errors: progress.errors,
            in_flight: progress.in_flight,
            samples: progress.samples,
            overhead: progress.overhead,
            share: progress.share,
            p50_ns: percentile(50.0),
            p95_ns: percentile(95.0),
            lost: progress.lost,
            stopped_by: progress.stopped_by,
        }
    }
}

/// Which processes are in the session.
enum Scope {
    /// This one.
    Process(Arc<Handle>),
    /// All of the application. The coordinator is locked by whoever talks to the agents.
    App(Box<Mutex<AppSession>>),
}

/// A session started from Python.
#[pyclass(frozen, module = "xray._xray")]
pub(crate) struct Session {
    id: SessionId,
    path: PathBuf,
    app: AppDirectory,
    scope: Scope,
    ends: Instant,
    /// Whether the file is there: a second `wait()` reads it.
    written: Mutex<bool>,
}

/// Starts a session; see `_xray.pyi`.
#[pyfunction]
pub(crate) fn start_session(py: Python<'_>, options_json: &str) -> PyResult<Session> {
    let options: Options =
        serde_json::from_str(options_json).map_err(|error| PyValueError::new_err(error.to_string()))?;
    let limits = options.limits().map_err(PyValueError::new_err)?;
    if let Some(path) = &options.path {
        writable(path).map_err(PyValueError::new_err)?;
    }
    target::parse(&options.transaction).map_err(|error| PyValueError::new_err(error.to_string()))?;
    let configured = STATE.with(py, |state| state.config.as_ref().map(|config| config.app.clone())).flatten();
    let app = options.app.clone().or(configured).ok_or_else(|| PyRuntimeError::new_err("xray is switched off here"))?;
    let process = match options.scope.as_str() {
        "process" => true,
        "app" => false,
        _ => return Err(PyValueError::new_err("scope is \"process\" or \"app\"")),
    };
    if process && !lifecycle::ensure_started(py) {
        return Err(PyRuntimeError::new_err(
            "xray is switched off here (XRAY_DISABLE, or xray.install() was not called)",
        ));
    }
    py.detach(|| start(&options, limits, &app, process)).map_err(PyRuntimeError::new_err)
}

fn start(options: &Options, limits: Limits, app: &str, process: bool) -> Result<Session, String> {
    let directory = || AppDirectory::open_or_create(&base_directory(), app).map_err(|error| error.to_string());
    let ends = Instant::now() + Duration::from_nanos(limits.duration_ns + 2 * DRAIN_NS);
    // From Python a session may be started before its name was ever seen.
    let request = SessionRequest { transaction: options.transaction.clone(), limits, seed: options.seed, unseen: true };
    let (header, scope) = if process {
        let (file, handle) = start_here(&directory()?, &request)?;
        (file.spec.header, Scope::Process(handle))
    } else {
        let session = coordinator::start(directory()?, &request).map_err(|error| error.to_string())?;
        (session.file().spec.header.clone(), Scope::App(Box::new(Mutex::new(session))))
    };
    let path = options.path.clone();
    let path = path.unwrap_or_else(|| PathBuf::from(xray_report::default_file_name(&header.target.given)));
    // Absolute, because the program may change its directory meanwhile.
    let path = std::path::absolute(path).map_err(|error| error.to_string())?;
    Ok(Session { id: header.id, path, app: directory()?, scope, ends, written: Mutex::new(false) })
}

/// Whether a new file can be made there, as far as can be said before the session.
fn writable(path: &Path) -> Result<(), String> {
    if path.exists() {
        return Err(format!("{} exists: choose another path", path.display()));
    }
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    match directory {
        Some(directory) if !directory.is_dir() => Err(format!("{} is not a directory", directory.display())),
        _ => Ok(()),
    }
}

/// A session in this process alone.
fn start_here(app: &AppDirectory, request: &SessionRequest) -> Result<(SessionFile, Arc<Handle>), String> {
    let target = known::resolve(&request.transaction).map_err(|error| error.to_string())?.target;
    let file = coordinator::start_alone(app, target, request).map_err(|error| error.to_string())?;
    let armed = AppDirectory::open_or_create(&base_directory(), app.name())
        .map_err(|error| error.to_string())
        .and_then(|directory| arming::arm(directory, &file.spec, Alone::Yes));
    match armed {
        Ok(handle) => Ok((file, handle)),
        Err(reason) => {
            // Nobody else is in it; what cannot be removed now is found dead by the next one who starts a session.
            let _ = app.end_session(&file.spec.header.id);
            Err(reason)
        }
    }
}

#[pymethods]
impl Session {
    #[getter]
    fn id(&self) -> &str {
        &self.id.0
    }

    #[getter]
    fn path(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    fn progress_json(&self, py: Python<'_>) -> PyResult<String> {
        let progress = py.detach(|| match &self.scope {
            Scope::Process(handle) => {
                let one = handle.progress();
                let mut all = AppProgress {
                    state: one.state,
                    elapsed_ns: one.elapsed_ns,
                    stopped_by: one.stopped_by,
                    ..AppProgress::new()
                };
                all.add(&one, true);
                Ok(all)
            }
            Scope::App(session) => session.lock().unwrap_or_else(PoisonError::into_inner).poll(),
        });
        let progress = progress.map_err(|error| PyOSError::new_err(error.to_string()))?;
        serde_json::to_string(&ProgressJson::from(&progress)).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| match &self.scope {
            Scope::Process(handle) => handle.request_stop(StoppedBy::User),
            Scope::App(session) => {
                // A directory that cannot be written means that the application is gone: it is over anyway.
                let _ = session.lock().unwrap_or_else(PoisonError::into_inner).stop(StoppedBy::User);
            }
        });
    }

    fn wait(&self, py: Python<'_>) -> PyResult<Report> {
        if transaction::is_in_target(py) {
            return Err(PyRuntimeError::new_err(
                "wait() inside a transaction that the session traces would wait for itself: call it outside",
            ));
        }
        // In steps, for Ctrl-C and other signal handlers of the program. What they raise leaves the session running.
        while !py.detach(|| self.wait_a_moment()).map_err(PyOSError::new_err)? {
            py.check_signals()?;
        }
        py.detach(|| self.finish()).map_err(PyOSError::new_err)
    }
}

impl Session {
    /// Waits for one interval; returns whether the session has ended.
    fn wait_a_moment(&self) -> Result<bool, String> {
        match &self.scope {
            Scope::Process(handle) => {
                Ok(handle.wait_until(self.ends.min(Instant::now() + POLL_INTERVAL)) || Instant::now() >= self.ends)
            }
            Scope::App(session) => {
                let mut waited = false;
                let mut session = session.lock().unwrap_or_else(PoisonError::into_inner);
                let progress = session.wait(POLL_INTERVAL, &mut |_| {
                    if std::mem::replace(&mut waited, true) { Next::Leave } else { Next::Continue }
                });
                Ok(progress.map_err(|error| error.to_string())?.state == AgentState::Finished)
            }
        }
    }

    fn finish(&self) -> Result<Report, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        self.app.end_session(&self.id).map_err(|error| text(&error))?;
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if *written {
            return Report::read(&self.path).map_err(|error| text(&error));
        }
        let directory = self.app.session(&self.id).map_err(|error| text(&error))?;
        let parts = directory.ok_or("the session's directory is gone")?.parts().map_err(|error| text(&error))?;
        let report = Report::merge(&parts, &self.path)?;
        *written = true;
        Ok(report)
    }
}
