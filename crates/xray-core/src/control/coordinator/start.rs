//! How a session begins: the name is understood, the application is free, all agents arm.

use super::AppSession;
use crate::control::client::{Agent, ClientError, ask_all};
use crate::control::directory::{AgentSocket, AppDirectory};
use crate::control::private_dir::DirectoryError;
use crate::control::protocol::{Reply, Request, SessionFile, SessionRequest, SessionSpec, TransactionSummary};
use crate::control::session_directory::BeginError;
use crate::control::{survey, unix_now_ns};
use crate::model::{SessionHeader, SessionId, StoppedBy, Target};
use std::hash::BuildHasher;

/// Nearest names shown for an unknown one.
const NEAREST: usize = 5;

/// Why a session does not start. Each is one sentence for the user.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Nobody to ask.
    #[error("the application {0:?} has no running process with an agent; it starts with the first request")]
    NoAgents(String),
    /// No process knows the name.
    #[error("no transaction {given:?} is known")]
    UnknownTransaction {
        /// As asked for.
        given: String,
        /// Similar names, best first.
        nearest: Vec<TransactionSummary>,
    },
    /// There is one session at a time.
    #[error("the application is already in session {} ({})", .0.spec.header.id.0, .0.spec.header.target.given)]
    Running(Box<SessionFile>),
    /// No process could join.
    #[error("the application's agent refused: {0}")]
    Refused(String),
    /// The directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

/// Starts a session: asks the agents what the name means, makes it the application's session, and arms all agents at
/// once. Returns when every living agent has armed or refused, at most after some seconds when one does not answer.
///
/// Agents answer from their own threads and may need the GIL: a caller inside the application must not hold it.
///
/// # Errors
/// [`StartError`].
pub fn start(app: AppDirectory, request: &SessionRequest) -> Result<AppSession, StartError> {
    let Living { mut agents, refusal } = living(&app)?;
    if agents.is_empty() {
        return Err(refusal.unwrap_or_else(|| StartError::NoAgents(app.name().to_owned())));
    }
    free_from_dead_session(&app, &agents)?;
    let target = resolve(&mut agents, request)?;
    let file = session_file(&app, target, request, None);
    let directory = app.begin_session(&file)?;
    let mut session = AppSession::new(app, directory, file);
    session.arm(agents.into_iter().collect());
    if !session.members.values().any(|m| m.joined) && session.members.values().all(|m| m.done) {
        let reason = session.refused.first().cloned().unwrap_or_else(|| ClientError::Gone.to_string());
        session.app.mark_stopped(session.directory.id(), StoppedBy::Refused)?;
        session.app.end_session(session.directory.id())?;
        return Err(StartError::Refused(reason));
    }
    Ok(session)
}

/// Makes a session of the calling process alone the application's session, so that there is one at a time; nobody else
/// joins it. The caller arms itself, and ends the session.
///
/// # Errors
/// [`StartError`].
pub fn start_alone(app: &AppDirectory, target: Target, request: &SessionRequest) -> Result<SessionFile, StartError> {
    free_from_dead_session(app, &living(app)?.agents)?;
    let file = session_file(app, target, request, Some(std::process::id()));
    app.begin_session(&file)?;
    Ok(file)
}

/// Who answers.
struct Living {
    agents: Vec<(AgentSocket, Agent)>,
    /// Why one does not want to.
    refusal: Option<StartError>,
}

fn living(app: &AppDirectory) -> Result<Living, StartError> {
    let sockets = app.sockets()?;
    let mut agents = Vec::new();
    let mut refusal = None;
    for (socket, connected) in sockets.iter().zip(Agent::connect_all(app, &sockets)) {
        match connected {
            Ok(agent) => agents.push((socket.clone(), agent)),
            Err(ClientError::Gone | ClientError::Closed) => {}
            Err(error) => refusal = Some(StartError::Refused(error.to_string())),
        }
    }
    Ok(Living { agents, refusal })
}

impl From<BeginError> for StartError {
    fn from(error: BeginError) -> Self {
        match error {
            BeginError::Running(running) => Self::Running(running),
            BeginError::Directory(error) => Self::Directory(error),
        }
    }
}

/// A session that ended without its controller still stands in `current`: it goes when no agent is in it.
fn free_from_dead_session(app: &AppDirectory, agents: &[(AgentSocket, Agent)]) -> Result<(), StartError> {
    let Some(current) = (match app.current() {
        Err(DirectoryError::Damaged(_)) => None,
        other => other?,
    }) else {
        return Ok(());
    };
    let id = &current.spec.header.id;
    if current.joinable(unix_now_ns()) || agents.iter().any(|(_, agent)| agent.info().session.as_ref() == Some(id)) {
        return Err(StartError::Running(Box::new(current)));
    }
    Ok(app.end_session(id)?)
}

fn resolve(agents: &mut [(AgentSocket, Agent)], request: &SessionRequest) -> Result<Target, StartError> {
    let question = Request::Resolve { given: request.transaction.clone() };
    let answers = ask_all(agents.iter_mut().map(|(_, agent)| (agent, &question)), super::ARM_PATIENCE);
    let (mut as_given, mut near, mut refusal) = (None, Vec::new(), None);
    for answer in answers {
        match answer {
            Ok(Reply::Resolved { target: Some(target), known: true, .. }) => return Ok(target),
            Ok(Reply::Resolved { target, nearest, .. }) => {
                as_given = as_given.or(target);
                near.push(nearest);
            }
            Ok(_) => refusal = Some(ClientError::Unexpected.to_string()),
            Err(error) => refusal = Some(error.to_string()),
        }
    }
    match as_given {
        Some(target) if request.unseen => Ok(target),
        _ if near.is_empty() => Err(StartError::Refused(refusal.unwrap_or_default())),
        _ => {
            let mut nearest = survey::merge_transactions(near);
            nearest.truncate(NEAREST);
            Err(StartError::UnknownTransaction { given: request.transaction.clone(), nearest })
        }
    }
}

fn session_file(app: &AppDirectory, target: Target, request: &SessionRequest, only_pid: Option<u32>) -> SessionFile {
    let id = new_session_id();
    let started_unix_ns = unix_now_ns();
    let directory = app.session_path_for_agents(&id).to_string_lossy().into_owned();
    let header = SessionHeader {
        id,
        app: app.name().to_owned(),
        target,
        limits: request.limits.clone(),
        seed: request.seed.unwrap_or_else(random),
        started_unix_ns,
    };
    let ends_unix_ns = started_unix_ns.saturating_add(request.limits.duration_ns);
    SessionFile { spec: SessionSpec { header, directory }, ends_unix_ns, only_pid, stopped_by: None }
}

/// A new identity: twelve random lower-case letters and digits.
fn new_session_id() -> SessionId {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut left = random();
    let mut id = String::new();
    for _ in 0..12 {
        id.push(char::from(DIGITS[(left % 36) as usize]));
        left /= 36;
    }
    SessionId(id)
}

/// The standard library's hash keys come from the system's random source.
fn random() -> u64 {
    std::hash::RandomState::new().hash_one((std::process::id(), unix_now_ns()))
}
