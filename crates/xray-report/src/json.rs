//! `--format json`: reports, traces and trees as the schema in `docs/report.schema.json` has them.

use serde::Serialize;

/// One line of JSON and a line end. The same report always gives the same bytes. Floats that are no numbers would be
/// `null`; the report has none.
pub fn to_line<T: Serialize>(report: &T) -> String {
    let mut line = serde_json::to_string(report).expect("reports have string keys and no foreign types");
    line.push('\n');
    line
}
