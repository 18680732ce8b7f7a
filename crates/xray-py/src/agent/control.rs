//! What the agent answers on its socket. Runs in the control thread, one request after another.

use super::arming::{self, Alone};
use super::known;
use super::state::{self, STATE};
use crate::gate;
use xray_core::control::directory::{AppDirectory, base_directory};
use xray_core::control::protocol::{AgentState, PROTOCOL_VERSION, Reply, Request, SessionSpec};
use xray_core::control::server::Handler;
use xray_core::control::unix_now_ns;
use xray_core::model::SessionId;

/// Answers for this process.
pub(crate) struct Agent {
    app: String,
    started_unix_ns: u64,
}

impl Agent {
    /// The agent of the application `app`.
    pub(crate) fn new(app: String) -> Self {
        Self { app, started_unix_ns: state::unix_ns() }
    }

    /// A process that starts in the middle of a session joins it.
    pub(crate) fn join_running_session(&self) {
        let Ok(directory) = AppDirectory::open_or_create(&base_directory(), &self.app) else { return };
        if let Ok(Some(current)) = directory.current()
            && current.joinable(unix_now_ns())
            && let Err(reason) = arming::arm(directory, &current.spec, Alone::No)
        {
            super::lifecycle::log_once(&format!("cannot join session {}: {reason}", current.spec.header.id.0));
        }
    }

    fn arm(&self, session: &SessionSpec) -> Reply {
        let directory = match AppDirectory::open_or_create(&base_directory(), &self.app) {
            Ok(directory) => directory,
            Err(error) => return refused(error.to_string()),
        };
        match arming::arm(directory, session, Alone::No) {
            Ok(handle) => Reply::Armed { capabilities: (&handle.capabilities).into() },
            Err(reason) => refused(reason),
        }
    }

    fn hello(&self) -> Reply {
        let described = gate::attached(|py| {
            let version = py.version_info();
            let python = format!("{}.{}.{}", version.major, version.minor, version.patch);
            let framework = STATE.with(py, |state| Some(state.config.as_ref()?.framework.clone_ref(py))).flatten();
            let framework = framework.and_then(|name| name.call0(py).ok()?.extract(py).ok()?);
            (python, framework)
        });
        let Some((python, framework)) = described else { return refused("the application is ending".to_owned()) };
        Reply::Hello {
            protocol: PROTOCOL_VERSION,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            app: self.app.clone(),
            pid: std::process::id(),
            python,
            framework,
            started_unix_ns: self.started_unix_ns,
            session: arming::running().map(|handle| handle.id.clone()),
        }
    }
}

impl Handler for Agent {
    fn handle(&self, request: Request) -> Reply {
        match request {
            Request::Hello { .. } => self.hello(),
            Request::Transactions => Reply::Transactions { transactions: known::summaries() },
            Request::Resolve { given } => match known::resolve(&given) {
                Ok(known::Resolved { target, known, nearest }) => {
                    Reply::Resolved { target: Some(target), known, nearest }
                }
                Err(error) => refused(error.to_string()),
            },
            Request::Arm { session } => self.arm(&session),
            Request::Progress { session } => in_session(&session, |handle| Reply::Progress(handle.progress())),
            Request::Stop { session, by } => in_session(&session, |handle| {
                handle.request_stop(by);
                Reply::Progress(handle.progress())
            }),
            Request::Status => {
                let running = arming::running();
                let state = running.as_ref().map_or(AgentState::Idle, |handle| handle.progress().state);
                let capabilities = running.as_ref().map(|handle| (&handle.capabilities).into());
                Reply::Status { state, session: running.map(|handle| handle.id.clone()), capabilities }
            }
        }
    }
}

/// The last session stays known after its end, so that its controller sees how it ended.
fn in_session(id: &SessionId, answer: impl FnOnce(&arming::Handle) -> Reply) -> Reply {
    match arming::last() {
        Some(handle) if handle.id == *id => answer(&handle),
        _ => refused(format!("this process is not in session {}", id.0)),
    }
}

fn refused(reason: String) -> Reply {
    Reply::Refused { reason }
}
