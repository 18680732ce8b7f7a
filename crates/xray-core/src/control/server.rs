//! The agent's side of its socket: one thread serves all connections.
//!
//! The thread sleeps in `poll` without a timeout while nobody is connected, so an idle process has no wake-ups. All
//! sockets are non-blocking; a peer that is slow, silent, or sends garbage costs a slot and a few kilobytes until its
//! time is up, never the thread. More connections than slots push out the one that was silent longest. Requests are
//! answered one after another in this thread: the host process gets no thread for each peer.

use super::descriptors::AgentOwned;
use super::frame::{FrameBuffer, FrameError, MAX_REQUEST_BYTES, encode};
use super::protocol::{PROTOCOL_VERSION, Reply, Request};
use super::socket::peer_user;
use crate::limits::CONTROL_CONNECTIONS;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Longest time for one request to arrive, from its first byte, and for one reply to be taken.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest silence between two requests of one connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause of accepting when the process has no descriptor or memory left.
const EXHAUSTED_PAUSE: Duration = Duration::from_secs(1);
/// Bytes read at a time.
const READ_BYTES: usize = 4 << 10;

/// What answers the requests.
pub trait Handler {
    /// Answers one request. `Hello` comes here after its protocol version was checked. Runs in the server's thread:
    /// while it runs no other connection is served. A panic is caught and becomes [`Reply::Refused`].
    fn handle(&self, request: Request) -> Reply;
}

/// Ends [`serve`]: by [`StopHandle::stop`], or when it is dropped.
#[derive(Debug)]
pub struct StopHandle(AgentOwned<UnixStream>);

/// The server's end of a [`StopHandle`].
#[derive(Debug)]
pub struct StopSignal(AgentOwned<UnixStream>);

/// A pair for one server.
///
/// # Errors
/// The system's, for instance too many open files.
pub fn stop_pair() -> io::Result<(StopHandle, StopSignal)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    Ok((StopHandle(AgentOwned::new(ours)), StopSignal(AgentOwned::new(theirs))))
}

impl StopHandle {
    /// Makes the server return soon; when it is inside [`Handler::handle`], after that.
    pub fn stop(&self) {
        // A full or closed socket means that the server was told already, or is gone.
        let _ = (&*self.0).write(&[1]);
    }
}

/// Serves until stopped. Only peers with this process's user id, and root, are answered.
///
/// # Errors
/// The system's, when the listener itself does not work any more.
pub fn serve(listener: &UnixListener, handler: &dyn Handler, stop: &StopSignal) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut connections: Vec<Connection> = Vec::new();
    let mut accept_again: Option<Instant> = None;
    loop {
        let now = Instant::now();
        connections.retain(|c| c.deadline > now);
        accept_again = accept_again.filter(|at| *at > now);

        let ready = wait(listener, stop, &connections, accept_again)?;
        if ready.stop {
            return Ok(());
        }
        let mut open = ready.connections.into_iter();
        connections.retain_mut(|c| !open.next().unwrap_or(false) || c.advance(handler).is_ok());
        if ready.accept {
            accept_again = accept(listener, &mut connections)?;
        }
    }
}

/// What [`wait`] woke up for.
struct Ready {
    stop: bool,
    accept: bool,
    connections: Vec<bool>,
}

fn wait(
    listener: &UnixListener,
    stop: &StopSignal,
    connections: &[Connection],
    accept_again: Option<Instant>,
) -> io::Result<Ready> {
    let accepting = if accept_again.is_none() { PollFlags::IN } else { PollFlags::empty() };
    let mut fds = vec![PollFd::new(&stop.0, PollFlags::IN), PollFd::new(listener, accepting)];
    fds.extend(connections.iter().map(|c| {
        let interest = if c.output.is_empty() { PollFlags::IN } else { PollFlags::OUT };
        PollFd::new(&c.stream, interest)
    }));
    let deadline = connections.iter().map(|c| c.deadline).chain(accept_again).min();
    let timeout = deadline.map(|at| {
        // One millisecond later than due: waking up a little early would only poll again.
        let left = at.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
        Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) }
    });
    match poll(&mut fds, timeout.as_ref()) {
        Ok(_) => {}
        Err(Errno::INTR | Errno::AGAIN) => fds.iter_mut().for_each(PollFd::clear_revents),
        Err(error) => return Err(error.into()),
    }
    let ready: Vec<PollFlags> = fds.iter().map(PollFd::revents).collect();
    if ready[1].intersects(PollFlags::NVAL | PollFlags::ERR) {
        return Err(io::Error::other("the control socket was closed"));
    }
    Ok(Ready {
        stop: !ready[0].is_empty(),
        accept: ready[1].contains(PollFlags::IN),
        connections: ready[2..].iter().map(|flags| !flags.is_empty()).collect(),
    })
}

