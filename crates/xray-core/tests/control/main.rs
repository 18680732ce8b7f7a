//! The control channel over real sockets, in temporary directories.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod coordinator;
mod directory;
mod fake_agent;
mod server;
mod session_directory;

use std::path::Path;
use std::time::{Duration, Instant};
use xray_core::control::directory::AppDirectory;
use xray_core::control::protocol::{SessionFile, SessionSpec};
use xray_core::control::unix_now_ns;
use xray_core::model::{Limits, SessionHeader, SessionId, Target, TargetKind};

const APP: &str = "blog.wsgi";

fn app(base: &Path) -> AppDirectory {
    AppDirectory::open_or_create(base, APP).unwrap()
}

fn limits(duration: Duration) -> Limits {
    Limits {
        duration_ns: duration.as_nanos() as u64,
        traces: 100,
        stop_after: None,
        min_ns: 0,
        share: 0.75,
        max_overhead: 0.05,
        hz: 100,
    }
}

fn session_file(id: &str, started_unix_ns: u64, duration: Duration) -> SessionFile {
    let target = Target { given: "/".to_owned(), canonical: "/".to_owned(), kind: TargetKind::Route };
    let header = SessionHeader {
        id: SessionId(id.to_owned()),
        app: APP.to_owned(),
        target,
        limits: limits(duration),
        seed: 1,
        started_unix_ns,
    };
    let ends_unix_ns = started_unix_ns + header.limits.duration_ns;
    SessionFile {
        spec: SessionSpec { header, directory: "/".to_owned() },
        ends_unix_ns,
        only_pid: None,
        stopped_by: None,
    }
}

fn running(id: &str) -> SessionFile {
    session_file(id, unix_now_ns(), Duration::from_secs(60))
}

#[track_caller]
fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < give_up, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
