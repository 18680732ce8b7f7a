//! Peers that mean no good: the agent answers the others all the same.

use crate::fake_agent::{FakeAgent, KNOWN};
use crate::{APP, app, eventually};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use xray_core::control::client::{Agent, ClientError};
use xray_core::control::protocol::{Reply, Request};
use xray_core::control::server::{Handler, serve, stop_pair};
use xray_core::limits::CONTROL_CONNECTIONS;

struct Fixture {
    base: tempfile::TempDir,
    _agent: FakeAgent,
}

impl Fixture {
    fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        let agent = FakeAgent::start(base.path(), APP, Default::default());
        Self { base, _agent: agent }
    }

    fn raw(&self) -> UnixStream {
        let path = app(self.base.path()).path().join(format!("{}.sock", std::process::id()));
        UnixStream::connect(path).unwrap()
    }

    fn connect(&self) -> Agent {
        let app = app(self.base.path());
        Agent::connect(&app, &app.sockets().unwrap()[0]).unwrap()
    }

    #[track_caller]
    fn answers_quickly(&self) {
        let started = Instant::now();
        let reply = self.connect().ask(&Request::Resolve { given: KNOWN.to_owned() }).unwrap();
        assert!(matches!(reply, Reply::Resolved { known: true, .. }));
        assert!(started.elapsed() < Duration::from_millis(500), "took {:?}", started.elapsed());
    }
}

/// Reads until the server closes; the time that took.
fn until_closed(mut stream: UnixStream) -> (Duration, Vec<u8>) {
    let started = Instant::now();
    let mut received = Vec::new();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let end = stream.read_to_end(&mut received);
    assert!(end.is_ok() || end.unwrap_err().kind() == std::io::ErrorKind::ConnectionReset);
    (started.elapsed(), received)
}

#[test]
fn a_partial_frame_is_given_up_and_delays_nobody() {
    let fixture = Fixture::new();
    let mut peer = fixture.raw();
    peer.write_all(&[20, 0, 0, 0, b'{']).unwrap();
    fixture.answers_quickly();
    let (took, _) = until_closed(peer);
    assert!(took > Duration::from_millis(1_500) && took < Duration::from_secs(4), "{took:?}");
}

#[test]
fn a_peer_that_drips_bytes_cannot_stretch_its_time() {
    let fixture = Fixture::new();
    let mut peer = fixture.raw();
    let started = Instant::now();
    peer.write_all(&1_000_u32.to_le_bytes()).unwrap();
    while peer.write_all(b" ").is_ok() {
        assert!(started.elapsed() < Duration::from_secs(5));
        std::thread::sleep(Duration::from_millis(20));
    }
    fixture.answers_quickly();
}

#[test]
fn huge_lengths_and_garbage_are_refused_at_once() {
    let fixture = Fixture::new();
    for bytes in [&[0xff; 4][..], b"GET / HTTP/1.1\r\n\r\n", &[2, 0, 0, 0, 0xff, 0xfe], &[0, 0, 0, 0]] {
        let mut peer = fixture.raw();
        peer.write_all(bytes).unwrap();
        let (took, received) = until_closed(peer);
        assert!(took < Duration::from_secs(1), "{bytes:?}: {took:?}");
        assert!(String::from_utf8_lossy(&received).contains("refused"), "{bytes:?}");
    }
    fixture.answers_quickly();
}

#[test]
fn a_peer_that_takes_no_reply_is_dropped() {
    let fixture = Fixture::new();
    let mut peer = fixture.raw();
    let hello = br#"{"request":"hello","protocol":1}"#;
    let mut frame = (hello.len() as u32).to_le_bytes().to_vec();
    frame.extend_from_slice(hello);
    peer.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(1) && peer.write_all(&frame).is_ok() {}
    fixture.answers_quickly();
    eventually("dropped", || matches!(peer.write(&frame), Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe));
}

#[test]
fn many_silent_connections_leave_room_for_a_new_one() {
    let fixture = Fixture::new();
    let _peers: Vec<_> = (0..CONTROL_CONNECTIONS * 2).map(|_| fixture.raw()).collect();
    fixture.answers_quickly();
}

#[test]
fn another_protocol_version_is_refused_with_what_to_do() {
    let fixture = Fixture::new();
    let mut peer = fixture.raw();
    let hello = br#"{"request":"hello","protocol":99,"added later":[1]}"#;
    peer.write_all(&(hello.len() as u32).to_le_bytes()).unwrap();
    peer.write_all(hello).unwrap();
    let (_, received) = until_closed(peer);
    let text = String::from_utf8_lossy(&received).into_owned();
    assert!(text.contains("refused") && text.contains("not 99") && text.contains("use the xray command"), "{text}");
}

#[test]
fn nothing_is_answered_before_hello() {
    let fixture = Fixture::new();
    let mut peer = fixture.raw();
    let request = br#"{"request":"transactions"}"#;
    peer.write_all(&(request.len() as u32).to_le_bytes()).unwrap();
    peer.write_all(request).unwrap();
    assert!(String::from_utf8_lossy(&until_closed(peer).1).contains("must be hello"));
}

#[test]
fn a_panic_in_the_agent_is_a_refusal() {
    let fixture = Fixture::new();
    let mut agent = fixture.connect();
    let refused = agent.ask(&Request::Resolve { given: "panic".to_owned() }).unwrap_err();
    assert!(matches!(refused, ClientError::Refused(_)), "{refused}");
    // The fake agent's state is poisoned now, the server is not: it still refuses politely.
    assert!(matches!(agent.ask(&Request::Status), Err(ClientError::Refused(_))));
}

/// Threads of this process, by name, with the number of times each went to sleep by itself.
fn voluntary_switches(thread: &str) -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let found = tasks
        .map(|t| t.path())
        .find(|t| std::fs::read_to_string(t.join("comm")).is_ok_and(|comm| comm.trim_end() == thread));
    let status = std::fs::read_to_string(found.unwrap().join("status")).unwrap();
    let line = status.lines().find(|l| l.starts_with("voluntary_ctxt_switches")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn an_idle_server_sleeps_and_stops_when_told() {
    struct Nobody;
    impl Handler for Nobody {
        fn handle(&self, _: Request) -> Reply {
            Reply::Refused { reason: "nobody".to_owned() }
        }
    }
    let base = tempfile::tempdir().unwrap();
    let listener = app(base.path()).bind().unwrap();
    let (stop, signal) = stop_pair().unwrap();
    let server = std::thread::Builder::new()
        .name("idle-server".to_owned())
        .spawn(move || serve(listener.listener(), &Nobody, &signal))
        .unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let before = voluntary_switches("idle-server");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(voluntary_switches("idle-server"), before, "no wake-up in three seconds");
    stop.stop();
    server.join().unwrap().unwrap();
}
