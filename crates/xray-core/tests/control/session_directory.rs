//! One session at a time for each application; its files.

use crate::{app, running, session_file};
use std::sync::Barrier;
use std::time::Duration;
use xray_core::control::directory::AppDirectory;
use xray_core::control::private_dir::DirectoryError;
use xray_core::control::session_directory::BeginError;
use xray_core::control::unix_now_ns;
use xray_core::limits::KEPT_SESSIONS;
use xray_core::model::{SessionId, StoppedBy};
use xray_core::session::TraceTally;

fn id(text: &str) -> SessionId {
    SessionId(text.to_owned())
}

#[test]
fn of_many_who_begin_at_once_one_does() {
    let base = tempfile::tempdir().unwrap();
    let barrier = Barrier::new(8);
    let started: Vec<bool> = std::thread::scope(|scope| {
        let begin = |n: usize| {
            let (base, barrier) = (base.path(), &barrier);
            scope.spawn(move || {
                let app = app(base);
                barrier.wait();
                match app.begin_session(&running(&format!("session{n}"))) {
                    Ok(_) => true,
                    Err(BeginError::Running(_)) => false,
                    Err(error) => panic!("{error}"),
                }
            })
        };
        let threads: Vec<_> = (0..8).map(begin).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(started.iter().filter(|s| **s).count(), 1);
    let winner = started.iter().position(|s| *s).unwrap();
    assert_eq!(app(base.path()).current().unwrap().unwrap().spec.header.id.0, format!("session{winner}"));
}

#[test]
fn the_first_reason_to_stop_stays_and_nobody_joins_after_it() {
    let base = tempfile::tempdir().unwrap();
    let app = app(base.path());
    app.begin_session(&running("abc")).unwrap();
    assert!(app.current().unwrap().unwrap().joinable(unix_now_ns()));
    assert_eq!(app.mark_stopped(&id("abc"), StoppedBy::Traces).unwrap(), StoppedBy::Traces);
    assert_eq!(app.mark_stopped(&id("abc"), StoppedBy::User).unwrap(), StoppedBy::Traces);
    let current = app.current().unwrap().unwrap();
    assert_eq!(current.stopped_by, Some(StoppedBy::Traces));
    assert!(!current.joinable(unix_now_ns()));
    assert_eq!(app.session(&id("abc")).unwrap().unwrap().file().unwrap().unwrap(), current);
}

#[test]
fn a_late_stop_of_an_old_session_leaves_the_new_one_alone() {
    let base = tempfile::tempdir().unwrap();
    let app = app(base.path());
    app.begin_session(&running("old")).unwrap();
    app.end_session(&id("old")).unwrap();
    app.begin_session(&running("new")).unwrap();
    app.mark_stopped(&id("old"), StoppedBy::User).unwrap();
    app.end_session(&id("old")).unwrap();
    let current = app.current().unwrap().unwrap();
    assert_eq!((current.spec.header.id.0.as_str(), current.stopped_by), ("new", None));
}

#[test]
fn a_session_long_over_is_replaced() {
    let base = tempfile::tempdir().unwrap();
    let app = app(base.path());
    let hour_ago = unix_now_ns() - 3_600_000_000_000;
    app.begin_session(&session_file("old", hour_ago, Duration::from_secs(60))).unwrap();
    assert!(app.current().unwrap().is_none());
    app.begin_session(&running("new")).unwrap();
    assert_eq!(app.sessions().unwrap().len(), 2);
}

#[test]
fn a_damaged_current_is_an_error_to_readers_and_replaced_by_the_next_session() {
    let base = tempfile::tempdir().unwrap();
    let app = app(base.path());
    std::fs::write(app.path().join("current"), "{ half").unwrap();
    assert!(matches!(app.current(), Err(DirectoryError::Damaged(_))));
    app.begin_session(&running("new")).unwrap();
    assert!(app.current().unwrap().is_some());
}

#[test]
fn only_the_newest_finished_sessions_are_kept() {
    let base = tempfile::tempdir().unwrap();
    let app = app(base.path());
    let first = unix_now_ns() - 1_000_000_000_000;
    for n in 0..KEPT_SESSIONS as u64 + 5 {
        let name = format!("s{n}");
        let session = app.begin_session(&session_file(&name, first + n, Duration::from_secs(1))).unwrap();
        std::fs::write(session.new_part_path(), "part").unwrap();
    }
    let kept: Vec<_> = app.sessions().unwrap().into_iter().map(|f| f.spec.header.id.0).collect();
    assert_eq!(kept.len(), KEPT_SESSIONS + 1, "and the one that began last");
    assert_eq!(kept.first().unwrap(), "s4");
}

#[test]
fn parts_never_share_a_name_and_are_listed() {
    let base = tempfile::tempdir().unwrap();
    let session = app(base.path()).begin_session(&running("abc")).unwrap();
    let mut written = Vec::new();
    for _ in 0..3 {
        let path = session.new_part_path();
        std::fs::File::create_new(&path).unwrap();
        written.push(path);
    }
    written.sort();
    assert_eq!(session.parts().unwrap(), written);
}

#[test]
fn an_identity_is_never_a_path() {
    let base = tempfile::tempdir().unwrap();
    let app = app(base.path());
    for hostile in ["..", "", "../..", "a/b", "."] {
        assert!(app.session(&id(hostile)).unwrap().is_none(), "{hostile:?}");
    }
}

#[test]
fn the_tally_counts_over_many_writers() {
    let base = tempfile::tempdir().unwrap();
    let app = app(base.path());
    app.begin_session(&running("abc")).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let app = AppDirectory::open_or_create(base.path(), app.name()).unwrap();
                let mut tally = app.session(&id("abc")).unwrap().unwrap().tally().unwrap();
                let counts: Vec<u64> = (0..100).map(|_| tally.add()).collect();
                assert!(counts.is_sorted_by(|a, b| a < b));
            });
        }
    });
    assert_eq!(app.session(&id("abc")).unwrap().unwrap().tally().unwrap().total(), 400);
}
