//! One session over all processes of an application.
//!
//! The truth is in the application's directory: processes that start later join by `current`, and the session goes on
//! when its controller dies. A coordinator only starts it, watches it, and ends it; it needs no thread of its own.

use super::client::{Agent, ClientError, ask_all};
use super::directory::{AgentSocket, AppDirectory};
use super::private_dir::DirectoryError;
use super::progress::AppProgress;
use super::protocol::{
    AgentState, CapabilitiesMessage, Progress, Reply, Request, SessionFile, SessionRequest, SessionSpec,
    TransactionSummary,
};
use super::session_directory::{BeginError, SessionDirectory};
use super::unix_now_ns;
use crate::limits::{DRAIN_NS, PART_GRACE_NS};
use crate::model::{SessionHeader, SessionId, StoppedBy, Target};
use crate::session::TraceTally;
use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Time that agents have to arm themselves.
const ARM_PATIENCE: Duration = Duration::from_secs(2);
/// Time that agents have to answer one round of progress.
const POLL_PATIENCE: Duration = Duration::from_millis(500);
/// A session whose application has no living process for this long has ended.
const EXIT_AFTER: Duration = Duration::from_secs(10);
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

/// What the caller of [`AppSession::wait`] wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Go on.
    Continue,
    /// End recording and finish the parts.
    Stop,
    /// Return now; the session goes on by itself.
    Leave,
}

/// A session over all processes.
#[derive(Debug)]
pub struct AppSession {
    app: AppDirectory,
    directory: SessionDirectory,
    file: SessionFile,
    members: BTreeMap<AgentSocket, Member>,
    /// Last counts of processes that are gone.
    departed: Vec<Progress>,
    gone: usize,
    refused: Vec<String>,
    /// Since when recording is over, as this coordinator sees it.
    stopped: Option<Instant>,
    alone_since: Option<Instant>,
    stop_sent: bool,
}

/// One living process.
#[derive(Debug, Default)]
struct Member {
    /// None while it does not answer.
    agent: Option<Agent>,
    joined: bool,
    done: bool,
    last: Option<Progress>,
}

/// Starts a session: asks the agents what the name means, makes it the application's session, and arms all agents at
/// once. Returns when every living agent has armed or refused, at most after some seconds when one does not answer.
///
/// Agents answer from their own threads and may need the GIL: a caller inside the application must not hold it.
///
/// # Errors
/// [`StartError`].
pub fn start(app: AppDirectory, request: &SessionRequest) -> Result<AppSession, StartError> {
    let sockets = app.sockets()?;
    let mut agents: Vec<(AgentSocket, Agent)> = Vec::new();
    let mut refusal = None;
    for (socket, connected) in sockets.iter().zip(Agent::connect_all(&app, &sockets)) {
        match connected {
            Ok(agent) => agents.push((socket.clone(), agent)),
            Err(ClientError::Gone | ClientError::Closed) => {}
            Err(error) => refusal = Some(StartError::Refused(error.to_string())),
        }
    }
    if agents.is_empty() {
        return Err(refusal.unwrap_or_else(|| StartError::NoAgents(app.name().to_owned())));
    }
    free_from_dead_session(&app, &agents)?;
    let target = resolve(&mut agents, request)?;
    let file = session_file(&app, target, request);
    let directory = app.begin_session(&file).map_err(|error| match error {
        BeginError::Running(running) => StartError::Running(running),
        BeginError::Directory(error) => StartError::Directory(error),
    })?;
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
    let answers = ask_all(agents.iter_mut().map(|(_, agent)| (agent, &question)), ARM_PATIENCE);
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
            let mut nearest = super::survey::merge_transactions(near);
            nearest.truncate(NEAREST);
            Err(StartError::UnknownTransaction { given: request.transaction.clone(), nearest })
        }
    }
}

fn session_file(app: &AppDirectory, target: Target, request: &SessionRequest) -> SessionFile {
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
    SessionFile { spec: SessionSpec { header, directory }, ends_unix_ns, only_pid: None, stopped_by: None }
}

