//! What the sampler saw of one trace.

use super::States;
use serde::Serialize;

/// The samples of one trace: by line, and one by one.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct TraceSamples {
    pub count: u64,
    pub ns: u64,
    pub cpu_ns: u64,
    pub dropped: u64,
    pub lines: Vec<SampledLine>,
    pub frames: Vec<SampledFrame>,
    pub stacks: Vec<SampledStack>,
}

/// One line of one function, in all stacks together.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct SampledLine {
    pub name: String,
    pub file: Option<String>,
    pub line: Option<u32>,
    pub count: u64,
    pub self_count: u64,
    pub ns: u64,
    pub self_ns: u64,
    pub self_cpu_ns: u64,
    pub self_states_ns: States,
}

/// One frame of the stacks; `parent` is -1 for the outermost.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct SampledFrame {
    pub parent: i64,
    pub name: String,
    pub file: Option<String>,
    pub line: Option<u32>,
}

/// One stack, at one tick of the sampler or at several in a row; `frame` is -1 for a stack that is not known.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of docs/report.schema.json, described there")]
pub struct SampledStack {
    pub at_ns: u64,
    pub frame: i64,
    pub state: &'static str,
    pub count: u64,
    pub ns: u64,
    pub cpu_ns: u64,
}
