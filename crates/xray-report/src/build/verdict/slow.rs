//! One component that takes a large share itself: a query, a function, a line that calls C code, a template.

use super::limits::{AGREEMENT, LATE_PERIODS, REPEATS, SAMPLES_TO_CONTRADICT, stands_out};
use super::samples::FunctionSamples;
use super::{Evidence, Found, percent};
use crate::build::components::Tally;
use crate::build::notes::samples_need_gil;
use crate::model::Finding;
use crate::view::numbers::{counted, duration};
use crate::view::place::{is_library, place};
use xray_core::model::{Symbol, SymbolKind};

pub(super) fn find(evidence: &Evidence<'_>) -> Vec<Found> {
    let paths = evidence.paths;
    let large = |tally: &&Tally| stands_out(paths.share(tally.self_ns), paths.per_transaction(tally.self_ns));
    evidence.components.tallies.iter().filter(large).filter_map(|tally| told(evidence, tally)).collect()
}

fn told(evidence: &Evidence<'_>, tally: &Tally) -> Option<Found> {
    let symbol = &evidence.data.symbols[tally.symbol];
    let times = evidence.paths.per_transaction(tally.calls);
    match symbol.kind {
        // Many calls of one statement are an N+1, which has its own finding.
        SymbolKind::Sql if times < REPEATS => Some(query(evidence, tally, symbol)),
        SymbolKind::Sql => None,
        SymbolKind::Function => function(evidence, tally, symbol),
        SymbolKind::Template => Some(segment(evidence, tally, symbol, "slow_template", "Slow template")),
        SymbolKind::External => Some(segment(evidence, tally, symbol, "slow_component", "Slow external call")),
        SymbolKind::Cache => Some(segment(evidence, tally, symbol, "slow_component", "Slow cache")),
        SymbolKind::Queue => Some(segment(evidence, tally, symbol, "slow_component", "Slow queue")),
        SymbolKind::Await => Some(segment(evidence, tally, symbol, "slow_component", "Waiting")),
        SymbolKind::Gc => Some(segment(evidence, tally, symbol, "slow_component", "Garbage collection")),
        // The time between traced calls, and what a bound cut: there is no one to name.
        SymbolKind::Transaction | SymbolKind::Thread | SymbolKind::Other => None,
    }
}

fn query(evidence: &Evidence<'_>, tally: &Tally, symbol: &Symbol) -> Found {
    let name = &symbol.name;
    let headline = format!("One query takes {} of the time: {name}{}.", share(evidence, tally), from(evidence, tally));
    found(evidence, tally, "slow_query", headline, format!("Slow query: {name}{}", costs(evidence, tally)))
}

fn segment(evidence: &Evidence<'_>, tally: &Tally, symbol: &Symbol, code: &'static str, what: &str) -> Found {
    let name = &symbol.name;
    let headline = format!("{what} takes {} of the time: {name}.", share(evidence, tally));
    found(evidence, tally, code, headline, format!("{what}: {name}{}", costs(evidence, tally)))
}

fn function(evidence: &Evidence<'_>, tally: &Tally, symbol: &Symbol) -> Option<Found> {
    let (samples, share_ns) = (&evidence.samples, share(evidence, tally));
    let sampled = samples.count >= SAMPLES_TO_CONTRADICT;
    if sampled && samples.self_share(tally.symbol) < AGREEMENT * evidence.paths.share(tally.self_ns) {
        return None;
    }
    let here = place(Some(&symbol.file), Some(symbol.line));
    let name = format!("{} ({here})", symbol.name);
    let own = samples.function(tally.symbol).filter(|own| own.enough());
    if own.is_some_and(FunctionSamples::mostly_asleep) {
        let headline = format!("One function waits for {share_ns} of the time: {name}.");
        let text = format!("Waiting: {name} is off the CPU for most of its time{}", costs(evidence, tally));
        return Some(found(evidence, tally, "slow_component", headline, text));
    }
    if let Some(line) = own.and_then(|own| line_in_c(evidence, own)) {
        let at = place(Some(&symbol.file), Some(line));
        let headline = format!("One line takes {share_ns} of the time: {at}, in {}.", symbol.name);
        let text = format!(
            "Slow C call: {} spends its time at {at}, in C code that this line calls or in the line itself{}",
            symbol.name,
            costs(evidence, tally)
        );
        return Some(found(evidence, tally, "slow_c_call", headline, text));
    }
    let headline = format!("One Python function takes {share_ns} of the time: {name}.");
    let line = own.and_then(FunctionSamples::hottest_line);
    let line = line.map_or_else(String::new, |line| format!(", most of it at line {line}"));
    let text =
        format!("Hot function: {name}{line}: its own code and the C functions that it calls{}", costs(evidence, tally));
    Some(found(evidence, tally, "hot_function", headline, text))
}

/// The line whose call into C takes a function's time, as far as samples can tell.
fn line_in_c(evidence: &Evidence<'_>, own: &FunctionSamples) -> Option<u32> {
    let line = own.only_line()?;
    // Under the GIL the samples of a loop in Python gather at the one line where the interpreter lets go of it. Only
    // C code makes the sampler late.
    let period_ns = 1e9 / f64::from(evidence.data.sample_stats.rate_hz.max(1));
    let late = own.mean_weight_ns() >= LATE_PERIODS * period_ns;
    (late || !samples_need_gil(evidence.data)).then_some(line)
}

fn share(evidence: &Evidence<'_>, tally: &Tally) -> String {
    percent(evidence.paths.share(tally.self_ns))
}

/// `, 45.1 ms a request in 1 call, from tag_detail (blog/views.py:42).`
fn costs(evidence: &Evidence<'_>, tally: &Tally) -> String {
    let each = duration(evidence.paths.per_transaction(tally.self_ns) as u64);
    let times = evidence.paths.per_transaction(tally.calls);
    let calls = if times < 1.5 { counted(1, "call", "calls") } else { format!("{times:.0} calls") };
    format!(", {each} a request in {calls}{}.", from(evidence, tally))
}

/// The application's function that leads to the most of it.
fn from(evidence: &Evidence<'_>, tally: &Tally) -> String {
    let (paths, symbols) = (evidence.paths, &evidence.data.symbols);
    let own = (0..paths.nodes.len()).filter(|at| paths.inside[*at] && paths.symbol(*at) == tally.symbol);
    let Some(heaviest) = own.max_by_key(|at| (paths.nodes[*at].total_ns, std::cmp::Reverse(*at))) else {
        return String::new();
    };
    let ours = |at: &usize| {
        let symbol = &symbols[paths.symbol(*at)];
        symbol.kind == SymbolKind::Function && !symbol.file.is_empty() && !is_library(&symbol.file)
    };
    let caller = paths.above(heaviest).find(ours).map(|at| &symbols[paths.symbol(at)]);
    caller.map_or_else(String::new, |caller| {
        format!(", from {} ({})", caller.name, place(Some(&caller.file), Some(caller.line)))
    })
}

fn found(evidence: &Evidence<'_>, tally: &Tally, code: &'static str, headline: String, text: String) -> Found {
    let share = evidence.paths.share(tally.self_ns);
    Found { headline, finding: Finding { code, text, component: evidence.components.id(tally.symbol), share } }
}
