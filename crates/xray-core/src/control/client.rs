//! The controller's side of one agent's socket.
//!
//! Sending and receiving are separate, so that a controller asks all agents first and then collects the answers: they
//! work in parallel, and no thread is needed here.

use super::directory::{AgentSocket, AppDirectory};
use super::frame::{FrameBuffer, FrameError, encode};
use super::protocol::{MAX_FRAME_BYTES, PROTOCOL_VERSION, Reply, Request};
use super::socket;
use crate::model::SessionId;
use rustix::io::Errno;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Longest time that each answer of an agent may take.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest time for the answer to `Hello`, for which an agent needs nothing: a session must not start late because one
/// process is stopped.
const HELLO_TIMEOUT: Duration = Duration::from_millis(800);
/// Longest wait for a place in an agent's backlog.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// How long after a deadline an answer that is already there may still take to be read.
const LATE: Duration = Duration::from_millis(200);
const READ_BYTES: usize = 64 << 10;

/// Why an agent did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens: the process is gone, or its agent is off. The socket's file was removed.
    #[error("the process is gone")]
    Gone,
    /// It closed the connection: it ended meanwhile, or had too many others. Connecting again shows which.
    #[error("the process closed the connection")]
    Closed,
    /// It listens, but does not answer in time: stopped, or busy without releasing the GIL.
    #[error("the process does not answer")]
    Silent,
    /// It said no.
    #[error("{0}")]
    Refused(String),
    /// It sent something else than an answer to the question.
    #[error("the process answered with something unknown; is it another version of xray?")]
    Unexpected,
    /// The bytes were no message.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The system refused.
    #[error("cannot talk to the process: {0}")]
    Io(io::Error),
}

/// What an agent says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentInfo {
    /// xray's version.
    pub version: String,
    /// Application name.
    pub app: String,
    /// Process id, as the process itself sees it.
    pub pid: u32,
    /// `3.12.1`.
    pub python: String,
    /// `Django 5.2.19`, if a framework is known.
    pub framework: Option<String>,
    /// When the process's agent started.
    pub started_unix_ns: u64,
    /// The session it was in when the connection was made.
    pub session: Option<SessionId>,
}

/// A connection to one agent.
#[derive(Debug)]
pub struct Agent {
    stream: UnixStream,
    input: FrameBuffer,
    info: AgentInfo,
}

/// An agent that has been greeted and whose answer is still to come.
#[derive(Debug)]
struct Greeted(UnixStream, FrameBuffer);

/// Connects, and removes the socket's file when nobody listens to it.
pub(super) fn connect(app: &AppDirectory, agent: &AgentSocket) -> Result<UnixStream, ClientError> {
    match socket::connect(&app.directory, &agent.file, CONNECT_TIMEOUT) {
        Ok(stream) => Ok(stream),
        Err(Errno::CONNREFUSED) => {
            // A socket is shown only when its process listens, so this one's process is dead.
            if let Err(error) = app.directory.remove(&agent.file) {
                log::debug!("cannot remove a stale socket: {error}");
            }
            Err(ClientError::Gone)
        }
        Err(error) => Err(connect_failed(error)),
    }
}

fn connect_failed(error: Errno) -> ClientError {
    match error {
        Errno::NOENT => ClientError::Gone,
        Errno::AGAIN | Errno::TIMEDOUT => ClientError::Silent,
        error => ClientError::Io(error.into()),
    }
}

