//! Samples.

use super::code::Code;
use super::{Chunk, Kind, parent_from_wire, parent_to_wire};
use crate::format::error::ChunkError;
use crate::model::{SampleStats, SampleTreeNode, SymbolId, ThreadKind, ThreadState};
use serde::{Deserialize, Serialize};

/// Nodes that were added to a sample tree: a tree of its own if `first` is 0, else the continuation of the one before.
#[derive(Serialize, Deserialize)]
pub(in crate::format) struct SampleTree {
    pub(in crate::format) first: u32,
    nodes: Vec<Node>,
}

impl Chunk for SampleTree {
    const KIND: Kind = Kind::SampleTree;
}

/// See [`SampleTreeNode`]. `parent` counts from the tree's first chunk.
#[derive(Serialize, Deserialize)]
struct Node {
    parent: u32,
    symbol: u32,
    line: u32,
    kind: u8,
    count: u64,
    self_count: u64,
    weight_ns: u64,
    self_ns: u64,
    self_cpu_ns: u64,
    self_states: [u64; ThreadState::COUNT],
}

impl SampleTree {
    pub(in crate::format) fn new(first: u32, nodes: &[SampleTreeNode]) -> Self {
        let node = |node: &SampleTreeNode| Node {
            parent: parent_to_wire(node.parent),
            symbol: node.symbol.0,
            line: node.line,
            kind: node.kind.code(),
            count: node.count,
            self_count: node.self_count,
            weight_ns: node.weight_ns,
            self_ns: node.self_ns,
            self_cpu_ns: node.self_cpu_ns,
            self_states: node.self_states,
        };
        Self { first, nodes: nodes.iter().map(node).collect() }
    }

    pub(in crate::format) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The nodes; parents count from the tree's first chunk.
    pub(in crate::format) fn into_model(
        self,
        symbol: impl Fn(u32) -> Result<SymbolId, ChunkError>,
    ) -> Result<Vec<SampleTreeNode>, ChunkError> {
        let mut nodes = Vec::with_capacity(self.nodes.len());
        for (at, node) in self.nodes.into_iter().enumerate() {
            nodes.push(SampleTreeNode {
                parent: parent_from_wire(node.parent, self.first as usize + at)?,
                symbol: symbol(node.symbol)?,
                line: node.line,
                kind: Code::from_code(node.kind)?,
                count: node.count,
                self_count: node.self_count,
                weight_ns: node.weight_ns,
                self_ns: node.self_ns,
                self_cpu_ns: node.self_cpu_ns,
                self_states: node.self_states,
            });
        }
        Ok(nodes)
    }
}

/// How many samples were added in seconds of the session, by [`ThreadKind`].
#[derive(Serialize, Deserialize)]
pub(in crate::format) struct SampleSeconds {
    pub(in crate::format) seconds: Vec<(u32, [u64; ThreadKind::COUNT])>,
}

impl Chunk for SampleSeconds {
    const KIND: Kind = Kind::SampleSeconds;
}

/// See [`SampleStats`].
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Stats {
    count: u64,
    on_target: u64,
    torn: u64,
    own: u64,
    ticks: u64,
    missed: u64,
    threads: u64,
    rate_hz: u32,
    active_ns: u64,
    sampler_cpu_ns: u64,
}

impl From<SampleStats> for Stats {
    fn from(stats: SampleStats) -> Self {
        let SampleStats { count, on_target, torn, own, ticks, missed, threads, rate_hz, active_ns, sampler_cpu_ns } =
            stats;
        Self { count, on_target, torn, own, ticks, missed, threads, rate_hz, active_ns, sampler_cpu_ns }
    }
}

impl From<Stats> for SampleStats {
    fn from(stats: Stats) -> Self {
        let Stats { count, on_target, torn, own, ticks, missed, threads, rate_hz, active_ns, sampler_cpu_ns } = stats;
        Self { count, on_target, torn, own, ticks, missed, threads, rate_hz, active_ns, sampler_cpu_ns }
    }
}
