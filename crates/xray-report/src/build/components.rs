//! Components: all calls of one function or segment over all traced transactions.

use super::call_paths::CallPaths;
use super::words;
use crate::model::Component;
use std::cmp::Reverse;
use xray_core::model::{SessionData, SymbolId, SymbolKind};

/// Components listed by name; the others are the remainder.
const LISTED: usize = 20;

/// What is known of one symbol in the traced transactions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tally {
    pub(super) symbol: SymbolId,
    pub(super) calls: u64,
    /// Callees included; of recursive calls only the outermost.
    pub(super) total_ns: u64,
    /// Callees excluded; for SQL and other calls out of the process, everything below them included.
    pub(super) self_ns: u64,
}

/// All components, most self time first. Their self times add up to the transactions' wall time.
pub(super) struct Components<'a> {
    data: &'a SessionData,
    paths: &'a CallPaths<'a>,
    pub(super) tallies: Vec<Tally>,
}

impl<'a> Components<'a> {
    pub(super) fn of(data: &'a SessionData, paths: &'a CallPaths<'a>) -> Self {
        let empty = |symbol| Tally { symbol: SymbolId(symbol as u32), calls: 0, total_ns: 0, self_ns: 0 };
        let mut tallies: Vec<Tally> = (0..data.symbols.entries().len()).map(empty).collect();
        for (at, node) in paths.nodes.iter().enumerate().filter(|(at, _)| paths.inside[*at]) {
            let owner = &mut tallies[paths.owner[at].0 as usize];
            owner.self_ns = owner.self_ns.saturating_add(node.self_ns);
            let tally = &mut tallies[node.symbol.0 as usize];
            tally.calls = tally.calls.saturating_add(node.calls);
            if !paths.recursive[at] {
                tally.total_ns = tally.total_ns.saturating_add(node.total_ns);
            }
        }
        tallies.retain(|tally| tally.calls > 0 || tally.self_ns > 0);
        tallies.sort_by_key(|tally| (Reverse(tally.self_ns), Reverse(tally.total_ns), tally.symbol));
        Self { data, paths, tallies }
    }

    /// The id in the report, if the component is listed.
    pub(super) fn id(&self, symbol: SymbolId) -> Option<String> {
        let place = self.tallies.iter().take(LISTED).position(|tally| tally.symbol == symbol)?;
        Some(id_at(place))
    }

    /// For the report: the top ones and the remainder.
    pub(super) fn listed(&self) -> Vec<Component> {
        let (top, rest) = self.tallies.split_at(self.tallies.len().min(LISTED));
        let mut listed: Vec<Component> =
            top.iter().enumerate().map(|(place, tally)| self.component(place, tally)).collect();
        if !rest.is_empty() {
            listed.push(self.remainder(rest));
        }
        listed
    }

    fn component(&self, place: usize, tally: &Tally) -> Component {
        let symbol = &self.data.symbols[tally.symbol];
        Component {
            id: id_at(place),
            name: symbol.name.clone(),
            kind: words::symbol_kind(symbol.kind),
            file: words::file(symbol),
            line: words::line(symbol),
            detail: words::detail(symbol),
            members: None,
            ..self.numbers(*tally)
        }
    }

    fn remainder(&self, rest: &[Tally]) -> Component {
        let sum = |of: fn(&Tally) -> u64| rest.iter().map(of).fold(0, u64::saturating_add);
        // One member may call another: the sum of their totals would count that time twice.
        let (calls, self_ns) = (sum(|tally| tally.calls), sum(|tally| tally.self_ns));
        Component {
            id: "remainder".to_owned(),
            name: "remainder".to_owned(),
            kind: "remainder",
            members: Some(rest.len() as u64),
            ..self.numbers(Tally { symbol: SymbolId(0), calls, total_ns: self_ns, self_ns })
        }
    }

    fn numbers(&self, tally: Tally) -> Component {
        Component {
            id: String::new(),
            name: String::new(),
            kind: words::symbol_kind(SymbolKind::Other),
            file: None,
            line: None,
            detail: None,
            calls: tally.calls,
            calls_per_request: self.paths.per_transaction(tally.calls),
            total_ns: tally.total_ns,
            self_ns: tally.self_ns,
            share: self.paths.share(tally.self_ns),
            source: "traced",
            members: None,
        }
    }
}

fn id_at(place: usize) -> String {
    format!("c{}", place + 1)
}
