//! A thread outside the requests that keeps the GIL: requests take much longer than they compute.

use super::limits::{GIL_WAIT, ONE_HOLDER, RIVAL_BUSY, SAMPLES_TO_CONTRADICT, UNDISTURBED_CPU, WAIT_NS};
use super::{Evidence, Found, percent};
use crate::build::notes::samples_need_gil;
use crate::model::Finding;
use crate::view::numbers::duration;
use crate::view::place::place;
use std::collections::{BTreeMap, BTreeSet};
use xray_core::model::{SampleTreeNode, SessionData, SymbolId, ThreadKind, ThreadState, WaitedOn};

pub(super) fn find(evidence: &Evidence<'_>) -> Option<Found> {
    let data = evidence.data;
    if !samples_need_gil(data) && evidence.samples.count >= SAMPLES_TO_CONTRADICT {
        // These samples say who waits for the GIL, and who has it: nothing has to be inferred.
        return seen(data);
    }
    let (wall_ns, cpu_ns) = means(data)?;
    if cpu_ns >= UNDISTURBED_CPU * wall_ns || wall_ns - cpu_ns < WAIT_NS {
        return None;
    }
    let rival = busiest_rival(data)?;
    let busy = rival.busy_ns as f64 / data.sample_stats.active_ns.max(1) as f64;
    if busy < RIVAL_BUSY {
        return None;
    }
    let symbol = &data.symbols[rival.function];
    let at = place(Some(&symbol.file), Some(if rival.line > 0 { rival.line } else { symbol.line }));
    let share = 1.0 - cpu_ns / wall_ns;
    let text = format!(
        "GIL contention: a thread outside the requests computes in {} ({at}) for {} of the session; a request takes {} \
         and is on the CPU for {} of it.",
        symbol.name,
        percent(busy.min(1.0)),
        duration(wall_ns as u64),
        duration(cpu_ns as u64)
    );
    let headline = format!(
        "Requests wait {} of their time while another thread holds the GIL in {} ({at}).",
        percent(share),
        symbol.name
    );
    Some(Found { headline, finding: Finding { code: "gil_contention", text, component: None, share } })
}

/// What samples saw: requests that wait for the GIL, which one thread outside the requests has for most of that time.
fn seen(data: &SessionData) -> Option<Found> {
    let sampled_ns = data.sample_tree.nodes.iter().filter(|node| node.kind == ThreadKind::Target);
    let sampled_ns = sampled_ns.fold(0_u64, |sum, node| sum.saturating_add(node.self_ns));
    let (mut waited_ns, mut by_thread) = (0_u64, BTreeMap::<_, BTreeMap<_, u64>>::new());
    for (wait, ns) in data.waits.iter().filter(|(wait, _)| wait.kind == ThreadKind::Target) {
        let WaitedOn::Gil(holder) = wait.on else { continue };
        waited_ns = waited_ns.saturating_add(*ns);
        if let Some(holder) = holder.filter(|holder| matches!(holder.kind, ThreadKind::Background | ThreadKind::Other))
        {
            let sum = by_thread.entry(holder.thread).or_default().entry((holder.function, holder.line)).or_default();
            *sum = sum.saturating_add(*ns);
        }
    }
    let held_ns = |places: &BTreeMap<_, u64>| places.values().fold(0_u64, |sum, ns| sum.saturating_add(*ns));
    let (thread, places) = by_thread.into_iter().max_by_key(|(_, places)| held_ns(places))?;
    let by_one = held_ns(&places) as f64 / waited_ns.max(1) as f64;
    let share = (waited_ns as f64 / sampled_ns.max(1) as f64).min(1.0);
    let (wall_ns, _) = means(data)?;
    if share < GIL_WAIT || by_one < ONE_HOLDER || share * wall_ns < WAIT_NS {
        return None;
    }
    let (function, line) = places.into_iter().max_by_key(|(_, ns)| *ns)?.0;
    let (thread, function) = (&data.symbols[thread].name, &data.symbols[function]);
    let at = place(Some(&function.file), Some(if line > 0 { line } else { function.line }));
    let text = format!(
        "GIL contention: requests wait for the GIL for {} of their time; for {} of that, thread {thread} has it, most \
         often in {} ({at}).",
        percent(share),
        percent(by_one),
        function.name
    );
    let headline = format!(
        "Requests wait {} of their time for the GIL, which thread {thread} holds in {} ({at}).",
        percent(share),
        function.name
    );
    Some(Found { headline, finding: Finding { code: "gil_contention", text, component: None, share } })
}

