//! The N+1: one statement (or call to a cache or service) many times in one request, from one place.

use super::limits::{REPEATED_NS, REPEATED_SHARE, REPEATS};
use super::{Evidence, Found, percent};
use crate::model::Finding;
use crate::view::numbers::duration;
use crate::view::place::{is_library, place};
use std::collections::{BTreeMap, BTreeSet};
use xray_core::model::{SymbolId, SymbolKind};

/// All statements of one shape below one caller.
#[derive(Default)]
struct Loop {
    calls: u64,
    /// The nodes right below the caller that lead to the statement: their time is what the loop costs, the ORM's work
    /// around each statement included.
    steps: BTreeSet<usize>,
}

/// The finding's code.
pub(super) const CODE: &str = "n_plus_one";

pub(super) fn find(evidence: &Evidence<'_>) -> Vec<Found> {
    let mut loops: BTreeMap<(SymbolId, Option<SymbolId>), Loop> = BTreeMap::new();
    for (at, node) in evidence.paths.nodes.iter().enumerate().filter(|(at, _)| evidence.paths.inside[*at]) {
        let kind = evidence.data.symbols[node.symbol].kind;
        if !matches!(kind, SymbolKind::Sql | SymbolKind::Cache | SymbolKind::External | SymbolKind::Queue) {
            continue;
        }
        if evidence.paths.owner[at] != node.symbol {
            // Below another one: how a call came out, or what its client does with it.
            continue;
        }
        let (caller, step) = caller(evidence, at);
        let entry = loops.entry((node.symbol, caller.map(|caller| evidence.paths.symbol(caller)))).or_default();
        entry.calls = entry.calls.saturating_add(node.calls);
        entry.steps.insert(step);
    }
    loops.into_iter().filter_map(|((symbol, caller), repeated)| told(evidence, symbol, caller, &repeated)).collect()
}

/// The application's function that asked: the nearest one in the file of the call site, else the nearest one that is
/// not a library's. And the node right below it on the way to `at`.
fn caller(evidence: &Evidence<'_>, at: usize) -> (Option<usize>, usize) {
    let symbols = &evidence.data.symbols;
    let site = &symbols[evidence.paths.symbol(at)].file;
    let nearest = |wanted: &dyn Fn(&str) -> bool| {
        let mut step = at;
        for above in evidence.paths.above(at) {
            let symbol = &symbols[evidence.paths.symbol(above)];
            if symbol.kind == SymbolKind::Function && wanted(&symbol.file) {
                return Some((above, step));
            }
            step = above;
        }
        None
    };
    let found = nearest(&|file| !site.is_empty() && file == site).or_else(|| nearest(&|file| !is_library(file)));
    found.map_or((None, at), |(caller, step)| (Some(caller), step))
}

fn told(evidence: &Evidence<'_>, symbol: SymbolId, caller: Option<SymbolId>, repeated: &Loop) -> Option<Found> {
    let paths = evidence.paths;
    let total_ns = repeated.steps.iter().fold(0_u64, |sum, step| sum.saturating_add(paths.nodes[*step].total_ns));
    let (times, share, each_ns) =
        (paths.per_transaction(repeated.calls), paths.share(total_ns), paths.per_transaction(total_ns));
    if times < REPEATS || share < REPEATED_SHARE || each_ns < REPEATED_NS {
        return None;
    }
    let statement = &evidence.data.symbols[symbol];
    let from = match caller.map(|caller| &evidence.data.symbols[caller]) {
        Some(caller) if caller.file == statement.file || statement.file.is_empty() => {
            let line = if statement.file.is_empty() { caller.line } else { statement.line };
            format!(" from {} ({})", caller.name, place(Some(&caller.file), Some(line)))
        }
        _ if !statement.file.is_empty() => format!(" from {}", place(Some(&statement.file), Some(statement.line))),
        Some(caller) => format!(" from {} ({})", caller.name, place(Some(&caller.file), Some(caller.line))),
        None => String::new(),
    };
    let name = &statement.name;
    let text = format!(
        "N+1: {name} runs {times:.0} times a request{from}; with the work around it that is {} a request.",
        duration(each_ns as u64)
    );
    Some(Found {
        headline: format!("An N+1 takes {} of the time: {name}, {times:.0} times a request{from}.", percent(share)),
        finding: Finding { code: CODE, text, component: evidence.components.id(symbol), share },
    })
}
