//! One trace.

use super::{Chunk, Kind, parent_from_wire, parent_to_wire};
use crate::format::error::ChunkError;
use crate::model::{self, ProcessKey, SymbolId, TimelineEntry, TraceId, TraceNode};
use serde::{Deserialize, Serialize};

/// See [`model::Trace`]. Symbols are numbers of the chunk's scope. Written for traces that are too long to be packed.
#[derive(Serialize, Deserialize)]
pub(in crate::format) struct Trace {
    id: u64,
    process: u64,
    thread: String,
    started_unix_ns: u64,
    duration_ns: u64,
    cpu_ns: u64,
    status: Option<u16>,
    error: Option<String>,
    calls: u64,
    complete: bool,
    paths_folded: u64,
    timeline_threshold_ns: u64,
    attributes: Vec<(String, String)>,
    pub(super) nodes: Vec<Node>,
    pub(super) timeline: Vec<Entry>,
}

impl Chunk for Trace {
    const KIND: Kind = Kind::Trace;
}

/// See [`TraceNode`].
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Node {
    pub(super) parent: u32,
    pub(super) symbol: u32,
    pub(super) calls: u64,
    pub(super) resumes: u64,
    pub(super) errors: u64,
    pub(super) total_ns: u64,
    pub(super) self_ns: u64,
    pub(super) min_ns: u64,
    pub(super) max_ns: u64,
    pub(super) recursion_depth: u32,
    pub(super) rows: u64,
}

/// See [`TimelineEntry`].
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) node: u32,
    pub(super) start_ns: u64,
    pub(super) duration_ns: u64,
    pub(super) folded: u64,
}

impl From<&model::Trace> for Trace {
    fn from(trace: &model::Trace) -> Self {
        let node = |node: &TraceNode| Node {
            parent: parent_to_wire(node.parent),
            symbol: node.symbol.0,
            calls: node.calls,
            resumes: node.resumes,
            errors: node.errors,
            total_ns: node.total_ns,
            self_ns: node.self_ns,
            min_ns: node.min_ns,
            max_ns: node.max_ns,
            recursion_depth: node.recursion_depth,
            rows: node.rows,
        };
        let entry = |entry: &TimelineEntry| Entry {
            node: entry.node,
            start_ns: entry.start_ns,
            duration_ns: entry.duration_ns,
            folded: entry.folded,
        };
        Self {
            nodes: trace.nodes.iter().map(node).collect(),
            timeline: trace.timeline.iter().map(entry).collect(),
            ..Self::facts_of(trace)
        }
    }
}

impl Trace {
    /// Everything but nodes and timeline.
    pub(super) fn facts_of(trace: &model::Trace) -> Self {
        Self {
            id: trace.id.0,
            process: trace.process.0,
            thread: trace.thread.clone(),
            started_unix_ns: trace.started_unix_ns,
            duration_ns: trace.duration_ns,
            cpu_ns: trace.cpu_ns,
            status: trace.status,
            error: trace.error.clone(),
            calls: trace.calls,
            complete: trace.complete,
            paths_folded: trace.paths_folded,
            timeline_threshold_ns: trace.timeline_threshold_ns,
            attributes: trace.attributes.clone(),
            nodes: Vec::new(),
            timeline: Vec::new(),
        }
    }

    /// Memory that the model's trace takes, in bytes.
    pub(in crate::format) fn memory(&self) -> u64 {
        let text: usize = self.attributes.iter().map(|(key, value)| key.len() + value.len() + 80).sum();
        let nodes = self.nodes.len() * size_of::<TraceNode>() + self.timeline.len() * size_of::<TimelineEntry>();
        (size_of::<model::Trace>() + text + nodes + self.thread.len()) as u64
    }

    /// The model's trace, in preorder.
    pub(in crate::format) fn into_model(
        self,
        symbol: impl Fn(u32) -> Result<SymbolId, ChunkError>,
    ) -> Result<model::Trace, ChunkError> {
        let mut nodes = Vec::with_capacity(self.nodes.len());
        for (own, node) in self.nodes.into_iter().enumerate() {
            nodes.push(TraceNode {
                parent: parent_from_wire(node.parent, own)?,
                symbol: symbol(node.symbol)?,
                calls: node.calls,
                resumes: node.resumes,
                errors: node.errors,
                total_ns: node.total_ns,
                self_ns: node.self_ns,
                min_ns: node.min_ns,
                max_ns: node.max_ns,
                recursion_depth: node.recursion_depth,
                rows: node.rows,
            });
        }
        let (nodes, moved) = model::preorder(nodes);
        let mut timeline = Vec::with_capacity(self.timeline.len());
        for entry in self.timeline {
            let node = moved.get(entry.node as usize).copied();
            timeline.push(TimelineEntry {
                node: node.ok_or(ChunkError::Invalid("a timeline entry names a node that does not exist"))?,
                start_ns: entry.start_ns,
                duration_ns: entry.duration_ns,
                folded: entry.folded,
                // A chunk of its own brings them.
                arguments: None,
            });
        }
        Ok(model::Trace {
            id: TraceId(self.id),
            process: ProcessKey(self.process),
            thread: self.thread,
            started_unix_ns: self.started_unix_ns,
            duration_ns: self.duration_ns,
            cpu_ns: self.cpu_ns,
            status: self.status,
            error: self.error,
            calls: self.calls,
            complete: self.complete,
            paths_folded: self.paths_folded,
            timeline_threshold_ns: self.timeline_threshold_ns,
            attributes: self.attributes,
            nodes,
            timeline,
            // The same.
            samples: model::TraceSamples::default(),
        })
    }

    /// For a person.
    pub(in crate::format) fn summary(&self) -> String {
        let (nodes, entries) = (self.nodes.len(), self.timeline.len());
        let milliseconds = self.duration_ns as f64 / 1e6;
        format!(
            "{:016x} {milliseconds:.3} ms, {} calls, {nodes} nodes, {entries} timeline entries",
            self.id, self.calls
        )
    }
}
