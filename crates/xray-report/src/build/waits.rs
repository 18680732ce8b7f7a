//! What threads waited for.

use super::words;
use crate::model::{GilHolder, Wait};
use std::collections::BTreeMap;
use xray_core::model::{self, SessionData, SymbolId, ThreadKind, WaitedOn};

/// System calls in which a server's thread sleeps until there is work. A thread in no transaction is idle in them; one
/// in a transaction waits for an answer.
const FOR_WORK: &[&str] = &[
    "accept",
    "accept4",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_wait",
    "futex",
    "futex_wait",
    "futex_waitv",
    "poll",
    "ppoll",
    "pselect6",
    "select",
];

/// One line for each kind of thread and what it waited for; the longest first. Lines of one function are one: the
/// line that was seen longest.
pub(super) fn waits(data: &SessionData) -> Vec<Wait> {
    let mut by_line: BTreeMap<(ThreadKind, Merged), BTreeMap<u32, u64>> = BTreeMap::new();
    for (wait, ns) in &data.waits {
        let (merged, line) = merged(wait);
        let sum = by_line.entry((wait.kind, merged)).or_default().entry(line).or_default();
        *sum = sum.saturating_add(*ns);
    }
    let mut waits: Vec<_> = by_line
        .into_iter()
        .map(|((kind, merged), lines)| {
            let ns = lines.values().fold(0_u64, |sum, ns| sum.saturating_add(*ns));
            let line =
                lines.into_iter().max_by_key(|(line, ns)| (*ns, std::cmp::Reverse(*line))).map_or(0, |(line, _)| line);
            entry(data, kind, merged, line, ns)
        })
        .collect();
    waits.sort_by_key(|wait| std::cmp::Reverse(wait.ns));
    waits
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Merged {
    Held(ThreadKind, SymbolId, SymbolId),
    Free,
    Call(SymbolId),
}

fn merged(wait: &model::Wait) -> (Merged, u32) {
    match wait.on {
        WaitedOn::Gil(Some(holder)) => (Merged::Held(holder.kind, holder.thread, holder.function), holder.line),
        WaitedOn::Gil(None) => (Merged::Free, 0),
        WaitedOn::Call(call) => (Merged::Call(call), 0),
    }
}

fn entry(data: &SessionData, kind: ThreadKind, merged: Merged, line: u32, ns: u64) -> Wait {
    let wait = Wait { thread_kind: words::thread_kind(kind), on: "gil", ns, holder: None, call: None, idle: false };
    match merged {
        Merged::Free => wait,
        Merged::Held(kind, thread, function) => {
            let function = &data.symbols[function];
            let holder = GilHolder {
                thread_kind: words::thread_kind(kind),
                thread: data.symbols[thread].name.clone(),
                function: function.name.clone(),
                file: words::file(function),
                line: if line > 0 { Some(line) } else { words::line(function) },
            };
            Wait { holder: Some(holder), ..wait }
        }
        Merged::Call(call) => {
            let call = data.symbols[call].name.clone();
            let idle = kind == ThreadKind::Other && FOR_WORK.contains(&call.as_str());
            Wait { on: "system_call", call: Some(call), idle, ..wait }
        }
    }
}
