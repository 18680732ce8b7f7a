//! The transaction names seen in this process, each once, with how often and how slow: what `xray transactions` shows.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use xray_core::control::protocol::TransactionSummary;
use xray_core::limits::{RECENT_TIMES, TRANSACTION_NAMES};
use xray_core::model::TransactionKind;
use xray_core::target::TransactionName;

const MINUTE_NS: u64 = 60_000_000_000;

/// Index of a name in this process's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NameId(u32);

impl NameId {
    /// As a number for integrations.
    pub(crate) fn number(self) -> u32 {
        self.0
    }

    /// As an index.
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// The parts of a name, as an integration gives them.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a> {
    pub(crate) method: Option<&'a str>,
    pub(crate) route: Option<&'a str>,
    pub(crate) handler: Option<&'a str>,
    pub(crate) url_name: Option<&'a str>,
}

/// A method as it may be part of a name: what a client invents must not make new names.
pub(crate) fn method_name(method: &str) -> &str {
    match method {
        "CONNECT" | "DELETE" | "GET" | "HEAD" | "OPTIONS" | "PATCH" | "POST" | "PUT" | "TRACE" => method,
        _ => "OTHER",
    }
}

/// One name and its numbers.
#[derive(Clone)]
pub(crate) struct Seen {
    name: Arc<TransactionName>,
    count: u64,
    /// Minute of `this_minute`, since the agent's start.
    minute: u64,
    this_minute: u64,
    last_minute: u64,
    /// Wall times in microseconds, a ring of the last [`RECENT_TIMES`].
    recent_us: Vec<u32>,
    next: usize,
}

/// All names, bounded. Working a name out (templates are parsed) takes microseconds, so it is done once for each.
pub(crate) struct NameTable {
    seen: Vec<Seen>,
    index: Option<HashMap<String, NameId>>,
    key: String,
}

impl NameTable {
    pub(crate) const fn new() -> Self {
        Self { seen: Vec::new(), index: None, key: String::new() }
    }

    /// The id of a routed name.
    pub(crate) fn routed(&mut self, kind: TransactionKind, parts: Parts<'_>) -> NameId {
        let Parts { method, route, handler, url_name } = parts;
        self.key.clear();
        self.key.push_str(kind_name(kind));
        for part in [method, route, handler, url_name] {
            self.key.push('\0');
            // "None" and "empty" are different names.
            self.key.push_str(part.unwrap_or("\u{1}"));
        }
        self.intern(kind, || TransactionName::routed(kind, method, route, handler, url_name))
    }

    /// The id of a plain name.
    pub(crate) fn plain(&mut self, kind: TransactionKind, name: &str) -> NameId {
        self.key.clear();
        self.key.push_str(kind_name(kind));
        self.key.push_str(name);
        self.intern(kind, || TransactionName::plain(kind, name))
    }

    fn intern(&mut self, kind: TransactionKind, make: impl FnOnce() -> TransactionName) -> NameId {
        let index = self.index.get_or_insert_default();
        if let Some(id) = index.get(&self.key) {
            return *id;
        }
        let name = if self.seen.len() < TRANSACTION_NAMES {
            make()
        } else {
            // Names that carry data must not fill the memory: the rest share one for each kind.
            self.key.clear();
            self.key.push_str(kind_name(kind));
            self.key.push_str("\0other");
            if let Some(id) = index.get(&self.key) {
                return *id;
            }
            TransactionName::plain(kind, "(other names)")
        };
        let id = NameId(self.seen.len() as u32);
        index.insert(self.key.clone(), id);
        self.seen.push(Seen {
            name: Arc::new(name),
            count: 0,
            minute: 0,
            this_minute: 0,
            last_minute: 0,
            recent_us: Vec::new(),
            next: 0,
        });
        id
    }

    /// The id with this number.
    pub(crate) fn numbered(&self, number: u32) -> Option<NameId> {
        ((number as usize) < self.seen.len()).then_some(NameId(number))
    }