/// A new identity: twelve random lower-case letters and digits.
pub fn new_session_id() -> SessionId {
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

impl AppSession {
    fn new(app: AppDirectory, directory: SessionDirectory, file: SessionFile) -> Self {
        Self {
            app,
            directory,
            file,
            members: BTreeMap::new(),
            departed: Vec::new(),
            gone: 0,
            refused: Vec::new(),
            stopped: None,
            alone_since: None,
            stop_sent: false,
        }
    }

    /// A session that somebody else started, running or finished; `None` when it is unknown.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn attach(app: AppDirectory, id: &SessionId) -> Result<Option<Self>, DirectoryError> {
        let Some(directory) = app.session(id)? else { return Ok(None) };
        let Some(file) = directory.file()? else { return Ok(None) };
        Ok(Some(Self::new(app, directory, file)))
    }

    /// The session's file, as read last.
    pub fn file(&self) -> &SessionFile {
        &self.file
    }

    /// The session's directory.
    pub fn directory(&self) -> &SessionDirectory {
        &self.directory
    }

    /// Asks all processes how it goes, takes in processes that started since, and ends the session when its number of
    /// traces is there or the application is gone. Takes milliseconds; half a second more when a process is silent.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn poll(&mut self) -> Result<AppProgress, DirectoryError> {
        if let Some(file) = self.directory.file()? {
            self.file = file;
        }
        self.connect_members()?;
        let question = Request::Progress { session: self.directory.id().clone() };
        self.ask_members(&question, POLL_PATIENCE, |member| !member.done);
        self.apply_limits()?;
        Ok(self.summary())
    }

    /// What the living processes in the session can do, as they probed it; each answer once. Call [`Self::poll`] first.
    pub fn capabilities(&mut self) -> Vec<CapabilitiesMessage> {
        let joined = self.members.values_mut().filter(|member| member.joined);
        let questions = joined.filter_map(|member| Some((member.agent.as_mut()?, &Request::Status)));
        let mut all = Vec::new();
        for answer in ask_all(questions, POLL_PATIENCE) {
            if let Ok(Reply::Status { capabilities: Some(capabilities), .. }) = answer
                && !all.contains(&capabilities)
            {
                all.push(capabilities);
            }
        }
        all
    }

    /// Ends recording in all processes; they go on to finish their parts. Returns the reason that holds: the first.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn stop(&mut self, by: StoppedBy) -> Result<StoppedBy, DirectoryError> {
        let by = self.app.mark_stopped(self.directory.id(), by)?;
        self.file.stopped_by = Some(by);
        self.stopped.get_or_insert_with(Instant::now);
        self.connect_members()?;
        self.send_stop(by);
        Ok(by)
    }

    /// Polls until the session is finished, then frees the application for the next one. `each` sees every state and
    /// says what to do.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn wait(
        &mut self,
        interval: Duration,
        each: &mut dyn FnMut(&AppProgress) -> Next,
    ) -> Result<AppProgress, DirectoryError> {
        loop {
            let progress = self.poll()?;
            let next = each(&progress);
            if progress.state == AgentState::Finished {
                self.end()?;
                return Ok(progress);
            }
            match next {
                Next::Leave => return Ok(progress),
                Next::Stop if self.file.stopped_by.is_none() => drop(self.stop(StoppedBy::User)?),
                Next::Stop | Next::Continue => std::thread::sleep(interval),
            }
        }
    }

    /// Frees the application for the next session.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn end(&mut self) -> Result<(), DirectoryError> {
        let by = self.summary().stopped_by.unwrap_or(StoppedBy::Time);
        self.app.mark_stopped(self.directory.id(), by)?;
        self.app.end_session(self.directory.id())
    }

    /// The parts written so far, of dead processes, too.
    ///
    /// # Errors
    /// [`DirectoryError::Io`].
    pub fn parts(&self) -> Result<Vec<PathBuf>, DirectoryError> {
        self.directory.parts()
    }

    fn arm(&mut self, agents: BTreeMap<AgentSocket, Agent>) {
        for (socket, agent) in agents {
            self.members.insert(socket, Member { agent: Some(agent), ..Member::default() });
        }
        let question = Request::Arm { session: self.file.spec.clone() };
        self.ask_members(&question, ARM_PATIENCE, |member| !member.joined && !member.done);
    }

    /// Takes in sockets that are new, and connects again to those that were silent.
    fn connect_members(&mut self) -> Result<(), DirectoryError> {
        let sockets = self.app.sockets()?;
        let missing: Vec<AgentSocket> = sockets
            .iter()
            .filter(|socket| self.members.get(socket).is_none_or(|m| m.agent.is_none() && !m.done))
            .cloned()
            .collect();
        let mut newcomers = BTreeMap::new();
        for (socket, connected) in missing.iter().zip(Agent::connect_all(&self.app, &missing)) {
            match connected {
                Ok(agent) => {
                    let inside = agent.info().session.as_ref() == Some(self.directory.id());
                    let member = self.members.entry(socket.clone()).or_default();
                    member.joined |= inside;
                    if member.joined || !self.file.joinable(unix_now_ns()) {
                        member.agent = Some(agent);
                    } else {
                        newcomers.insert(socket.clone(), agent);
                    }
                }
                Err(ClientError::Gone) => self.depart(socket),
                Err(ClientError::Refused(reason)) => self.refuse(socket, reason),
                Err(_) => drop(self.members.entry(socket.clone()).or_default()),
            }
        }
        let vanished: Vec<_> = self.members.keys().filter(|member| !sockets.contains(member)).cloned().collect();
        for socket in vanished {
            self.depart(&socket);
        }
        if !newcomers.is_empty() {
            self.arm(newcomers);
        }
        Ok(())
    }

    fn ask_members(&mut self, question: &Request, patience: Duration, wanted: impl Fn(&Member) -> bool) {
        let asked: Vec<AgentSocket> = self
            .members
            .iter()
            .filter(|(_, member)| member.agent.is_some() && wanted(member))
            .map(|(socket, _)| socket.clone())
            .collect();
        let questions = self
            .members
            .iter_mut()
            .filter(|(socket, _)| asked.binary_search(socket).is_ok())
            .filter_map(|(_, member)| Some((member.agent.as_mut()?, question)));
        let answers = ask_all(questions, patience);
        for (socket, answer) in asked.iter().zip(answers) {
            self.take_answer(socket, answer);
        }
    }

    fn take_answer(&mut self, socket: &AgentSocket, answer: Result<Reply, ClientError>) {
        let member = self.members.entry(socket.clone()).or_default();
        match answer {
            Ok(Reply::Armed { .. }) => member.joined = true,
            Ok(Reply::Progress(progress)) => {
                member.joined = true;
                member.done = progress.state == AgentState::Finished;
                member.last = Some(progress);
            }
            Ok(_) => self.refuse(socket, ClientError::Unexpected.to_string()),
            // It was in and is not any more: it has finished.
            Err(ClientError::Refused(_)) if member.joined => member.done = true,
            Err(ClientError::Refused(reason)) => self.refuse(socket, reason),
            // The next round connects again and finds out whether it lives.
            Err(_) => member.agent = None,
        }
    }

    fn refuse(&mut self, socket: &AgentSocket, reason: String) {
        let member = self.members.entry(socket.clone()).or_default();
        member.done = true;
        // A process that was not in the session and is asked after its end has nothing to refuse.
        if self.file.joinable(unix_now_ns()) && !self.refused.contains(&reason) {
            self.refused.push(reason);
        }
    }

    fn depart(&mut self, socket: &AgentSocket) {
        if let Some(member) = self.members.remove(socket)
            && member.joined
        {
            self.gone += 1;
            self.departed.extend(member.last);
        }
    }

    fn apply_limits(&mut self) -> Result<(), DirectoryError> {
        let now = unix_now_ns();
        let enough = self.file.spec.header.limits.stop_after.is_some_and(|limit| self.finished_traces() >= limit);
        let by_traces = enough || self.members.values().any(|m| stopped_by(m) == Some(StoppedBy::Traces));
        if self.members.values().any(|m| !m.done) {
            self.alone_since = None;
        } else {
            self.alone_since.get_or_insert_with(Instant::now);
        }
        let alone = self.alone_since.is_some_and(|since| since.elapsed() >= EXIT_AFTER);
        if self.file.joinable(now) {
            if by_traces {
                self.stop(StoppedBy::Traces)?;
            } else if alone {
                self.stop(StoppedBy::Exit)?;
            }
        } else {
            self.stopped.get_or_insert_with(Instant::now);
            // Agents watch the deadline themselves; this reaches those that missed another one's limit.
            if !self.stop_sent {
                self.send_stop(self.file.stopped_by.unwrap_or(StoppedBy::Time));
            }
        }
        Ok(())
    }

    fn send_stop(&mut self, by: StoppedBy) {
        self.stop_sent = true;
        let question = Request::Stop { session: self.directory.id().clone(), by };
        self.ask_members(&question, POLL_PATIENCE, |member| member.joined && !member.done);
    }

    fn finished_traces(&self) -> u64 {
        self.directory.tally().map_or(0, |tally| tally.total())
    }

    fn summary(&self) -> AppProgress {
        let mut sum = AppProgress::new();
        for one in &self.departed {
            sum.add(one, false);
        }
        for one in self.members.values().filter_map(|m| m.last.as_ref()) {
            sum.add(one, true);
        }
        let header = &self.file.spec.header;
        let now = unix_now_ns();
        let first_reason =
            self.members.values().find_map(stopped_by).or_else(|| self.departed.iter().find_map(|p| p.stopped_by));
        let over = !self.file.joinable(now);
        sum.stopped_by = self.file.stopped_by.or(first_reason).or(over.then_some(StoppedBy::Time));
        sum.elapsed_ns = now.saturating_sub(header.started_unix_ns).min(header.limits.duration_ns);
        sum.processes = self.members.values().filter(|m| m.joined).count();
        sum.silent = self.members.values().filter(|m| m.agent.is_none() && !m.done).count();
        sum.gone = self.gone;
        sum.refused.clone_from(&self.refused);
        sum.state = self.state(over);
        sum
    }

    fn state(&self, over: bool) -> AgentState {
        let has = |state| self.members.values().any(|m| m.last.as_ref().is_some_and(|p| p.state == state));
        if !over {
            return if has(AgentState::Recording) || !self.departed.is_empty() {
                AgentState::Recording
            } else {
                AgentState::Armed
            };
        }
        let longest = Duration::from_nanos(DRAIN_NS + PART_GRACE_NS);
        let waited_enough = self.stopped.is_some_and(|at| at.elapsed() > longest) || self.file.over(unix_now_ns());
        if waited_enough || self.members.values().all(|m| m.done) { AgentState::Finished } else { AgentState::Draining }
    }
}

fn stopped_by(member: &Member) -> Option<StoppedBy> {
    member.last.as_ref().and_then(|progress| progress.stopped_by)
}
