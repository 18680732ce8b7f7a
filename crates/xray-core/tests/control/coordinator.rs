//! A session over several processes (threads here) that come, go, refuse and die.

use crate::fake_agent::{FakeAgent, KNOWN, State};
use crate::{APP, app, limits, running};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};
use xray_core::control::coordinator::{AppSession, Next, StartError, start};
use xray_core::control::protocol::{AgentState, SessionRequest};
use xray_core::control::survey;
use xray_core::model::StoppedBy;
use xray_core::session::TraceTally;

const TICK: Duration = Duration::from_millis(20);

fn request(name: &str) -> SessionRequest {
    let limits = limits(Duration::from_secs(60));
    SessionRequest { transaction: name.to_owned(), limits, seed: Some(7), unseen: false }
}

fn agent(base: &Path, traced: u64, wall_ns: u64) -> FakeAgent {
    FakeAgent::start(base, APP, State { traced, wall_ns, ..State::default() })
}

fn started(base: &Path) -> AppSession {
    start(app(base), &request(KNOWN)).unwrap()
}

#[test]
fn every_process_is_armed_and_counted_and_stopped() {
    let base = tempfile::tempdir().unwrap();
    let agents = [agent(base.path(), 3, 1_000_000), agent(base.path(), 2, 9_000_000)];
    let began = Instant::now();
    let mut session = started(base.path());
    assert!(began.elapsed() < Duration::from_secs(1));
    let progress = session.poll().unwrap();
    assert_eq!(progress.state, AgentState::Recording);
    assert_eq!((progress.traced, progress.control, progress.other, progress.samples), (5, 2, 10, 14));
    assert_eq!((progress.processes, progress.in_flight), (2, 2));
    assert_eq!(progress.latency.count(), 5);
    assert!(progress.latency.percentile(50.0) < 1_010_000 && progress.latency.percentile(95.0) > 8_900_000);
    assert_eq!(session.file().spec.header.target.canonical, "/tags/{}/");
    assert_eq!(session.file().spec.header.seed, 7);
    let capabilities = session.capabilities();
    assert_eq!(capabilities.len(), 1, "both can do the same");
    assert_eq!(capabilities[0].tracer.0, "monitoring");

    assert_eq!(session.stop(StoppedBy::User).unwrap(), StoppedBy::User);
    let last = session.wait(TICK, &mut |_| Next::Continue).unwrap();
    assert_eq!((last.state, last.stopped_by, last.traced), (AgentState::Finished, Some(StoppedBy::User), 5));
    assert!(agents.iter().all(|a| a.state.lock().unwrap().stops == 1));
    assert!(app(base.path()).current().unwrap().is_none(), "free for the next session");
}

#[test]
fn a_process_that_starts_later_joins_and_one_that_ends_keeps_its_counts() {
    let base = tempfile::tempdir().unwrap();
    let first = agent(base.path(), 3, 1_000_000);
    let mut session = started(base.path());
    session.poll().unwrap();
    let _second = agent(base.path(), 10, 1_000_000);
    session.poll().unwrap();
    let both = session.poll().unwrap();
    assert_eq!((both.traced, both.processes, both.gone), (13, 2, 0));
    drop(first);
    session.poll().unwrap();
    let one = session.poll().unwrap();
    assert_eq!((one.traced, one.processes, one.gone, one.in_flight), (13, 1, 1, 1));
    session.stop(StoppedBy::User).unwrap();
    assert_eq!(session.wait(TICK, &mut |_| Next::Continue).unwrap().traced, 13);
}

#[test]
fn a_name_nobody_knows_shows_the_nearest_with_their_rates() {
    let base = tempfile::tempdir().unwrap();
    let _agents = [agent(base.path(), 0, 1_000), agent(base.path(), 0, 3_000)];
    match start(app(base.path()), &request("/tag/")) {
        Err(StartError::UnknownTransaction { nearest, .. }) => {
            assert_eq!(nearest.len(), 1);
            assert_eq!((nearest[0].count, nearest[0].per_minute, nearest[0].p50_ns), (20, 3.0, 2_000));
        }
        other => panic!("{other:?}"),
    }
    assert!(app(base.path()).current().unwrap().is_none(), "nothing was begun");
    let unseen = SessionRequest { unseen: true, ..request("/tag/") };
    assert!(start(app(base.path()), &unseen).is_ok());
}

#[test]
fn without_a_living_process_there_is_no_session() {
    let base = tempfile::tempdir().unwrap();
    drop(UnixListener::bind(app(base.path()).path().join("4000000.sock")).unwrap());
    assert!(matches!(start(app(base.path()), &request(KNOWN)), Err(StartError::NoAgents(name)) if name == APP));
}

#[test]
fn there_is_one_session_at_a_time() {
    let base = tempfile::tempdir().unwrap();
    let agent = agent(base.path(), 0, 1);
    let first = started(base.path());
    match start(app(base.path()), &request(KNOWN)) {
        Err(StartError::Running(file)) => assert_eq!(&file.spec.header.id, first.directory().id()),
        other => panic!("{other:?}"),
    }
    assert_eq!(agent.state.lock().unwrap().arms, 1);
}

#[test]
fn a_stopped_session_without_living_processes_is_replaced() {
    let base = tempfile::tempdir().unwrap();
    let _agent = agent(base.path(), 0, 1);
    let stale = running("stale");
    app(base.path()).begin_session(&stale).unwrap();
    assert!(matches!(start(app(base.path()), &request(KNOWN)), Err(StartError::Running(_))), "still joinable");
    app(base.path()).mark_stopped(&stale.spec.header.id, StoppedBy::Traces).unwrap();
    assert!(start(app(base.path()), &request(KNOWN)).is_ok());
}

