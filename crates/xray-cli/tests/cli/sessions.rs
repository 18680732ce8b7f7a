//! Sessions from start to file, however they end.

use crate::fake_agent::{Behaviour, FakeAgent};
use crate::{APP, Place, Ran, TARGET, eventually, session, signal};
use rustix::process::Signal;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};
use xray_core::format::read;
use xray_core::model::{ProcessEnd, StoppedBy};

fn busy(key: u64) -> Behaviour {
    Behaviour { key, matched: 10 * key, ..Behaviour::default() }
}

fn start<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["session", "start", "-t", TARGET][..], more].concat()
}

#[test]
fn a_session_ends_by_its_time_and_merges_all_processes() {
    let place = Place::new();
    let agents = [1, 2].map(|key| FakeAgent::start(&place, busy(key)));
    let ran = place.run(&start(&["--seconds", "0.5", "-o", "a.xr", "--seed", "9", "--hz", "50"])).with(0);
    assert!(ran.stdout.is_empty(), "{ran:?}");
    let summary: Vec<_> = ran.stderr.lines().rev().take(2).collect();
    assert!(summary[1].contains("30 matched") && summary[1].contains("2 processes"), "{ran:?}");
    assert_eq!(summary[0], "wrote a.xr: xray report a.xr");

    let read = place.read("a.xr");
    assert!(read.complete && !read.data.recovered);
    assert_eq!((read.data.requests.traced, read.data.requests.other), (30, 10));
    assert_eq!((read.data.processes.len(), read.data.stopped_by), (2, StoppedBy::Time));
    let header = &read.data.header;
    assert_eq!(
        (header.app.as_str(), header.target.given.as_str(), header.seed, header.limits.hz),
        (APP, TARGET, 9, 50)
    );
    assert_eq!(place.work().join("a.xr").metadata().unwrap().mode() & 0o777, 0o600);
    assert_eq!(place.entries(), ["a.xr"]);
    assert!(agents.iter().all(|agent| agent.session().is_none() && agent.arms() == 1));
    // The application is free for the next one, which gets a name of its own.
    place.run(&start(&["--seconds", "0.2"])).with(0);
    assert!(place.entries().iter().any(|name| name.starts_with("tags-tag-2") && name.ends_with("Z.xr")));
}

#[test]
fn a_file_is_never_overwritten_unasked_and_nothing_starts_then() {
    let place = Place::new();
    let agent = FakeAgent::start(&place, busy(1));
    std::fs::write(place.work().join("a.xr"), "mine").unwrap();
    place.run(&start(&["--seconds", "0.2", "-o", "a.xr"])).with(2).in_one_line(&["a.xr exists", "--force"]);
    place.run(&start(&["--seconds", "0.2", "-o", "no/a.xr"])).with(2).in_one_line(&["cannot write no/a.xr"]);
    assert_eq!(agent.arms(), 0);
    assert_eq!(std::fs::read(place.work().join("a.xr")).unwrap(), b"mine");
    place.run(&start(&["--seconds", "0.2", "-o", "a.xr", "--force"])).with(0);
    assert!(place.read("a.xr").complete);
}

#[test]
fn standard_output_takes_the_file_and_nothing_else() {
    let place = Place::new();
    let _agent = FakeAgent::start(&place, busy(1));
    let ran = place.run(&start(&["--seconds", "0.2", "-o", "-"])).with(0);
    assert_eq!(read(&ran.stdout).unwrap().data.requests.traced, 10);
    assert!(place.entries().is_empty());
}

#[test]
fn json_tells_what_is_in_the_file() {
    let place = Place::new();
    let _agent = FakeAgent::start(&place, busy(1));
    let json = place.run(&start(&["--seconds", "0.2", "-o", "a.xr", "--json"])).with(0).json();
    assert_eq!(json["schema"], "xray.session/1");
    assert_eq!((&json["file"], &json["matched"]), (&"a.xr".into(), &10.into()));
    assert_eq!((&json["stopped_by"], &json["transaction"]), (&"time".into(), &TARGET.into()));
}

#[test]
fn when_nothing_matches_the_answer_is_no_and_the_file_is_there() {
    let place = Place::new();
    let _agent = FakeAgent::start(&place, Behaviour::default());
    let ran = place.run(&start(&["--seconds", "0.2", "-o", "a.xr"])).with(1);
    assert!(ran.stderr.contains("nothing matched"), "{ran:?}");
    assert_eq!(place.read("a.xr").data.requests.other, 5);
}

#[test]
fn refusals_are_one_line_and_code_3() {
    let place = Place::new();
    let agent = FakeAgent::start(&place, busy(1));
    let unknown = place.run(&["session", "start", "-t", "/tag/"]).with(3);
    unknown.in_one_line(&["\"/tag/\"", "nearest: /tags/<tag>/ (1.5/min)", "--unseen"]);
    place.run(&["session", "start", "-t", "/tag/", "--unseen", "--seconds", "0.2", "-o", "a.xr"]).with(0);

    let id = place.run(&start(&["--detach"])).with(0).text();
    let second = place.run(&start(&["-o", "b.xr"])).with(3);
    second.in_one_line(&["already in session", id.trim(), TARGET, "xray session stop"]);
    drop(agent);

    let place = Place::new();
    let refuse = Some("coverage holds every tool id".to_owned());
    let _agent = FakeAgent::start(&place, Behaviour { refuse, ..Behaviour::default() });
    place.run(&start(&["-o", "c.xr"])).with(3).in_one_line(&["refused", "coverage holds every tool id"]);
    assert!(place.entries().is_empty());
}

