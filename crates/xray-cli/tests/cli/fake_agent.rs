//! An agent in a thread that writes a real part.

use crate::{APP, Place, TARGET};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use xray_core::control::directory::AppDirectory;
use xray_core::control::progress::encode_latency;
use xray_core::control::protocol::{
    AgentState, CapabilitiesMessage, PROTOCOL_VERSION, Progress, Reply, Request, SessionSpec, TransactionSummary,
};
use xray_core::control::server::{Handler, StopHandle, serve, stop_pair};
use xray_core::control::socket::AgentListener;
use xray_core::control::unix_now_ns;
use xray_core::format::{Delta, PartEnd, PartWriter};
use xray_core::histogram::LatencyHistogram;
use xray_core::model::{
    Capabilities, Mechanism, ProcessEnd, ProcessInfo, ProcessKey, SessionId, StoppedBy, Target, TargetKind,
};

/// How it behaves.
#[derive(Clone, Default)]
pub(crate) struct Behaviour {
    /// Distinguishes processes.
    pub(crate) key: u64,
    /// Matching requests that it traces at once when a session begins.
    pub(crate) matched: u64,
    pub(crate) refuse: Option<String>,
    /// Never finishes its part, as with a request that does not end.
    pub(crate) drains_for_ever: bool,
    /// Ends by itself, as with `--stop-after`.
    pub(crate) enough: bool,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) recording: Option<SessionId>,
    ended: Option<(SessionId, StoppedBy)>,
    spec: Option<SessionSpec>,
    writer: Option<PartWriter>,
    pub(crate) arms: u32,
}

struct Agent {
    behaviour: Behaviour,
    state: Arc<Mutex<State>>,
}

pub(crate) struct FakeAgent {
    pub(crate) state: Arc<Mutex<State>>,
    stop: Option<StopHandle>,
    thread: Option<JoinHandle<AgentListener>>,
}

impl FakeAgent {
    pub(crate) fn start(place: &Place, behaviour: Behaviour) -> Self {
        Self::start_app(place, APP, behaviour)
    }