    /// The name with this id.
    pub(crate) fn name(&self, id: NameId) -> &TransactionName {
        &self.seen[id.index()].name
    }

    /// Counts one transaction that ended at `now_ns` after `wall_ns`.
    pub(crate) fn record(&mut self, id: NameId, now_ns: u64, wall_ns: u64) {
        let seen = &mut self.seen[id.index()];
        seen.roll(now_ns);
        seen.count += 1;
        seen.this_minute += 1;
        let us = u32::try_from(wall_ns / 1_000).unwrap_or(u32::MAX);
        if seen.recent_us.len() < RECENT_TIMES {
            seen.recent_us.push(us);
        } else {
            seen.recent_us[seen.next] = us;
            seen.next = (seen.next + 1) % RECENT_TIMES;
        }
    }

    /// In a forked child: what was counted so far is the parent's. The names stay, for transactions that are open.
    pub(crate) fn forget_counts(&mut self) {
        for seen in &mut self.seen {
            (seen.count, seen.this_minute, seen.last_minute, seen.next) = (0, 0, 0, 0);
            seen.recent_us.clear();
        }
    }

    /// A copy of all names that were seen, to be summarised without the GIL.
    pub(crate) fn snapshot(&self) -> Vec<Seen> {
        self.seen.iter().filter(|seen| seen.count > 0).cloned().collect()
    }
}

/// Numbers by shown name: what differs only by method is one.
pub(crate) fn summarize(seen: Vec<Seen>, now_ns: u64) -> BTreeMap<(String, TransactionKind), TransactionSummary> {
    let mut times: BTreeMap<(String, TransactionKind), Vec<u32>> = BTreeMap::new();
    let mut summaries: BTreeMap<(String, TransactionKind), TransactionSummary> = BTreeMap::new();
    for mut seen in seen {
        seen.roll(now_ns);
        let key = (seen.name.display().to_owned(), seen.name.kind());
        times.entry(key.clone()).or_default().append(&mut seen.recent_us);
        let summary = summaries.entry(key).or_insert_with(|| never_seen(&seen.name));
        summary.count += seen.count;
        // Until the first whole minute is over, what there is of it is the best answer.
        summary.per_minute += if now_ns < MINUTE_NS { seen.this_minute as f64 } else { seen.last_minute as f64 };
    }
    for (key, mut times) in times {
        times.sort_unstable();
        if let Some(summary) = summaries.get_mut(&key) {
            (summary.p50_ns, summary.p95_ns) = (quantile_ns(&times, 0.50), quantile_ns(&times, 0.95));
        }
    }
    summaries
}

/// A summary without numbers.
pub(crate) fn never_seen(name: &TransactionName) -> TransactionSummary {
    TransactionSummary {
        name: name.display().to_owned(),
        kind: kind_name(name.kind()).to_owned(),
        handler: name.handler().map(str::to_owned),
        url_name: name.url_name().map(str::to_owned),
        count: 0,
        per_minute: 0.0,
        p50_ns: 0,
        p95_ns: 0,
    }
}

impl Seen {
    /// Its name.
    pub(crate) fn name(&self) -> &TransactionName {
        &self.name
    }

    fn roll(&mut self, now_ns: u64) {
        let minute = now_ns / MINUTE_NS;
        if minute > self.minute {
            self.last_minute = if minute == self.minute + 1 { self.this_minute } else { 0 };
            (self.this_minute, self.minute) = (0, minute);
        }
    }
}

/// Nearest-rank quantile.
fn quantile_ns(sorted_us: &[u32], quantile: f64) -> u64 {
    let rank = (quantile * sorted_us.len() as f64).ceil() as usize;
    sorted_us.get(rank.saturating_sub(1)).map_or(0, |us| u64::from(*us) * 1_000)
}

fn kind_name(kind: TransactionKind) -> &'static str {
    match kind {
        TransactionKind::Web => "web",
        TransactionKind::Background => "background",
        TransactionKind::Other => "other",
    }
}
