//! `xray report` and `xray dump` on what people give them.

use crate::fake_agent::{Behaviour, FakeAgent};
use crate::{Place, TARGET};
use std::process::Stdio;

/// A place with `a.xr`, a session of 10 requests.
fn with_session() -> Place {
    let place = Place::new();
    let _agent = FakeAgent::start(&place, Behaviour { key: 1, matched: 10, ..Behaviour::default() });
    place.run(&["session", "start", "-t", TARGET, "--seconds", "0.2", "-o", "a.xr"]).with(0);
    place
}

#[test]
fn unreadable_input_is_one_line_and_code_2() {
    let place = Place::new();
    std::fs::write(place.work().join("empty"), "").unwrap();
    std::fs::write(place.work().join("foreign"), "#!/bin/sh\necho no\n").unwrap();
    for command in ["report", "dump"] {
        for file in ["missing", "empty", "foreign", "."] {
            place.run(&[command, file]).with(2).stderr.lines().for_each(|line| {
                assert!(line.starts_with("xray: ") && line.contains(file), "{command} {file}: {line}");
            });
        }
    }
    place.run(&["report", "foreign"]).with(2).in_one_line(&["foreign"]);
}

#[test]
fn chunks_are_dumped() {
    let place = with_session();
    let text = place.run(&["dump", "a.xr"]).with(0).text();
    assert!(text.lines().count() > 3 && text.contains("session"), "{text}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = with_session();
    for arguments in [&["dump", "a.xr"][..], &["report", "a.xr"], &["report", "a.xr", "--format", "json"]] {
        let mut child = place.command(arguments).stdin(Stdio::null()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{arguments:?}");
    }
}

#[test]
fn a_damaged_file_is_reported_as_far_as_it_goes() {
    let place = with_session();
    let mut bytes = std::fs::read(place.work().join("a.xr")).unwrap();
    bytes.truncate(bytes.len() - 5);
    std::fs::write(place.work().join("cut.xr"), &bytes).unwrap();
    assert_eq!(place.run(&["report", "cut.xr", "--format", "json"]).with(0).json()["recovered"], true);
}

#[test]
fn a_report_is_text_json_or_a_page() {
    let place = with_session();
    let text = place.run(&["report", "a.xr", "--width", "80"]).with(0).text();
    assert!(text.contains(TARGET) && !text.contains('\x1b'), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(place.run(&["report", "a.xr", "--color", "always"]).with(0).text().contains('\x1b'));
    let json = place.run(&["report", "a.xr", "--format", "json"]).with(0).json();
    assert_eq!((&json["schema"], &json["requests"]["matched"]), (&"xray.report/1".into(), &10.into()));
    let tree = place.run(&["report", "a.xr", "--tree", "samples", "--format", "json"]).with(0).json();
    assert_eq!(tree["schema"], "xray.tree/1");
    place.run(&["report", "a.xr", "--tree", "calls"]).with(0);
    place.run(&["report", "a.xr", "--trace", "0123"]).with(2).in_one_line(&["0123 is no trace"]);

    place.run(&["report", "a.xr", "--html", "a.html"]).with(0);
    assert!(std::fs::read_to_string(place.work().join("a.html")).unwrap().contains("<html"));
    place.run(&["report", "a.xr", "--html", "a.html"]).with(2).in_one_line(&["a.html exists", "--force"]);
    place.run(&["report", "a.xr", "--html", "a.html", "--force"]).with(0);
}

#[test]
fn files_of_different_sessions_are_not_mixed() {
    let place = with_session();
    let _agent = FakeAgent::start(&place, Behaviour { key: 1, matched: 10, ..Behaviour::default() });
    place.run(&["session", "start", "-t", TARGET, "--seconds", "0.2", "-o", "b.xr"]).with(0);
    place.run(&["report", "a.xr", "b.xr"]).with(2).in_one_line(&["another session", "b.xr"]);
}