impl Agent {
    /// Connects to an agent and exchanges `Hello`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn connect(app: &AppDirectory, agent: &AgentSocket) -> Result<Self, ClientError> {
        Greeted::send(app, agent)?.receive(Instant::now() + HELLO_TIMEOUT)
    }

    /// Connects to all agents of an application at once; the result of each, in the order of
    /// [`AppDirectory::sockets`]. Takes a second when some of them are silent.
    pub fn connect_all(app: &AppDirectory, agents: &[AgentSocket]) -> Vec<Result<Self, ClientError>> {
        let greeted: Vec<_> = agents.iter().map(|agent| Greeted::send(app, agent)).collect();
        let deadline = Instant::now() + HELLO_TIMEOUT;
        greeted.into_iter().map(|greeted| greeted?.receive(deadline)).collect()
    }

    /// What it said of itself.
    pub fn info(&self) -> &AgentInfo {
        &self.info
    }

    /// Asks and waits for the answer, at most [`ANSWER_TIMEOUT`].
    ///
    /// # Errors
    /// [`ClientError`]; a refusal is `Refused`. After any other error the connection is of no use.
    pub fn ask(&mut self, request: &Request) -> Result<Reply, ClientError> {
        self.send(request)?;
        self.receive(Instant::now() + ANSWER_TIMEOUT)
    }

    /// Asks; [`Self::receive`] must follow.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn send(&mut self, request: &Request) -> Result<(), ClientError> {
        send(&self.stream, request)
    }

    /// The answer to the request sent last.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn receive(&mut self, deadline: Instant) -> Result<Reply, ClientError> {
        receive(&self.stream, &mut self.input, deadline)
    }
}

/// Asks every agent one request and collects the answers, in order. They work at the same time; slow ones have
/// `patience` together.
pub fn ask_all<'a>(
    questions: impl IntoIterator<Item = (&'a mut Agent, &'a Request)>,
    patience: Duration,
) -> Vec<Result<Reply, ClientError>> {
    let asked: Vec<_> = questions.into_iter().map(|(agent, request)| (agent.send(request), agent)).collect();
    let deadline = Instant::now() + patience;
    asked.into_iter().map(|(sent, agent)| sent.and_then(|()| agent.receive(deadline))).collect()
}

impl Greeted {
    fn send(app: &AppDirectory, agent: &AgentSocket) -> Result<Self, ClientError> {
        let stream = connect(app, agent)?;
        // Somebody who could place a socket here could pretend to be the application: only its user may answer.
        let user = socket::peer_user(&stream).map_err(|error| ClientError::Io(error.into()))?;
        if user != app.owner() && user != 0 {
            return Err(ClientError::Refused(format!("the socket belongs to user {user}, not to the application's")));
        }
        send(&stream, &Request::Hello { protocol: PROTOCOL_VERSION })?;
        Ok(Self(stream, FrameBuffer::new(MAX_FRAME_BYTES)))
    }

    fn receive(self, deadline: Instant) -> Result<Agent, ClientError> {
        let Self(stream, mut input) = self;
        match receive(&stream, &mut input, deadline)? {
            Reply::Hello { version, app, pid, python, framework, started_unix_ns, session, .. } => {
                let info = AgentInfo { version, app, pid, python, framework, started_unix_ns, session };
                Ok(Agent { stream, input, info })
            }
            _ => Err(ClientError::Unexpected),
        }
    }
}

fn send(mut stream: &UnixStream, request: &Request) -> Result<(), ClientError> {
    let bytes = encode(request)?;
    stream.set_write_timeout(Some(ANSWER_TIMEOUT)).map_err(ClientError::Io)?;
    stream.write_all(&bytes).map_err(transfer_failed)
}

fn receive(mut stream: &UnixStream, input: &mut FrameBuffer, deadline: Instant) -> Result<Reply, ClientError> {
    let mut bytes = vec![0; READ_BYTES];
    loop {
        match input.take()? {
            Some(Reply::Refused { reason }) => return Err(ClientError::Refused(reason)),
            Some(reply) => return Ok(reply),
            None => {}
        }
        // What has arrived is read also a little after the deadline: earlier agents may have used it up.
        let now = Instant::now();
        if now > deadline + LATE {
            return Err(ClientError::Silent);
        }
        let left = deadline.saturating_duration_since(now).max(Duration::from_millis(1));
        stream.set_read_timeout(Some(left)).map_err(ClientError::Io)?;
        match stream.read(&mut bytes) {
            Ok(0) => return Err(ClientError::Closed),
            Ok(count) => input.extend(&bytes[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(transfer_failed(error)),
        }
    }
}

fn transfer_failed(error: io::Error) -> ClientError {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ClientError::Silent,
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => ClientError::Closed,
        _ => ClientError::Io(error),
    }
}