    pub(crate) fn start_app(place: &Place, app: &str, behaviour: Behaviour) -> Self {
        let listener = AppDirectory::open_or_create(&place.sockets(), app).unwrap().bind().unwrap();
        let state: Arc<Mutex<State>> = Arc::default();
        let agent = Agent { behaviour, state: Arc::clone(&state) };
        let (stop, signal) = stop_pair().unwrap();
        let thread = std::thread::spawn(move || {
            serve(listener.listener(), &agent, &signal).unwrap();
            listener
        });
        Self { state, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn session(&self) -> Option<SessionId> {
        self.state.lock().unwrap().recording.clone()
    }

    pub(crate) fn arms(&self) -> u32 {
        self.state.lock().unwrap().arms
    }
}

/// As if the process were killed: the part has no trailer.
impl Drop for FakeAgent {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Handler for Agent {
    fn handle(&self, request: Request) -> Reply {
        let mut state = self.state.lock().unwrap();
        state.end_if_due(&self.behaviour);
        match request {
            Request::Hello { .. } => Reply::Hello {
                protocol: PROTOCOL_VERSION,
                version: "0.1.0".to_owned(),
                app: APP.to_owned(),
                pid: std::process::id(),
                python: "3.12.1".to_owned(),
                framework: Some("Django 5.2.19".to_owned()),
                started_unix_ns: unix_now_ns(),
                session: state.recording.clone(),
            },
            Request::Transactions => Reply::Transactions { transactions: vec![known()] },
            Request::Resolve { given } => {
                let target =
                    Target { given: given.clone(), canonical: "/tags/{}/".to_owned(), kind: TargetKind::Route };
                Reply::Resolved { target: Some(target), known: given == TARGET, nearest: vec![known()] }
            }
            Request::Arm { session } => match &self.behaviour.refuse {
                Some(reason) => Reply::Refused { reason: reason.clone() },
                None => state.arm(session, &self.behaviour),
            },
            Request::Progress { session } => state.progress(&session, &self.behaviour),
            Request::Stop { session, by } => {
                state.finish(by, &self.behaviour);
                state.progress(&session, &self.behaviour)
            }
            Request::Status => Reply::Status {
                state: if state.recording.is_some() { AgentState::Recording } else { AgentState::Idle },
                session: state.recording.clone(),
                capabilities: Some(CapabilitiesMessage::from(&capabilities())),
            },
        }
    }
}

impl State {
    fn arm(&mut self, spec: SessionSpec, behaviour: &Behaviour) -> Reply {
        self.arms += 1;
        let process = ProcessInfo {
            key: ProcessKey(behaviour.key),
            host: "test".to_owned(),
            pid: std::process::id(),
            python: "3.12.1".to_owned(),
            framework: None,
            joined_unix_ns: unix_now_ns(),
            left_unix_ns: unix_now_ns(),
            end: ProcessEnd::Lost,
            capabilities: capabilities(),
        };
        let name = format!("{}.{}.xr.part", spec.header.id.0, behaviour.key);
        let mut writer =
            PartWriter::create(&PathBuf::from(&spec.directory).join(name), &spec.header, &process).unwrap();
        let mut delta = Delta { at_unix_ns: unix_now_ns(), ..Delta::default() };
        delta.requests.traced = behaviour.matched;
        delta.requests.other = 5;
        (0..behaviour.matched).for_each(|_| delta.traced.latency.record(1_000_000));
        writer.delta(&delta).unwrap();
        self.writer = Some(writer);
        self.recording = Some(spec.header.id.clone());
        self.spec = Some(spec);
        Reply::Armed { capabilities: CapabilitiesMessage::from(&capabilities()) }
    }

    fn end_if_due(&mut self, behaviour: &Behaviour) {
        let Some(spec) = &self.spec else { return };
        if behaviour.enough {
            self.finish(StoppedBy::Traces, behaviour);
        } else if unix_now_ns() >= spec.header.started_unix_ns + spec.header.limits.duration_ns {
            self.finish(StoppedBy::Time, behaviour);
        }
    }

    fn finish(&mut self, by: StoppedBy, behaviour: &Behaviour) {
        let Some(id) = self.recording.clone() else { return };
        if behaviour.drains_for_ever {
            self.ended = Some((id, by));
            return;
        }
        let end = PartEnd { left_unix_ns: unix_now_ns(), end: ProcessEnd::Finished, stopped_by: by };
        self.writer.take().unwrap().finish(&end).unwrap();
        self.recording = None;
        self.ended = Some((id, by));
    }

    fn progress(&self, session: &SessionId, behaviour: &Behaviour) -> Reply {
        let ended = self.ended.as_ref().filter(|(id, _)| id == session);
        let state = match (&self.recording, ended) {
            (Some(id), None) if id == session => AgentState::Recording,
            (Some(_), Some(_)) => AgentState::Draining,
            (None, Some(_)) => AgentState::Finished,
            _ => return Reply::Refused { reason: "not in this session".to_owned() },
        };
        let mut latency = LatencyHistogram::default();
        (0..behaviour.matched).for_each(|_| latency.record(1_000_000));
        Reply::Progress(Progress {
            state,
            elapsed_ns: 1,
            traced: behaviour.matched,
            control: 0,
            other: 5,
            errors: 0,
            in_flight: 0,
            samples: 7,
            overhead: 0.012,
            share: 0.75,
            latency_v2_base64: encode_latency(&latency),
            lost: 0,
            stopped_by: ended.map(|(_, by)| *by),
        })
    }
}

fn known() -> TransactionSummary {
    TransactionSummary {
        name: TARGET.to_owned(),
        kind: "web".to_owned(),
        handler: Some("blog.views.tag_detail".to_owned()),
        url_name: Some("tag-detail".to_owned()),
        count: 10,
        per_minute: 1.5,
        p50_ns: 12_300_000,
        p95_ns: 45_600_000,
    }
}

fn capabilities() -> Capabilities {
    let mechanism = |name: &str, reason: &str| Mechanism { name: name.to_owned(), reason: reason.to_owned() };
    Capabilities {
        tracer: mechanism("monitoring", "Python 3.12"),
        sampler: mechanism("gil", "always possible"),
        clock: "tsc".to_owned(),
        event_cost_ns: 60,
    }
}
