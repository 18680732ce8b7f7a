//! From chunks to the model.

use super::codec::{self, Decoder};
use super::delta::Delta;
use super::emit::SESSION_SCOPE;
use super::error::ChunkError;
use super::frame::Frame;
use super::wire::{self, Ended, Kind};
use crate::limits::{FILE_MEMORY_BASE, FILE_MEMORY_PER_BYTE};
use crate::model::{
    CallTree, CallTreeNode, Decision, Loss, LossKind, Note, PathNode, ProcessInfo, ProcessKey, SampleTree,
    SampleTreeNode, SecondStats, SessionData, SessionHeader, StoppedBy, Symbol, SymbolId, SymbolKind, SymbolTable,
    Trace, TraceId, TreeSum, Wait, WaitedOn, Waits,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Everything read so far.
pub(super) struct Assembly {
    decoder: Decoder,
    memory_left: u64,
    header: Option<SessionHeader>,
    processes: BTreeMap<u64, ProcessInfo>,
    scopes: HashMap<u64, Scope>,
    symbols: SymbolTable,
    traces: Vec<Trace>,
    /// Where each of them is.
    trace_places: HashMap<(TraceId, ProcessKey), usize>,
    totals: Delta,
    call_tree: TreeSum<CallTreeNode>,
    sample_tree: TreeSum<SampleTreeNode>,
    waits: Waits,
    loss: BTreeMap<LossKind, Loss>,
    notes: BTreeSet<Note>,
}

/// What is known about the chunks of one process, or of the session.
#[derive(Default)]
struct Scope {
    /// (number of the first, ids), sorted.
    symbols: Vec<(u32, Vec<SymbolId>)>,
    /// Where the nodes of the last call tree went.
    call_tree: Vec<u32>,
    /// Where the nodes of the last sample tree went.
    sample_tree: Vec<u32>,
    last_unix_ns: u64,
    end: Option<Ended>,
}

impl Scope {
    fn symbol(&self, number: u32) -> Option<SymbolId> {
        let at = self.symbols.partition_point(|(first, _)| *first <= number).checked_sub(1)?;
        let (first, ids) = &self.symbols[at];
        ids.get((number - first) as usize).copied()
    }
}

impl Assembly {
    /// For a file of this many bytes.
    pub(super) fn new(file_bytes: usize) -> Self {
        Self {
            decoder: Decoder::new(),
            memory_left: FILE_MEMORY_BASE + FILE_MEMORY_PER_BYTE.saturating_mul(file_bytes as u64),
            header: None,
            processes: BTreeMap::new(),
            scopes: HashMap::new(),
            symbols: SymbolTable::default(),
            traces: Vec::new(),
            trace_places: HashMap::new(),
            totals: Delta::default(),
            call_tree: TreeSum::default(),
            sample_tree: TreeSum::default(),
            waits: Waits::new(),
            loss: BTreeMap::new(),
            notes: BTreeSet::new(),
        }
    }

    /// Adds one chunk, whole or not at all. `damaged` says whether something before it was lost: only then may it use
    /// symbols that nobody named. Kinds that this version does not know are left out.
    pub(super) fn add(&mut self, frame: &Frame<'_>, damaged: bool) -> Result<(), ChunkError> {
        let Some(kind) = codec::kind(frame) else { return Ok(()) };
        if !self.scopes.contains_key(&frame.scope) {
            self.take(size_of::<Scope>() as u64 * 2)?;
        }
        match kind {
            Kind::Session => self.add_session(frame),
            Kind::Process => self.add_process(frame),
            Kind::Symbols => self.add_symbols(frame),
            Kind::Trace => {
                let trace = self.decoder.decode(frame)?;
                self.add_trace(trace, frame, damaged)
            }
            Kind::PackedTrace => {
                let trace = self.decoder.decode::<wire::PackedTrace>(frame)?.unpack()?;
                self.add_trace(trace, frame, damaged)
            }
            Kind::Delta => self.add_delta(frame),
            Kind::CallTree => self.add_call_tree(frame, damaged),
            Kind::SampleTree => self.add_sample_tree(frame, damaged),
            Kind::End => self.add_end(frame),
            Kind::Arguments => self.add_arguments(frame),
            Kind::Waits => self.add_waits(frame, damaged),
            Kind::TraceSamples => self.add_trace_samples(frame, damaged),
            Kind::SampleSeconds => self.add_sample_seconds(frame),
        }
    }

    fn take(&mut self, bytes: u64) -> Result<(), ChunkError> {
        self.memory_left = self.memory_left.checked_sub(bytes).ok_or(ChunkError::Memory)?;
        Ok(())
    }

    /// A report gives each node its name: one long name in many nodes must not make it large.
    fn take_names(&mut self, symbols: impl Iterator<Item = SymbolId>) -> Result<(), ChunkError> {
        let length = |id| {
            let symbol: &Symbol = &self.symbols[id];
            symbol.name.len() + symbol.file.len() + symbol.detail.len()
        };
        let bytes = symbols.map(length).fold(0, |sum, length| sum + length as u64);
        self.take(bytes)
    }

    fn add_session(&mut self, frame: &Frame<'_>) -> Result<(), ChunkError> {
        let header = self.decoder.decode::<wire::Session>(frame)?.into_model()?;
        match &self.header {
            Some(first) if *first != header => Err(ChunkError::OtherSession),
            _ => {
                self.header = Some(header);
                Ok(())
            }
        }
    }

    fn add_process(&mut self, frame: &Frame<'_>) -> Result<(), ChunkError> {
        let process = self.decoder.decode::<wire::Process>(frame)?.into_model()?;
        self.take(2 * size_of::<ProcessInfo>() as u64 + u64::from(frame.raw_len))?;
        if process.key.0 != frame.scope {
            return Err(ChunkError::Invalid("a process chunk is about another process than its frame"));
        }
        self.processes.insert(frame.scope, process);
        Ok(())
    }

    fn add_symbols(&mut self, frame: &Frame<'_>) -> Result<(), ChunkError> {
        let wire::Symbols { first, symbols } = self.decoder.decode(frame)?;
        // With the room that growing tables leave, and three allocations.
        let per_symbol = 2 * size_of::<Symbol>() as u64 + 112;
        self.take(symbols.len() as u64 * per_symbol + u64::from(frame.raw_len))?;
        let scope = self.scopes.entry(frame.scope).or_default();
        let after_all = scope.symbols.last().is_none_or(|(start, ids)| *start as usize + ids.len() <= first as usize);
        if !after_all || (first as usize + symbols.len()) > u32::MAX as usize {
            return Err(ChunkError::Invalid("symbols are numbered twice"));
        }
        let symbols = symbols.into_iter().map(wire::Symbol::into_model).collect::<Result<Vec<_>, _>>()?;
        let ids = symbols.into_iter().map(|symbol| self.symbols.intern(symbol)).collect();
        scope.symbols.push((first, ids));
        Ok(())
    }

    /// Ready to look up symbols of a scope: `(id of a lost symbol if there may be one, scope)`.
    fn lookup(&mut self, frame: &Frame<'_>, damaged: bool) -> (Option<SymbolId>, &Scope) {
        let lost = || Symbol {
            kind: SymbolKind::Other,
            name: "(name lost)".to_owned(),
            file: String::new(),
            line: 0,
            detail: String::new(),
        };
        let lost = damaged.then(|| self.symbols.intern(lost()));
        (lost, self.scopes.entry(frame.scope).or_default())
    }

    fn add_trace(&mut self, trace: wire::Trace, frame: &Frame<'_>, damaged: bool) -> Result<(), ChunkError> {
        self.take(trace.memory() + 4 * size_of::<(TraceId, ProcessKey, usize)>() as u64)?;
        let (lost, scope) = self.lookup(frame, damaged);
        let trace = trace.into_model(symbols_of(scope, lost))?;
        self.take_names(trace.nodes.iter().map(|node| node.symbol))?;
        let seen = trace.started_unix_ns.saturating_add(trace.duration_ns);
        self.saw(frame.scope, seen);
        self.trace_places.insert((trace.id, trace.process), self.traces.len());
        self.traces.push(trace);
        Ok(())
    }

    /// They are of the trace before them. When that was lost, so are they.
    fn add_arguments(&mut self, frame: &Frame<'_>) -> Result<(), ChunkError> {
        let arguments: wire::Arguments = self.decoder.decode(frame)?;
        self.take(u64::from(frame.raw_len))?;
        match self.traces.last_mut() {
            Some(trace) if arguments.belong_to(trace) => arguments.add_to(trace),
            _ => Ok(()),
        }
    }

    /// When their trace was lost, so are they.
    fn add_trace_samples(&mut self, frame: &Frame<'_>, damaged: bool) -> Result<(), ChunkError> {
        let samples: wire::TraceSamples = self.decoder.decode(frame)?;
        self.take(samples.memory())?;
        let trace = self.trace_places.get(&samples.trace()).copied();
        let (lost, scope) = self.lookup(frame, damaged);
        let samples = samples.into_model(symbols_of(scope, lost))?;
        // Once in the list of frames and once in that of lines.
        self.take_names(samples.frames.iter().flat_map(|frame| [frame.symbol; 2]))?;
        match trace.map(|at| &mut self.traces[at].samples) {
            Some(of) if of.is_empty() => *of = samples,
            Some(_) => return Err(ChunkError::Invalid("a trace has its samples already")),
            None => {}
        }
        Ok(())
    }

    fn add_call_tree(&mut self, frame: &Frame<'_>, damaged: bool) -> Result<(), ChunkError> {
        let tree: wire::CallTree = self.decoder.decode(frame)?;
        self.take(tree.len() as u64 * tree_node_bytes::<CallTreeNode>())?;
        let (lost, scope) = self.lookup(frame, damaged);
        let (first, nodes) = (tree.first, tree.into_model(symbols_of(scope, lost))?);
        self.take_names(nodes.iter().map(|node| node.symbol))?;
        let scope = self.scopes.entry(frame.scope).or_default();
        continue_tree(&mut self.call_tree, &mut scope.call_tree, first, nodes)
    }

    fn add_sample_tree(&mut self, frame: &Frame<'_>, damaged: bool) -> Result<(), ChunkError> {
        let tree: wire::SampleTree = self.decoder.decode(frame)?;
        self.take(tree.len() as u64 * tree_node_bytes::<SampleTreeNode>())?;
        let (lost, scope) = self.lookup(frame, damaged);
        let (first, nodes) = (tree.first, tree.into_model(symbols_of(scope, lost))?);
        self.take_names(nodes.iter().map(|node| node.symbol))?;
        let scope = self.scopes.entry(frame.scope).or_default();
        continue_tree(&mut self.sample_tree, &mut scope.sample_tree, first, nodes)
    }

    fn add_waits(&mut self, frame: &Frame<'_>, damaged: bool) -> Result<(), ChunkError> {
        let wire::Waits { waits } = self.decoder.decode(frame)?;
        // In a map and in the report's list.
        self.take(waits.len() as u64 * 4 * size_of::<(Wait, u64)>() as u64)?;
        let (lost, scope) = self.lookup(frame, damaged);
        let waits = {
            let symbol = symbols_of(scope, lost);
            waits.into_iter().map(|wait| wait.into_model(&symbol)).collect::<Result<Vec<_>, _>>()?
        };
        let named = |(wait, _): &(Wait, u64)| match wait.on {
            WaitedOn::Gil(Some(holder)) => vec![holder.thread, holder.function],
            WaitedOn::Gil(None) => vec![],
            WaitedOn::Call(call) => vec![call],
        };
        self.take_names(waits.iter().flat_map(named))?;
        for (wait, ns) in waits {
            let sum = self.waits.entry(wait).or_default();
            *sum = sum.saturating_add(ns);
        }
        Ok(())
    }

    fn add_sample_seconds(&mut self, frame: &Frame<'_>) -> Result<(), ChunkError> {
        let wire::SampleSeconds { seconds } = self.decoder.decode(frame)?;
        self.take(seconds.len() as u64 * 2 * size_of::<SecondStats>() as u64)?;
        for (second, samples) in seconds {
            let more = SecondStats { samples, ..SecondStats::default() };
            self.totals.series.entry(second).or_default().add(&more);
        }
        Ok(())
    }

    fn add_delta(&mut self, frame: &Frame<'_>) -> Result<(), ChunkError> {
        let delta = self.decoder.decode::<wire::Delta>(frame)?.into_model()?;
        let seconds: usize = delta.series.values().map(|s| s.latency.heap_bytes() + 2 * size_of::<SecondStats>()).sum();
        let lists = delta.decisions.len() * size_of::<Decision>() + delta.notes.len() * size_of::<Note>();
        self.take((seconds + 2 * lists) as u64 + 2 * u64::from(frame.raw_len))?;
        self.saw(frame.scope, delta.at_unix_ns);
        let totals = &mut self.totals;
        totals.requests.add(&delta.requests);
        totals.traced.add(&delta.traced);
        totals.control.add(&delta.control);
        for (second, stats) in &delta.series {
            totals.series.entry(*second).or_default().add(stats);
        }
        totals.sample_stats.add(&delta.sample_stats);
        delta.loss.iter().for_each(|loss| loss.add_to(&mut self.loss));
        totals.decisions.extend(delta.decisions);
        self.notes.extend(delta.notes);
        totals.process_cpu_ns = totals.process_cpu_ns.saturating_add(delta.process_cpu_ns);
        totals.xray_cpu_ns = totals.xray_cpu_ns.saturating_add(delta.xray_cpu_ns);
        Ok(())
    }

    fn add_end(&mut self, frame: &Frame<'_>) -> Result<(), ChunkError> {
        let end = self.decoder.decode::<wire::End>(frame)?.into_model()?;
        self.saw(frame.scope, end.ended_unix_ns);
        self.scopes.entry(frame.scope).or_default().end = Some(end);
        Ok(())
    }

    fn saw(&mut self, scope: u64, at_unix_ns: u64) {
        let scope = self.scopes.entry(scope).or_default();
        scope.last_unix_ns = scope.last_unix_ns.max(at_unix_ns);
    }

    /// The session, and whether its trailer was there; `None` without a header.
    pub(super) fn finish(mut self) -> Option<(SessionData, bool)> {
        let header = self.header?;
        let session_end = self.scopes.get(&SESSION_SCOPE).and_then(|scope| scope.end);
        let mut stopped_by = StoppedBy::Lost;
        let mut complete = !self.processes.is_empty();
        for (key, process) in &mut self.processes {
            let scope = self.scopes.get(key);
            process.left_unix_ns = process.left_unix_ns.max(scope.map_or(0, |scope| scope.last_unix_ns));
            match scope.and_then(|scope| scope.end) {
                Some(end) => {
                    process.end = end.process_end;
                    stopped_by = stopped_by.of_both(end.stopped_by);
                }
                None => complete = false,
            }
        }
        let last = self.processes.values().map(|process| process.left_unix_ns).max();
        let mut ended_unix_ns = last.unwrap_or(header.started_unix_ns);
        if let Some(end) = session_end {
            (ended_unix_ns, stopped_by, complete) = (end.ended_unix_ns, end.stopped_by, true);
        }
        self.totals.decisions.sort_by(Decision::order);
        let session = SessionData {
            header,
            ended_unix_ns,
            stopped_by,
            recovered: session_end.is_some_and(|end| end.recovered) || !complete,
            processes: self.processes.into_values().collect(),
            symbols: self.symbols,
            requests: self.totals.requests,
            traced: self.totals.traced,
            control: self.totals.control,
            traces: self.traces,
            call_tree: CallTree { nodes: self.call_tree.into_preorder() },
            sample_tree: SampleTree { nodes: self.sample_tree.into_preorder() },
            waits: self.waits,
            sample_stats: self.totals.sample_stats,
            series: self.totals.series,
            loss: self.loss.into_values().collect(),
            decisions: self.totals.decisions,
            notes: self.notes.into_iter().collect(),
            process_cpu_ns: self.totals.process_cpu_ns,
            xray_cpu_ns: self.totals.xray_cpu_ns,
        };
        Some((session, complete))
    }
}

/// Memory that a node takes in a tree and its index while they grow.
fn tree_node_bytes<N: PathNode>() -> u64 {
    (2 * size_of::<N>() + 4 * size_of::<(u32, N::Key, u32)>() + 16) as u64
}

fn symbols_of(scope: &Scope, lost: Option<SymbolId>) -> impl Fn(u32) -> Result<SymbolId, ChunkError> {
    move |number| scope.symbol(number).or(lost).ok_or(ChunkError::Invalid("it uses a symbol that nobody named"))
}

/// Adds the nodes of one chunk; `places` says where the nodes of the tree's earlier chunks went.
fn continue_tree<N: PathNode>(
    sum: &mut TreeSum<N>,
    places: &mut Vec<u32>,
    first: u32,
    nodes: Vec<N>,
) -> Result<(), ChunkError> {
    if first == 0 {
        places.clear();
    }
    if places.len() != first as usize {
        return Err(ChunkError::Invalid("the tree that it continues is not there"));
    }
    for node in nodes {
        // Parents come before their children: `into_model` has checked it.
        let parent = node.parent().map(|parent| places[parent as usize]);
        let place = sum.add_node(parent, node);
        places.push(place);
    }
    Ok(())
}