/// Mean wall and CPU time of a matching transaction, in nanoseconds.
fn means(data: &SessionData) -> Option<(f64, f64)> {
    let count = data.traced.latency.count().saturating_add(data.control.latency.count());
    let wall = data.traced.wall_sum_ns.saturating_add(data.control.wall_sum_ns);
    let cpu = data.traced.cpu_sum_ns.saturating_add(data.control.cpu_sum_ns);
    // Without any CPU time there is no clock for it.
    (count > 0 && cpu > 0).then(|| (wall as f64 / count as f64, cpu as f64 / count as f64))
}

/// Threads that begin in the same function, and never serve requests.
struct Rival {
    busy_ns: u64,
    /// The function of theirs that was on the CPU most.
    function: SymbolId,
    /// Its hottest line.
    line: u32,
}

/// The busiest threads that serve no requests.
///
/// A thread that serves requests is between them for a moment now and then, and a sample of that moment carries the
/// CPU time of the request before. So threads are told apart by the function that they begin with, below what all
/// threads begin with: those that share it with a request are left out.
fn busiest_rival(data: &SessionData) -> Option<Rival> {
    let nodes = &data.sample_tree.nodes;
    let entries = entries(data);
    let serves = |kind| matches!(kind, ThreadKind::Target | ThreadKind::Web);
    let serving: BTreeSet<SymbolId> =
        nodes.iter().zip(&entries).filter(|(node, _)| serves(node.kind)).filter_map(|(_, entry)| *entry).collect();
    let has_cpu_times = nodes.iter().any(|node| node.self_cpu_ns > 0);
    // By entry, function, line.
    let mut busy: BTreeMap<SymbolId, BTreeMap<(SymbolId, u32), u64>> = BTreeMap::new();
    for (node, entry) in nodes.iter().zip(&entries).filter(|(node, _)| !serves(node.kind)) {
        let Some(entry) = entry.filter(|entry| !serving.contains(entry)) else { continue };
        let lines = busy.entry(entry).or_default().entry((node.symbol, node.line)).or_default();
        *lines = lines.saturating_add(busy_ns(node, has_cpu_times));
    }
    let sum = |lines: &BTreeMap<(SymbolId, u32), u64>| lines.values().fold(0_u64, |sum, ns| sum.saturating_add(*ns));
    let lines = busy.into_values().max_by_key(sum)?;
    let mut functions: BTreeMap<SymbolId, u64> = BTreeMap::new();
    for ((function, _), ns) in &lines {
        let total = functions.entry(*function).or_default();
        *total = total.saturating_add(*ns);
    }
    let function = functions.into_iter().max_by_key(|(_, ns)| *ns)?.0;
    let line = lines.iter().filter(|((of, _), _)| *of == function).max_by_key(|(_, ns)| **ns)?.0.1;
    Some(Rival { busy_ns: sum(&lines), function, line })
}

/// For each node the function that its thread begins with; `None` above it.
fn entries(data: &SessionData) -> Vec<Option<SymbolId>> {
    let mut entries: Vec<Option<SymbolId>> = Vec::with_capacity(data.sample_tree.nodes.len());
    for node in &data.sample_tree.nodes {
        let above = node.parent.and_then(|parent| entries[parent as usize]);
        let entry = above.or_else(|| (!begins_any_thread(&data.symbols[node.symbol].file)).then_some(node.symbol));
        entries.push(entry);
    }
    entries
}

/// Whether a file of the standard library only starts what others wrote.
fn begins_any_thread(file: &str) -> bool {
    let file = file.replace('\\', "/");
    file.starts_with('<')
        || ["/threading.py", "/concurrent/futures/thread.py", "/runpy.py"].iter().any(|end| file.ends_with(end))
}

/// Time on the CPU of the samples that ended here.
fn busy_ns(node: &SampleTreeNode, has_cpu_times: bool) -> u64 {
    if has_cpu_times {
        return node.self_cpu_ns;
    }
    node.self_states[ThreadState::OnCpu as usize]
}
