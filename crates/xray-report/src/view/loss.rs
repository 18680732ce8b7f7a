//! What a session lost, in sentences.

use super::numbers::{count, counted};
use crate::model::LossEntry;

/// One loss, drawn.
pub(crate) struct LossLine {
    /// What is missing and what that means for the numbers.
    pub(crate) text: String,
    /// True when a number of the report is wrong or missing because of it; false when only detail was cut.
    pub(crate) misleads: bool,
}

/// The losses that happened, in the model's order.
pub(crate) fn losses(entries: &[LossEntry]) -> Vec<LossLine> {
    entries.iter().filter(|entry| entry.count > 0).map(sentence).collect()
}

fn sentence(entry: &LossEntry) -> LossLine {
    let n = entry.count;
    let bound = if entry.capacity > 0 { format!(" (the bound is {})", count(entry.capacity)) } else { String::new() };
    let (misleads, text) = match entry.kind {
        "trace_channel" => {
            let traces = counted(n, "finished trace was", "finished traces were");
            (true, format!("{traces} dropped, the collector was behind{bound}; their requests are counted"))
        }
        "record_channel" => {
            let requests = counted(n, "request is", "requests are");
            (true, format!("{requests} counted but missing in latency and over time, the collector was behind{bound}"))
        }
        "sample_channel" => {
            let batches = counted(n, "batch", "batches");
            (true, format!("{batches} of samples dropped, the collector was behind{bound}"))
        }
        "recorders" => {
            let requests = counted(n, "matching request was", "matching requests were");
            (false, format!("{requests} timed and not traced, so many were being traced at once{bound}"))
        }
        "file_bytes" => (true, format!("{} of the file could not be read", counted(n, "byte", "bytes"))),
        "file_chunks" => (true, format!("{} of the file could not be read", counted(n, "chunk", "chunks"))),
        "write_errors" => {
            let writes = counted(n, "write", "writes");
            (true, format!("{writes} of the session's file failed; is the disk full?"))
        }
        "paths_folded" => {
            let calls = counted(n, "call is", "calls are");
            let bound = bound.replace(')', " bytes)");
            (false, format!("{calls} counted by function and not by path, a trace had no memory left{bound}"))
        }
        "sample_tree_full" => {
            let samples = counted(n, "sample is", "samples are");
            (false, format!("{samples} under \"other\", the sample tree was full{bound}"))
        }
        "call_tree_full" => {
            let nodes = counted(n, "path of calls is", "paths of calls are");
            (false, format!("{nodes} under \"other\", the call tree was full{bound}"))
        }
        "unmatched_returns" => {
            let returns = counted(n, "return", "returns");
            (false, format!("{returns} without a call (calls that began before the trace did)"))
        }
        "arguments" => {
            let calls = counted(n, "call of a marked function has", "calls of marked functions have");
            let bound = bound.replace(')', " bytes)");
            (false, format!("{calls} no arguments, there were too many in one trace{bound}"))
        }
        "symbols_full" => {
            let functions = counted(n, "function has", "functions have");
            (false, format!("{functions} no name, too many were seen{bound}"))
        }
        other => (true, format!("{}: {} lost{bound}", other.replace('_', " "), count(n))),
    };
    LossLine { text, misleads }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_missing_and_whether_it_misleads() {
        let entry = |kind, count, capacity| LossEntry { kind, count, capacity };
        let lines = losses(&[
            entry("trace_channel", 1, 64),
            entry("paths_folded", 1_200, 1_048_576),
            entry("file_bytes", 0, 0),
            entry("from_the_future", 3, 0),
        ]);
        assert_eq!(lines.len(), 3);
        assert!(lines[0].misleads && lines[0].text.starts_with("1 finished trace was dropped"));
        assert!(
            !lines[1].misleads && lines[1].text.contains("1,200 calls") && lines[1].text.contains("1,048,576 bytes")
        );
        assert!(lines[2].misleads && lines[2].text == "from the future: 3 lost");
    }
}
