//! One trace, packed: its numbers as columns of variable length.
//!
//! An application waits for none of this, but pays for the processor: a trace of a web request has thousands of nodes,
//! most of their numbers are 0, 1 or differ little from another one, and compressing them took ten times as long as
//! everything else that is done with a trace. Packed, there is a sixth to compress.

use super::trace::{Entry, Node, Trace};
use super::{Chunk, Kind, NO_PARENT};
use crate::format::error::ChunkError;
use crate::model;
use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;

/// Longest columns, in bytes: more than the memory of one traced request makes. Unpacked they take at most eight times
/// as much.
const COLUMNS_BYTES: usize = 2 << 20;
/// Columns of a node, and of a timeline's entry: each takes a byte at least.
const NODE_COLUMNS: usize = 11;
const ENTRY_COLUMNS: usize = 4;

/// See [`model::Trace`].
#[derive(Serialize, Deserialize)]
pub(in crate::format) struct PackedTrace {
    /// Everything but nodes and timeline, which are empty in it.
    facts: Trace,
    nodes: u32,
    timeline: u32,
    #[serde(serialize_with = "bytes_to_wire", deserialize_with = "bytes_from_wire")]
    columns: Vec<u8>,
}

impl Chunk for PackedTrace {
    const KIND: Kind = Kind::PackedTrace;
}

impl PackedTrace {
    /// `None` for a trace that is too long for this kind.
    pub(in crate::format) fn of(trace: &model::Trace) -> Option<Self> {
        let (nodes, timeline) = (&trace.nodes, &trace.timeline);
        let mut columns = Writer { bytes: Vec::with_capacity(16 * (nodes.len() + timeline.len())) };
        // A distance: 0 stands for "no parent".
        let distance =
            |(at, node): (usize, &model::TraceNode)| node.parent.map_or(0, |parent| at as u64 - u64::from(parent));
        columns.column(nodes.iter().enumerate().map(distance));
        columns.column(nodes.iter().map(|node| u64::from(node.symbol.0)));
        columns.column(nodes.iter().map(|node| node.calls));
        columns.column(nodes.iter().map(|node| node.resumes));
        columns.column(nodes.iter().map(|node| node.errors));
        columns.column(nodes.iter().map(|node| node.total_ns));
        columns.column(nodes.iter().map(|node| difference(node.total_ns, node.self_ns)));
        columns.column(nodes.iter().map(|node| difference(node.total_ns, node.max_ns)));
        columns.column(nodes.iter().map(|node| difference(node.max_ns, node.min_ns)));
        columns.column(nodes.iter().map(|node| u64::from(node.recursion_depth)));
        columns.column(nodes.iter().map(|node| node.rows));
        columns.column(timeline.iter().map(|entry| u64::from(entry.node)));
        let mut last_ns = 0;
        columns.column(timeline.iter().map(|entry| {
            let before = std::mem::replace(&mut last_ns, entry.start_ns);
            difference(entry.start_ns, before)
        }));
        columns.column(timeline.iter().map(|entry| entry.duration_ns));
        columns.column(timeline.iter().map(|entry| entry.folded));
        let fits = columns.bytes.len() <= COLUMNS_BYTES;
        fits.then(|| Self {
            facts: Trace::facts_of(trace),
            nodes: nodes.len() as u32,
            timeline: timeline.len() as u32,
            columns: columns.bytes,
        })
    }

    /// The same with nodes and timeline as structs.
    pub(in crate::format) fn unpack(self) -> Result<Trace, ChunkError> {
        let Self { mut facts, nodes, timeline, columns } = self;
        let least = NODE_COLUMNS as u64 * u64::from(nodes) + ENTRY_COLUMNS as u64 * u64::from(timeline);
        if columns.len() > COLUMNS_BYTES || least > columns.len() as u64 {
            return Err(ChunkError::Invalid("a trace's columns are too long or too short"));
        }
        let mut columns = Reader { bytes: &columns };
        let (nodes, timeline) = (nodes as usize, timeline as usize);
        facts.nodes = vec![Node::default(); nodes];
        for (at, node) in facts.nodes.iter_mut().enumerate() {
            node.parent = match columns.small()? {
                0 => NO_PARENT,
                distance => (at as u32)
                    .checked_sub(distance)
                    .ok_or(ChunkError::Invalid("a tree node's parent does not come before it"))?,
            };
        }
        columns.fill_small(&mut facts.nodes, |node, value| node.symbol = value)?;
        columns.fill(&mut facts.nodes, |node, value| node.calls = value)?;
        columns.fill(&mut facts.nodes, |node, value| node.resumes = value)?;
        columns.fill(&mut facts.nodes, |node, value| node.errors = value)?;
        columns.fill(&mut facts.nodes, |node, value| node.total_ns = value)?;
        columns.fill(&mut facts.nodes, |node, value| node.self_ns = less(node.total_ns, value))?;
        columns.fill(&mut facts.nodes, |node, value| node.max_ns = less(node.total_ns, value))?;
        columns.fill(&mut facts.nodes, |node, value| node.min_ns = less(node.max_ns, value))?;
        columns.fill_small(&mut facts.nodes, |node, value| node.recursion_depth = value)?;
        columns.fill(&mut facts.nodes, |node, value| node.rows = value)?;
        facts.timeline = vec![Entry::default(); timeline];
        columns.fill_small(&mut facts.timeline, |entry, value| entry.node = value)?;
        let mut last_ns = 0;
        columns.fill(&mut facts.timeline, |entry, value| {
            last_ns = more(last_ns, value);
            entry.start_ns = last_ns;
        })?;
        columns.fill(&mut facts.timeline, |entry, value| entry.duration_ns = value)?;
        columns.fill(&mut facts.timeline, |entry, value| entry.folded = value)?;
        if columns.bytes.is_empty() { Ok(facts) } else { Err(ChunkError::Invalid("a trace's columns are too long")) }
    }
}

