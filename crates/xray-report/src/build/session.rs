//! The session and its processes.

use super::words;
use crate::model::{Limits, Process, Sampler, Session, Target, Tracer};
use xray_core::model::{ProcessInfo, ProcessKey, SessionData};

pub(super) fn session(data: &SessionData) -> Session {
    let header = &data.header;
    Session {
        id: header.id.0.clone(),
        app: header.app.clone(),
        target: Target {
            given: header.target.given.clone(),
            canonical: header.target.canonical.clone(),
            kind: words::target_kind(header.target.kind),
        },
        limits: Limits {
            duration_ns: header.limits.duration_ns,
            traces: header.limits.traces,
            stop_after: header.limits.stop_after,
            min_ns: header.limits.min_ns,
            share: header.limits.share,
            max_overhead: header.limits.max_overhead,
            hz: header.limits.hz,
        },
        // A file is read after the fact: whatever still runs is not in it.
        state: "finished",
        started_at: words::instant(header.started_unix_ns),
        ended_at: words::instant(data.ended_unix_ns),
        duration_ns: data.ended_unix_ns.saturating_sub(header.started_unix_ns),
        stopped_by: words::stopped_by(data.stopped_by),
        processes: data.processes.iter().map(process).collect(),
    }
}

fn process(process: &ProcessInfo) -> Process {
    let capabilities = &process.capabilities;
    Process {
        host: process.host.clone(),
        pid: process.pid,
        python: process.python.clone(),
        framework: process.framework.clone(),
        joined_at: words::instant(process.joined_unix_ns),
        left_at: words::instant(process.left_unix_ns),
        end: words::process_end(process.end),
        tracer: Tracer {
            mechanism: capabilities.tracer.name.clone(),
            reason: capabilities.tracer.reason.clone(),
            clock: capabilities.clock.clone(),
        },
        sampler: Sampler { mechanism: capabilities.sampler.name.clone(), reason: capabilities.sampler.reason.clone() },
    }
}

/// `web-1:4711`; the key when the process is not in the file.
pub(super) fn process_name(data: &SessionData, key: ProcessKey) -> String {
    match data.processes.iter().find(|process| process.key == key) {
        Some(process) => format!("{}:{}", process.host, process.pid),
        None => format!("{:016x}", key.0),
    }
}
