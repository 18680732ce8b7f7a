//! A report on any input of 1 MB takes at most 2 s and 200 MB. A process of its own: it measures its largest memory.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

// The inputs that xray-core tests its reader with.
#[path = "../../xray-core/tests/hostile/mod.rs"]
mod hostile;

use xray_report::build::{TreeSource, report, trace, tree};
use xray_report::{json, load_bytes};

#[test]
fn a_report_on_a_megabyte_of_anything_takes_little_time_and_memory() {
    hostile::check(|bytes| {
        let data = match load_bytes(&[("x.xr".to_owned(), bytes)]) {
            Ok(data) => data,
            Err(error) => return error.to_string(),
        };
        let report = report(&data);
        let mut length = json::to_line(&report).len();
        for source in [TreeSource::Samples, TreeSource::Calls] {
            length += json::to_line(&tree(&data, source)).len();
        }
        for summary in &report.traces {
            length += json::to_line(&trace(&data, &summary.id).unwrap()).len();
        }
        format!("{length} bytes of JSON, {}", report.verdict.text)
    });
}
