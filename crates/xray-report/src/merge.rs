//! Parts to one session: processes to an application, hosts to a service.
//!
//! The merge is associative and commutative: any order and grouping gives the same session, and the same bytes when it
//! is written. So everything is brought into one canonical form, and nothing depends on who came first: symbols are
//! numbered in sorted order, trees have sorted children, traces are chosen by a total order.

use std::collections::BTreeMap;
use xray_core::model::{
    CallTree, LossKind, ProcessInfo, ProcessKey, SampleTree, SessionData, SessionHeader, SessionId, SymbolId,
    SymbolTable, Trace, TreeSum, Waits,
};
use xray_core::retention::{TraceRank, keep};

/// Why two sessions were not merged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("session {} and session {} are different ones: merge only files of the same session", .0.0, .1.0)]
pub struct DifferentSessions(
    /// The first.
    pub SessionId,
    /// The second.
    pub SessionId,
);

/// Merges two sets of processes of the same session. Merging the same process twice counts it twice.
///
/// # Errors
/// [`DifferentSessions`] when the ids differ.
pub fn merge(a: SessionData, b: SessionData) -> Result<SessionData, DifferentSessions> {
    if a.header.id != b.header.id {
        return Err(DifferentSessions(a.header.id, b.header.id));
    }
    Ok(combine(a, Some(b)))
}

/// Brings a session into the form that [`merge`] gives.
pub fn canonical(session: SessionData) -> SessionData {
    combine(session, None)
}

fn combine(mut a: SessionData, mut b: Option<SessionData>) -> SessionData {
    let tables = [Some(&mut a), b.as_mut()].into_iter().flatten().map(|session| std::mem::take(&mut session.symbols));
    let (symbols, moved) = sorted_table(tables);
    let mut call_tree = TreeSum::default();
    let mut sample_tree = TreeSum::default();
    let mut waits = Waits::new();
    let mut traces = Vec::new();
    let sessions = [Some(&mut a), b.as_mut()].into_iter().flatten();
    for (session, moved) in sessions.zip(&moved) {
        let id = |symbol: SymbolId| moved[symbol.0 as usize];
        call_tree.add(&std::mem::take(&mut session.call_tree).nodes, id);
        sample_tree.add(&std::mem::take(&mut session.sample_tree).nodes, id);
        for (wait, ns) in std::mem::take(&mut session.waits) {
            let sum = waits.entry(wait.renamed(id)).or_default();
            *sum = sum.saturating_add(ns);
        }
        for mut trace in std::mem::take(&mut session.traces) {
            trace.nodes.iter_mut().for_each(|node| node.symbol = id(node.symbol));
            trace.samples.frames.iter_mut().for_each(|frame| frame.symbol = id(frame.symbol));
            traces.push(trace);
        }
    }
    if let Some(b) = b {
        add_totals(&mut a, b);
    }
    a.symbols = symbols;
    a.call_tree = CallTree { nodes: call_tree.into_sorted_preorder() };
    a.sample_tree = SampleTree { nodes: sample_tree.into_sorted_preorder() };
    a.waits = waits;
    a.traces = kept(traces, &a.header);
    a.processes = by_key(a.processes);
    a.decisions.sort_by(|x, y| x.order(y));
    a.decisions.dedup();
    a.notes.sort();
    a.notes.dedup();
    let mut losses: BTreeMap<LossKind, _> = BTreeMap::new();
    a.loss.iter().for_each(|loss| loss.add_to(&mut losses));
    a.loss = losses.into_values().collect();
    a
}

/// Adds what has no symbols. Lists are only put together: the caller sorts them.
fn add_totals(a: &mut SessionData, b: SessionData) {
    // Headers of one session are equal; hostile files may say otherwise, and then the order must not matter.
    if format!("{:?}", b.header) < format!("{:?}", a.header) {
        a.header = b.header;
    }
    a.ended_unix_ns = a.ended_unix_ns.max(b.ended_unix_ns);
    a.stopped_by = a.stopped_by.of_both(b.stopped_by);
    a.recovered |= b.recovered;
    a.processes.extend(b.processes);
    a.requests.add(&b.requests);
    a.traced.add(&b.traced);
    a.control.add(&b.control);
    a.sample_stats.add(&b.sample_stats);
    for (second, stats) in &b.series {
        a.series.entry(*second).or_default().add(stats);
    }
    a.loss.extend(b.loss);
    a.decisions.extend(b.decisions);
    a.notes.extend(b.notes);
    a.process_cpu_ns = a.process_cpu_ns.saturating_add(b.process_cpu_ns);
    a.xray_cpu_ns = a.xray_cpu_ns.saturating_add(b.xray_cpu_ns);
}

/// One sorted table of all symbols, and for each of the tables the new id of each of its symbols.
fn sorted_table(tables: impl Iterator<Item = SymbolTable>) -> (SymbolTable, Vec<Vec<SymbolId>>) {
    let mut moved = Vec::new();
    let mut named = Vec::new();
    for (table, symbols) in tables.map(SymbolTable::into_entries).enumerate() {
        moved.push(vec![SymbolId(0); symbols.len()]);
        named.extend(symbols.into_iter().enumerate().map(|(id, symbol)| (symbol, table, id)));
    }
    named.sort_unstable();
    let mut sorted = SymbolTable::default();
    for (symbol, table, id) in named {
        moved[table][id] = sorted.intern(symbol);
    }
    (sorted, moved)
}

/// The traces that the session keeps, by id; the same id twice is the same trace.
fn kept(mut traces: Vec<Trace>, header: &SessionHeader) -> Vec<Trace> {
    traces.sort_unstable_by(|a, b| a.id.cmp(&b.id).then_with(|| a.cmp(b)));
    traces.dedup_by_key(|trace| trace.id);
    let rank = |trace: &Trace| TraceRank {
        id: trace.id,
        duration_ns: trace.duration_ns,
        failed: trace.error.is_some() || trace.status.is_some_and(|status| status >= 500),
    };
    let ids = keep(traces.iter().map(rank), header.limits.traces, header.seed);
    traces.retain(|trace| ids.contains(&trace.id));
    traces
}

/// Sorted by key; of one process described twice, the later description.
fn by_key(processes: Vec<ProcessInfo>) -> Vec<ProcessInfo> {
    let mut sorted: BTreeMap<ProcessKey, ProcessInfo> = BTreeMap::new();
    for process in processes {
        let rank = |p: &ProcessInfo| (p.left_unix_ns, p.clone());
        match sorted.get(&process.key) {
            Some(other) if rank(other) >= rank(&process) => {}
            _ => {
                sorted.insert(process.key, process);
            }
        }
    }
    sorted.into_values().collect()
}