#[test]
fn when_all_refuse_the_reason_is_told_and_nothing_stays_behind() {
    let base = tempfile::tempdir().unwrap();
    let refuse_arm = Some("another tool uses sys.monitoring".to_owned());
    let _agent = FakeAgent::start(base.path(), APP, State { refuse_arm, ..State::default() });
    match start(app(base.path()), &request(KNOWN)) {
        Err(StartError::Refused(reason)) => assert_eq!(reason, "another tool uses sys.monitoring"),
        other => panic!("{other:?}"),
    }
    assert!(app(base.path()).current().unwrap().is_none());
}

#[test]
fn enough_traces_over_all_processes_end_it() {
    let base = tempfile::tempdir().unwrap();
    let _agents = [agent(base.path(), 0, 1), agent(base.path(), 0, 1)];
    let mut wanted = request(KNOWN);
    wanted.limits.stop_after = Some(3);
    let mut session = start(app(base.path()), &wanted).unwrap();
    let mut tally = session.directory().tally().unwrap();
    assert_eq!((tally.add(), tally.add()), (1, 2));
    assert_eq!(session.poll().unwrap().stopped_by, None);
    tally.add();
    let last = session.wait(TICK, &mut |_| Next::Continue).unwrap();
    assert_eq!(last.stopped_by, Some(StoppedBy::Traces));
}

#[test]
fn its_time_ends_it() {
    let base = tempfile::tempdir().unwrap();
    let _agent = agent(base.path(), 0, 1);
    let short = SessionRequest { limits: limits(Duration::from_millis(200)), ..request(KNOWN) };
    let mut session = start(app(base.path()), &short).unwrap();
    let last = session.wait(TICK, &mut |_| Next::Continue).unwrap();
    assert_eq!((last.state, last.stopped_by), (AgentState::Finished, Some(StoppedBy::Time)));
    assert_eq!(last.elapsed_ns, 200_000_000);
}

#[test]
fn another_controller_takes_over() {
    let base = tempfile::tempdir().unwrap();
    let _agent = agent(base.path(), 4, 1);
    let mut first = started(base.path());
    let id = first.directory().id().clone();
    let left = first.wait(TICK, &mut |_| Next::Leave).unwrap();
    assert_ne!(left.state, AgentState::Finished);
    drop(first);

    let mut second = AppSession::attach(app(base.path()), &id).unwrap().unwrap();
    assert_eq!(second.poll().unwrap().traced, 4);
    let last = second.wait(TICK, &mut |_| Next::Stop).unwrap();
    assert_eq!((last.state, last.stopped_by), (AgentState::Finished, Some(StoppedBy::User)));
    let unknown = xray_core::model::SessionId("unknown".to_owned());
    assert!(AppSession::attach(app(base.path()), &unknown).unwrap().is_none());
}

#[test]
fn a_session_whose_application_is_gone_ends() {
    let base = tempfile::tempdir().unwrap();
    let agent = agent(base.path(), 4, 1);
    let mut session = started(base.path());
    session.poll().unwrap();
    drop(agent);
    let last = session.wait(TICK, &mut |_| Next::Continue).unwrap();
    assert_eq!((last.stopped_by, last.traced, last.gone), (Some(StoppedBy::Exit), 4, 1));
}

#[test]
fn a_silent_process_delays_the_others_little() {
    let base = tempfile::tempdir().unwrap();
    let _agent = agent(base.path(), 4, 1);
    let _silent = UnixListener::bind(app(base.path()).path().join("4000000.sock")).unwrap();
    let began = Instant::now();
    let mut session = started(base.path());
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    let progress = session.poll().unwrap();
    assert_eq!((progress.traced, progress.processes, progress.silent), (4, 1, 1));
}

#[test]
fn the_survey_sees_processes_and_merged_transactions() {
    let base = tempfile::tempdir().unwrap();
    assert!(survey::transactions(&app(base.path())).unwrap().is_none());
    let _agents = [agent(base.path(), 0, 1_000), agent(base.path(), 0, 2_000)];
    let seen = survey::transactions(&app(base.path())).unwrap().unwrap();
    assert_eq!((seen.len(), seen[0].count, seen[0].p95_ns), (1, 20, 3_000));
    let processes = survey::processes(&app(base.path())).unwrap();
    assert_eq!(processes.len(), 2);
    assert!(processes.iter().all(|p| p.state == Some(AgentState::Idle) && p.info.is_ok()));
}

#[test]
fn a_session_of_one_process_is_watched_and_joined_by_nobody() {
    let base = tempfile::tempdir().unwrap();
    let owner = agent(base.path(), 4, 1);
    let other = agent(base.path(), 9, 1);
    let mut file = running("alone");
    file.only_pid = Some(std::process::id());
    app(base.path()).begin_session(&file).unwrap();
    owner.state.lock().unwrap().session = Some(file.spec.header.id.clone());

    let mut session = AppSession::attach(app(base.path()), &file.spec.header.id).unwrap().unwrap();
    let progress = session.poll().unwrap();
    assert_eq!((progress.state, progress.traced, progress.processes), (AgentState::Recording, 4, 1));
    assert_eq!((owner.state.lock().unwrap().stops, other.state.lock().unwrap().arms), (0, 0));
    assert!(matches!(start(app(base.path()), &request(KNOWN)), Err(StartError::Running(_))));
    drop(owner);
    assert!(start(app(base.path()), &request(KNOWN)).is_ok(), "its process is gone: nobody can be in it");
}
