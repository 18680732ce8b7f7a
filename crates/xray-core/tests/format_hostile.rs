//! Any input of 1 MB is read within 2 s and 200 MB. A process of its own: it measures its largest memory.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod hostile;

#[test]
fn a_megabyte_of_anything_takes_little_time_and_memory() {
    hostile::check(|bytes| match xray_core::format::read(bytes) {
        Ok(read) => format!("{:?}", read.damage),
        Err(error) => error.to_string(),
    });
}
