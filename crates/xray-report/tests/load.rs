//! From files to one session, and what is said when that does not work.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use xray_core::format::{read, write};
use xray_core::model::SessionId;
use xray_report::{LoadError, load, load_bytes};

const GOLDEN: &[u8] = include_bytes!("../../xray-core/tests/golden/v1.xr");

fn named(name: &str, bytes: impl Into<Vec<u8>>) -> (String, Vec<u8>) {
    (name.to_owned(), bytes.into())
}

#[test]
fn one_file_and_its_part_count_together() {
    let twice = load_bytes(&[named("a.xr", GOLDEN), named("b.xr", GOLDEN)]).unwrap();
    let once = read(GOLDEN).unwrap().data;
    assert_eq!(twice.requests.traced, 2 * once.requests.traced);
    assert_eq!((twice.processes.len(), twice.traces.len()), (once.processes.len(), once.traces.len()));
}

#[test]
fn an_unreadable_part_among_others_is_a_note() {
    let session = load_bytes(&[named("a.xr", GOLDEN), named("empty.part", [])]).unwrap();
    assert!(session.recovered);
    let note = session.notes.iter().find(|note| note.code.0 == "part_unreadable").unwrap();
    assert_eq!(note.message, "empty.part is left out: the file is empty.");
}

#[test]
fn each_error_is_one_sentence_that_names_the_file() {
    let mut other = read(GOLDEN).unwrap().data;
    other.header.id = SessionId("another00000".to_owned());
    let other = write(&other).unwrap();
    let errors: Vec<(LoadError, &str)> = vec![
        (load::<&str>(&[]).unwrap_err(), "no file given: name a session file or the parts of a session"),
        (
            load(&["/nonexistent/x.xr"]).unwrap_err(),
            "cannot read /nonexistent/x.xr: No such file or directory (os error 2)",
        ),
        (
            load_bytes(&[named("x.txt", *b"hello world")]).unwrap_err(),
            "cannot read x.txt: not an xray session file: no magic bytes at offset 0 and no readable chunk after it",
        ),
        (
            load_bytes(&[named("a.xr", GOLDEN), named("b.xr", other)]).unwrap_err(),
            "b.xr is of another session than the files before it: session k3j9x0a1b2c3 and session another00000 are \
             different ones: merge only files of the same session",
        ),
    ];
    for (error, expected) in errors {
        assert_eq!(error.to_string(), expected);
    }
}