/// Accepts what waits; returns when to try again if the process is out of descriptors or memory.
fn accept(listener: &UnixListener, connections: &mut Vec<Connection>) -> io::Result<Option<Instant>> {
    for _ in 0..CONTROL_CONNECTIONS {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) => return accept_failed(error),
        };
        let own_user = rustix::process::geteuid().as_raw();
        let allowed = peer_user(&stream).is_ok_and(|user| user == own_user || user == 0);
        if !allowed || stream.set_nonblocking(true).is_err() {
            continue;
        }
        if connections.len() >= CONTROL_CONNECTIONS
            && let Some(silent) = (0..connections.len()).min_by_key(|i| connections[*i].last_request)
        {
            connections.remove(silent);
        }
        connections.push(Connection::new(stream));
    }
    Ok(None)
}

fn accept_failed(error: io::Error) -> io::Result<Option<Instant>> {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => Ok(None),
        // The connection stays in the backlog and `poll` would report it at once, again and again.
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS) => Ok(Some(Instant::now() + EXHAUSTED_PAUSE)),
        _ => Err(error),
    }
}

/// One peer. It either sends a request or takes a reply, never both.
struct Connection {
    stream: AgentOwned<UnixStream>,
    input: FrameBuffer,
    output: Vec<u8>,
    deadline: Instant,
    last_request: Instant,
    greeted: bool,
    closing: bool,
}

/// The connection is of no use any more.
struct Closed;

impl Connection {
    fn new(stream: UnixStream) -> Self {
        let now = Instant::now();
        Self {
            stream: AgentOwned::new(stream),
            input: FrameBuffer::new(MAX_REQUEST_BYTES),
            output: Vec::new(),
            deadline: now + MESSAGE_TIMEOUT,
            last_request: now,
            greeted: false,
            closing: false,
        }
    }

    fn advance(&mut self, handler: &dyn Handler) -> Result<(), Closed> {
        if self.output.is_empty() {
            self.read()?;
        }
        loop {
            self.write()?;
            if !self.output.is_empty() {
                return Ok(());
            }
            if self.closing {
                return Err(Closed);
            }
            match self.input.take::<Request>() {
                Ok(Some(request)) => self.answer(request, handler),
                Ok(None) => return Ok(()),
                Err(error) => self.refuse_and_close(&error),
            }
        }
    }

    fn read(&mut self) -> Result<(), Closed> {
        let mut bytes = [0; READ_BYTES];
        match self.stream.read(&mut bytes) {
            Ok(0) => Err(Closed),
            Ok(count) => {
                if self.input.is_empty() {
                    self.deadline = Instant::now() + MESSAGE_TIMEOUT;
                }
                self.input.extend(&bytes[..count]);
                Ok(())
            }
            Err(error) => would_block(&error),
        }
    }

    fn write(&mut self) -> Result<(), Closed> {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(0) => return Err(Closed),
                Ok(count) => drop(self.output.drain(..count)),
                Err(error) => return would_block(&error),
            }
            if self.output.is_empty() {
                let patience = if self.input.is_empty() { IDLE_TIMEOUT } else { MESSAGE_TIMEOUT };
                self.deadline = Instant::now() + patience;
            }
        }
        Ok(())
    }

    fn answer(&mut self, request: Request, handler: &dyn Handler) {
        let reply = match request {
            Request::Hello { protocol } if protocol != PROTOCOL_VERSION => {
                self.closing = true;
                Reply::Refused {
                    reason: format!(
                        "the agent speaks version {PROTOCOL_VERSION} of the control protocol, not {protocol}: \
                         use the xray command of the version that the application runs with"
                    ),
                }
            }
            Request::Hello { .. } => {
                self.greeted = true;
                handle_caught(handler, request)
            }
            _ if !self.greeted => {
                self.closing = true;
                Reply::Refused { reason: "the first request of a connection must be hello".to_owned() }
            }
            request => handle_caught(handler, request),
        };
        self.queue(&reply);
    }

    fn refuse_and_close(&mut self, error: &FrameError) {
        self.closing = true;
        self.queue(&Reply::Refused { reason: error.to_string() });
    }

    fn queue(&mut self, reply: &Reply) {
        let bytes = encode(reply).or_else(|error| encode(&Reply::Refused { reason: error.to_string() }));
        self.output = bytes.unwrap_or_default();
        let now = Instant::now();
        self.last_request = now;
        self.deadline = now + MESSAGE_TIMEOUT;
    }
}

fn handle_caught(handler: &dyn Handler, request: Request) -> Reply {
    catch_unwind(AssertUnwindSafe(|| handler.handle(request))).unwrap_or_else(|_| Reply::Refused {
        reason: "the agent failed inside; its session goes on, please report this".to_owned(),
    })
}

fn would_block(error: &io::Error) -> Result<(), Closed> {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(()),
        _ => Err(Closed),
    }
}
