//! An agent in a thread: answers as a process would, and can be told to misbehave.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use xray_core::control::directory::AppDirectory;
use xray_core::control::progress::encode_latency;
use xray_core::control::protocol::{
    AgentState, CapabilitiesMessage, PROTOCOL_VERSION, Progress, Reply, Request, TransactionSummary,
};
use xray_core::control::server::{Handler, StopHandle, serve, stop_pair};
use xray_core::control::socket::AgentListener;
use xray_core::histogram::LatencyHistogram;
use xray_core::model::{SessionId, Target, TargetKind};

/// The only name it knows.
pub(crate) const KNOWN: &str = "/tags/<tag>/";

#[derive(Default)]
pub(crate) struct State {
    pub(crate) session: Option<SessionId>,
    pub(crate) finished: Option<SessionId>,
    pub(crate) traced: u64,
    pub(crate) refuse_arm: Option<String>,
    pub(crate) wall_ns: u64,
    pub(crate) arms: u32,
    pub(crate) stops: u32,
}

struct Agent {
    app: String,
    state: Arc<Mutex<State>>,
}

pub(crate) struct FakeAgent {
    pub(crate) state: Arc<Mutex<State>>,
    stop: Option<StopHandle>,
    thread: Option<JoinHandle<AgentListener>>,
}

impl FakeAgent {
    pub(crate) fn start(base: &Path, app: &str, state: State) -> Self {
        let listener = AppDirectory::open_or_create(base, app).unwrap().bind().unwrap();
        let state = Arc::new(Mutex::new(state));
        let agent = Agent { app: app.to_owned(), state: Arc::clone(&state) };
        let (stop, signal) = stop_pair().unwrap();
        let thread = std::thread::spawn(move || {
            serve(listener.listener(), &agent, &signal).unwrap();
            listener
        });
        Self { state, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for FakeAgent {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Handler for Agent {
    fn handle(&self, request: Request) -> Reply {
        let mut state = self.state.lock().unwrap();
        match request {
            Request::Hello { .. } => Reply::Hello {
                protocol: PROTOCOL_VERSION,
                version: "0.1.0".to_owned(),
                app: self.app.clone(),
                pid: std::process::id(),
                python: "3.12.1".to_owned(),
                framework: None,
                started_unix_ns: 1,
                session: state.session.clone(),
            },
            Request::Transactions => Reply::Transactions { transactions: vec![summary(state.wall_ns)] },
            Request::Resolve { given } if given == "panic" => panic!("as asked"),
            Request::Resolve { given } => {
                let known = given == KNOWN;
                let canonical = given.replace("<tag>", "{}");
                let target = Some(Target { given, canonical, kind: TargetKind::Route });
                Reply::Resolved { target, known, nearest: vec![summary(state.wall_ns)] }
            }
            Request::Arm { session } => {
                state.arms += 1;
                match &state.refuse_arm {
                    Some(reason) => Reply::Refused { reason: reason.clone() },
                    None => {
                        state.session = Some(session.header.id);
                        Reply::Armed { capabilities: capabilities() }
                    }
                }
            }
            Request::Progress { session } => progress(&state, &session),
            Request::Stop { session, .. } => {
                state.stops += 1;
                state.finished = state.session.take();
                progress(&state, &session)
            }
            Request::Status => Reply::Status {
                state: if state.session.is_some() { AgentState::Recording } else { AgentState::Idle },
                session: state.session.clone(),
                capabilities: Some(capabilities()),
            },
        }
    }
}

fn summary(wall_ns: u64) -> TransactionSummary {
    TransactionSummary {
        name: KNOWN.to_owned(),
        kind: "web".to_owned(),
        handler: Some("blog.views.tag_detail".to_owned()),
        url_name: None,
        count: 10,
        per_minute: 1.5,
        p50_ns: wall_ns,
        p95_ns: wall_ns * 2,
    }
}

fn capabilities() -> CapabilitiesMessage {
    CapabilitiesMessage {
        tracer: ("monitoring".to_owned(), "Python 3.12".to_owned()),
        sampler: ("gil".to_owned(), "always possible".to_owned()),
        clock: "tsc".to_owned(),
        event_cost_ns: 60,
    }
}

fn progress(state: &State, session: &SessionId) -> Reply {
    let agent_state = match (&state.session, &state.finished) {
        (Some(id), _) if id == session => AgentState::Recording,
        (_, Some(id)) if id == session => AgentState::Finished,
        _ => return Reply::Refused { reason: "not in this session".to_owned() },
    };
    let mut latency = LatencyHistogram::default();
    (0..state.traced).for_each(|_| latency.record(state.wall_ns.max(1)));
    Reply::Progress(Progress {
        state: agent_state,
        elapsed_ns: 1,
        traced: state.traced,
        control: 1,
        other: 5,
        errors: 0,
        in_flight: 1,
        samples: 7,
        overhead: 0.01,
        share: 0.75,
        latency_v2_base64: encode_latency(&latency),
        lost: 0,
        stopped_by: None,
    })
}