#[test]
fn ctrl_c_ends_a_session_with_everything_kept() {
    let place = Place::new();
    let agent = FakeAgent::start(&place, busy(3));
    for interrupt in [Signal::INT, Signal::TERM] {
        let child = place.spawn(&start(&["--minutes", "5", "-o", "a.xr", "--force"]));
        eventually("recording", || agent.session().is_some());
        signal(&child, interrupt);
        let ran = Ran::from(child.wait_with_output().unwrap()).with(0);
        assert!(ran.stderr.contains("30 matched"), "{ran:?}");
        let read = place.read("a.xr");
        assert!(read.complete);
        assert_eq!((read.data.requests.traced, read.data.stopped_by), (30, StoppedBy::User));
    }
}

#[test]
fn a_second_ctrl_c_does_not_wait_for_open_requests() {
    let place = Place::new();
    let agent = FakeAgent::start(&place, Behaviour { drains_for_ever: true, ..busy(1) });
    let child = place.spawn(&start(&["--minutes", "5", "-o", "a.xr"]));
    eventually("recording", || agent.session().is_some());
    signal(&child, Signal::INT);
    std::thread::sleep(Duration::from_millis(1_000));
    let second = Instant::now();
    signal(&child, Signal::INT);
    Ran::from(child.wait_with_output().unwrap()).with(0);
    assert!(second.elapsed() < Duration::from_secs(3), "{:?}", second.elapsed());
    let read = place.read("a.xr");
    assert!(!read.complete || read.data.recovered);
    assert_eq!(read.data.requests.traced, 10);
}

#[test]
fn enough_traces_in_one_process_end_it_everywhere() {
    let place = Place::new();
    let agents = [FakeAgent::start(&place, busy(1)), FakeAgent::start(&place, Behaviour { enough: true, ..busy(2) })];
    place.run(&start(&["--minutes", "5", "--stop-after", "20", "-o", "a.xr"])).with(0);
    assert_eq!(place.read("a.xr").data.requests.traced, 30);
    assert!(agents.iter().all(|agent| agent.session().is_none()));
}

#[test]
fn a_detached_session_is_watched_stopped_and_fetched() {
    let place = Place::new();
    let agent = FakeAgent::start(&place, busy(1));
    let id = place.run(&start(&["--detach", "--minutes", "5"])).with(0).text().trim().to_owned();
    assert_eq!(agent.session().unwrap().0, id);

    let list = place.run(&["session", "list", "--json"]).with(0).json();
    assert_eq!((&list["sessions"][0]["id"], &list["sessions"][0]["state"]), (&id.as_str().into(), &"recording".into()));
    let status = place.run(&["session", "status", "--json"]).with(0).json();
    assert_eq!(
        (&status["id"], &status["state"], &status["matched"]),
        (&id.as_str().into(), &"recording".into(), &10.into())
    );
    assert_eq!(status["capabilities"][0]["tracer"], serde_json::json!(["monitoring", "Python 3.12"]));
    let text = place.run(&["session", "status", &id]).with(0).text();
    assert!(text.contains("10 matched") && text.contains("monitoring (Python 3.12)"), "{text}");

    assert!(place.run(&["session", "stop"]).with(0).stderr.contains(&id));
    assert!(place.run(&["session", "stop", &id]).with(0).stderr.contains("ended already"));
    assert!(place.entries().is_empty(), "nothing is written unasked");
    place.run(&["session", "fetch", &id, "-o", "a.xr"]).with(0);
    assert_eq!(place.read("a.xr").data.stopped_by, StoppedBy::User);
    // As often as one likes.
    place.run(&["session", "fetch", &id, "-o", "a.xr"]).with(2).in_one_line(&["exists"]);
    let again = place.run(&["session", "fetch", &id, "-o", "-"]).with(0);
    assert_eq!(again.stdout, std::fs::read(place.work().join("a.xr")).unwrap(), "the same bytes");
    let list = place.run(&["session", "list"]).with(0).text();
    assert!(list.contains(&id) && list.contains("finished"), "{list}");
}

#[test]
fn fetching_a_running_session_waits_and_ctrl_c_ends_only_the_waiting() {
    let place = Place::new();
    let agent = FakeAgent::start(&place, busy(1));
    let id = place.run(&start(&["--detach", "--minutes", "5"])).with(0).text().trim().to_owned();
    let mut child = place.spawn(&["session", "fetch", &id, "-o", "a.xr"]);
    std::thread::sleep(Duration::from_millis(700));
    assert!(child.try_wait().unwrap().is_none());
    signal(&child, Signal::INT);
    let ran = Ran::from(child.wait_with_output().unwrap()).with(1);
    assert!(ran.stderr.contains("the session goes on"), "{ran:?}");
    assert!(agent.session().is_some() && place.entries().is_empty());
}

#[test]
fn a_session_outlives_its_command_and_its_processes() {
    let place = Place::new();
    let agents = [1, 2].map(|key| FakeAgent::start(&place, busy(key)));
    let mut child = place.spawn(&start(&["--seconds", "3", "-o", "a.xr"]));
    eventually("recording", || agents.iter().all(|agent| agent.session().is_some()));
    let id = agents[0].session().unwrap().0;
    signal(&child, Signal::KILL);
    child.wait().unwrap();
    assert!(agents[0].session().is_some());
    let [killed, finishing] = agents;
    drop(killed);

    place.run(&["session", "fetch", &id, "-o", "b.xr"]).with(0);
    let read = place.read("b.xr");
    assert_eq!(read.data.requests.traced, 30, "also what the dead process had written");
    let ends: Vec<_> = read.data.processes.iter().map(|process| process.end).collect();
    assert_eq!(ends, [ProcessEnd::Lost, ProcessEnd::Finished]);
    assert!(finishing.session().is_none());
    place.run(&start(&["--seconds", "0.2", "-o", "c.xr"])).with(0);
    assert!(session(&place.work().join("c.xr")).complete);
}
