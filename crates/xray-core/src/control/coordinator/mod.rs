//! One session over all processes of an application.
//!
//! The truth is in the application's directory: processes that start later join by `current`, and the session goes on
//! when its controller dies. A coordinator only starts it, watches it, and ends it; it needs no thread of its own.

mod start;

pub use start::{StartError, start, start_alone};

use super::client::{Agent, ClientError, ask_all};
use super::directory::{AgentSocket, AppDirectory};
use super::private_dir::DirectoryError;
use super::progress::AppProgress;
use super::protocol::{AgentState, CapabilitiesMessage, Progress, Reply, Request, SessionFile};
use super::session_directory::SessionDirectory;
use super::unix_now_ns;
use crate::limits::{DRAIN_NS, PART_GRACE_NS};
use crate::model::{SessionId, StoppedBy};
use crate::session::TraceTally;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Time that agents have to arm themselves.
const ARM_PATIENCE: Duration = Duration::from_secs(2);
/// Time that agents have to answer one round of progress.
const POLL_PATIENCE: Duration = Duration::from_millis(500);
/// A session whose application has no living process for this long has ended.
const EXIT_AFTER: Duration = Duration::from_secs(10);

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
        if self.file.recording(now) {
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
        let over = !self.file.recording(now);
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