/// `of - less`, so that what is near zero is small, on either side: 0, -1, 1, -2, ... are 0, 1, 2, 3, ...
fn difference(of: u64, less: u64) -> u64 {
    let difference = of.wrapping_sub(less) as i64;
    (difference << 1 ^ difference >> 63) as u64
}

/// What was taken off, of a [`difference`].
fn less(of: u64, difference: u64) -> u64 {
    of.wrapping_sub(signed(difference))
}

/// What it was taken off from.
fn more(than: u64, difference: u64) -> u64 {
    than.wrapping_add(signed(difference))
}

fn signed(difference: u64) -> u64 {
    difference >> 1 ^ (difference & 1).wrapping_neg()
}

/// Numbers as LEB128: seven bits a byte, the lowest first.
struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn column(&mut self, values: impl Iterator<Item = u64>) {
        for mut value in values {
            while value > 0x7f {
                self.bytes.push(value as u8 | 0x80);
                value >>= 7;
            }
            self.bytes.push(value as u8);
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn number(&mut self) -> Result<u64, ChunkError> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let (byte, rest) =
                self.bytes.split_first().ok_or(ChunkError::Invalid("a trace's columns are too short"))?;
            self.bytes = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(ChunkError::Invalid("a number of a trace is too long"))
    }

    fn small(&mut self) -> Result<u32, ChunkError> {
        u32::try_from(self.number()?).map_err(|_| ChunkError::Invalid("a number of a trace is too large"))
    }

    fn fill<T>(&mut self, rows: &mut [T], mut set: impl FnMut(&mut T, u64)) -> Result<(), ChunkError> {
        for row in rows {
            set(row, self.number()?);
        }
        Ok(())
    }

    fn fill_small<T>(&mut self, rows: &mut [T], mut set: impl FnMut(&mut T, u32)) -> Result<(), ChunkError> {
        for row in rows {
            set(row, self.small()?);
        }
        Ok(())
    }
}

/// At once, where serde would go byte by byte.
fn bytes_to_wire<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_bytes(bytes)
}

fn bytes_from_wire<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    struct Bytes;

    impl Visitor<'_> for Bytes {
        type Value = Vec<u8>;

        fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
            to.write_str("bytes")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }
    }

    from.deserialize_bytes(Bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_differences_on_either_side_are_small_numbers() {
        for (of, less_by, number) in [(7, 7, 0), (6, 7, 1), (7, 6, 2), (5, 7, 3), (0, u64::MAX, 2)] {
            assert_eq!(difference(of, less_by), number);
        }
    }

    proptest! {
        #[test]
        fn every_number_is_itself_again(numbers in prop::collection::vec(any::<u64>(), 0..50), of: u64) {
            let mut writer = Writer { bytes: Vec::new() };
            writer.column(numbers.iter().map(|number| difference(of, *number)));
            let mut reader = Reader { bytes: &writer.bytes };
            for number in numbers {
                let found = reader.number().unwrap();
                prop_assert_eq!(less(of, found), number);
                prop_assert_eq!(more(number, found), of);
            }
            prop_assert!(reader.bytes.is_empty());
            prop_assert!(reader.number().is_err());
        }
    }

    #[test]
    fn columns_that_are_too_short_or_too_long_or_name_what_cannot_be_are_refused() {
        let trace = model::Trace {
            id: model::TraceId(1),
            process: model::ProcessKey(1),
            thread: String::new(),
            started_unix_ns: 0,
            duration_ns: 0,
            cpu_ns: 0,
            status: None,
            error: None,
            calls: 0,
            complete: true,
            paths_folded: 0,
            timeline_threshold_ns: 0,
            attributes: Vec::new(),
            nodes: Vec::new(),
            timeline: Vec::new(),
            samples: model::TraceSamples::default(),
        };
        let facts = || Trace::facts_of(&trace);
        let packed =
            |nodes, columns: &[u8]| PackedTrace { facts: facts(), nodes, timeline: 0, columns: columns.to_vec() };
        let (root, child) = ([0; NODE_COLUMNS], [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert!(packed(1, &root).unpack().is_ok() && packed(2, &child).unpack().is_ok());
        assert!(packed(2, &root).unpack().is_err(), "too short");
        assert!(packed(1, &child).unpack().is_err(), "too long");
        let mut ahead = child;
        ahead[1] = 2;
        assert!(packed(2, &ahead).unpack().is_err(), "a parent before the first node");
        let endless = [0xff; 2 * NODE_COLUMNS];
        assert!(packed(1, &endless).unpack().is_err(), "a number without an end");
        assert!(packed(u32::MAX, &root).unpack().is_err(), "more nodes than bytes");
    }
}
