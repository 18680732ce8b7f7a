//! Totals: what was added to them since the chunk before.

use super::code::Code;
use super::sample::Stats;
use super::{Chunk, Decision, Kind, Note, parent_from_wire, parent_to_wire};
use crate::format::Delta as ModelDelta;
use crate::format::error::ChunkError;
use crate::histogram::LatencyHistogram;
use crate::model::{ArmStats, CallTreeNode, Loss, RequestCounts, SampleTree, SecondStats, SymbolId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// See [`crate::format::Delta`], without the trees: they have chunks of their own.
#[derive(Serialize, Deserialize)]
pub(in crate::format) struct Delta {
    at_unix_ns: u64,
    traced_count: u64,
    control_count: u64,
    discarded: u64,
    incomplete: u64,
    other: u64,
    errors: u64,
    traced: Arm,
    control: Arm,
    stats: Stats,
    process_cpu_ns: u64,
    xray_cpu_ns: u64,
    loss: Vec<LossEntry>,
    pub(in crate::format) seconds: Vec<Second>,
    pub(in crate::format) decisions: Vec<Decision>,
    pub(in crate::format) notes: Vec<Note>,
}

impl Chunk for Delta {
    const KIND: Kind = Kind::Delta;
}

/// See [`ArmStats`]; the histogram as HDR V2 bytes.
#[derive(Default, Serialize, Deserialize)]
struct Arm {
    latency: Vec<u8>,
    wall_sum_ns: u128,
    wall_square_sum: u128,
    cpu_sum_ns: u128,
    cpu_square_sum: u128,
}

/// See [`SecondStats`].
#[derive(Serialize, Deserialize)]
pub(in crate::format) struct Second {
    second: u32,
    matched: u64,
    other: u64,
    latency: Vec<u8>,
}

/// See [`Loss`].
#[derive(Serialize, Deserialize)]
struct LossEntry {
    kind: u8,
    count: u64,
    capacity: u64,
}

fn histogram(bytes: &[u8]) -> Result<LatencyHistogram, ChunkError> {
    LatencyHistogram::from_v2(bytes).map_err(|_| ChunkError::Invalid("a latency histogram is damaged"))
}

impl From<&ArmStats> for Arm {
    fn from(arm: &ArmStats) -> Self {
        Self {
            latency: arm.latency.to_v2(),
            wall_sum_ns: arm.wall_sum_ns,
            wall_square_sum: arm.wall_square_sum,
            cpu_sum_ns: arm.cpu_sum_ns,
            cpu_square_sum: arm.cpu_square_sum,
        }
    }
}

impl Arm {
    fn into_model(self) -> Result<ArmStats, ChunkError> {
        Ok(ArmStats {
            latency: histogram(&self.latency)?,
            wall_sum_ns: self.wall_sum_ns,
            wall_square_sum: self.wall_square_sum,
            cpu_sum_ns: self.cpu_sum_ns,
            cpu_square_sum: self.cpu_square_sum,
        })
    }
}

impl Second {
    pub(in crate::format) fn new(second: u32, stats: &SecondStats) -> Self {
        Self { second, matched: stats.matched, other: stats.other, latency: stats.latency.to_v2() }
    }
}

impl Delta {
    /// Without seconds, decisions and notes.
    pub(in crate::format) fn head(delta: &ModelDelta) -> Self {
        let RequestCounts { traced, control, discarded, incomplete, other, errors } = delta.requests;
        let loss = |loss: &Loss| LossEntry { kind: loss.kind.code(), count: loss.count, capacity: loss.capacity };
        Self {
            traced_count: traced,
            control_count: control,
            discarded,
            incomplete,
            other,
            errors,
            traced: Arm::from(&delta.traced),
            control: Arm::from(&delta.control),
            stats: Stats::from(delta.sample_stats),
            process_cpu_ns: delta.process_cpu_ns,
            xray_cpu_ns: delta.xray_cpu_ns,
            loss: delta.loss.iter().map(loss).collect(),
            ..Self::empty(delta.at_unix_ns)
        }
    }

    /// Adds nothing.
    pub(in crate::format) fn empty(at_unix_ns: u64) -> Self {
        Self {
            at_unix_ns,
            traced_count: 0,
            control_count: 0,
            discarded: 0,
            incomplete: 0,
            other: 0,
            errors: 0,
            traced: Arm::default(),
            control: Arm::default(),
            stats: Stats::default(),
            process_cpu_ns: 0,
            xray_cpu_ns: 0,
            loss: Vec::new(),
            seconds: Vec::new(),
            decisions: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub(in crate::format) fn into_model(self) -> Result<ModelDelta, ChunkError> {
        let mut series: BTreeMap<u32, SecondStats> = BTreeMap::new();
        for second in self.seconds {
            let latency = histogram(&second.latency)?;
            let stats = SecondStats { matched: second.matched, other: second.other, latency, ..SecondStats::default() };
            if series.insert(second.second, stats).is_some() {
                return Err(ChunkError::Invalid("a second stands twice in one chunk"));
            }
        }
        let loss = |loss: LossEntry| {
            Ok(Loss { kind: Code::from_code(loss.kind)?, count: loss.count, capacity: loss.capacity })
        };
        Ok(ModelDelta {
            at_unix_ns: self.at_unix_ns,
            requests: RequestCounts {
                traced: self.traced_count,
                control: self.control_count,
                discarded: self.discarded,
                incomplete: self.incomplete,
                other: self.other,
                errors: self.errors,
            },
            traced: self.traced.into_model()?,
            control: self.control.into_model()?,
            series,
            call_tree: crate::model::CallTree::default(),
            sample_tree: SampleTree::default(),
            waits: crate::model::Waits::new(),
            sample_stats: self.stats.into(),
            loss: self.loss.into_iter().map(loss).collect::<Result<_, ChunkError>>()?,
            decisions: self.decisions.into_iter().map(Decision::into_model).collect::<Result<_, _>>()?,
            notes: self.notes.into_iter().map(Note::into_model).collect::<Result<_, _>>()?,
            process_cpu_ns: self.process_cpu_ns,
            xray_cpu_ns: self.xray_cpu_ns,
        })
    }

    /// For a person.
    pub(in crate::format) fn summary(&self) -> String {
        format!(
            "traced +{}, control +{}, other +{}, {} seconds, {} losses, {} decisions, {} notes",
            self.traced_count,
            self.control_count,
            self.other,
            self.seconds.len(),
            self.loss.len(),
            self.decisions.len(),
            self.notes.len()
        )
    }
}

/// Nodes that were added to a call tree: a tree of its own if `first` is 0, else the continuation of the one before.
#[derive(Serialize, Deserialize)]
pub(in crate::format) struct CallTree {
    pub(in crate::format) first: u32,
    nodes: Vec<Node>,
}

impl Chunk for CallTree {
    const KIND: Kind = Kind::CallTree;
}

/// See [`CallTreeNode`]. `parent` counts from the tree's first chunk.
#[derive(Serialize, Deserialize)]
struct Node {
    parent: u32,
    symbol: u32,
    calls: u64,
    resumes: u64,
    errors: u64,
    rows: u64,
    traces: u64,
    total_ns: u64,
    self_ns: u64,
    min_ns: u64,
    max_ns: u64,
}

impl CallTree {
    pub(in crate::format) fn new(first: u32, nodes: &[CallTreeNode]) -> Self {
        let node = |node: &CallTreeNode| Node {
            parent: parent_to_wire(node.parent),
            symbol: node.symbol.0,
            calls: node.calls,
            resumes: node.resumes,
            errors: node.errors,
            rows: node.rows,
            traces: node.traces,
            total_ns: node.total_ns,
            self_ns: node.self_ns,
            min_ns: node.min_ns,
            max_ns: node.max_ns,
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
    ) -> Result<Vec<CallTreeNode>, ChunkError> {
        let mut nodes = Vec::with_capacity(self.nodes.len());
        for (at, node) in self.nodes.into_iter().enumerate() {
            nodes.push(CallTreeNode {
                parent: parent_from_wire(node.parent, self.first as usize + at)?,
                symbol: symbol(node.symbol)?,
                calls: node.calls,
                resumes: node.resumes,
                errors: node.errors,
                rows: node.rows,
                traces: node.traces,
                total_ns: node.total_ns,
                self_ns: node.self_ns,
                min_ns: node.min_ns,
                max_ns: node.max_ns,
            });
        }
        Ok(nodes)
    }
}
