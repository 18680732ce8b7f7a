//! Model values as the words, places and instants of the report.

use jiff::Timestamp;
use xray_core::model::{
    LossKind, ProcessEnd, Severity, StoppedBy, Symbol, SymbolKind, TargetKind, ThreadKind, ThreadState, TraceId,
};

/// RFC 3339, UTC, to the nanosecond where there are any; instants beyond year 9999 are the last that can be written.
pub(super) fn instant(unix_ns: u64) -> String {
    Timestamp::from_nanosecond(i128::from(unix_ns)).unwrap_or(Timestamp::MAX).to_string()
}

pub(super) fn trace_id(id: TraceId) -> String {
    format!("{:016x}", id.0)
}

pub(super) fn file(symbol: &Symbol) -> Option<String> {
    (!symbol.file.is_empty()).then(|| symbol.file.clone())
}

pub(super) fn line(symbol: &Symbol) -> Option<u32> {
    (symbol.line > 0).then_some(symbol.line)
}

pub(super) fn detail(symbol: &Symbol) -> Option<String> {
    (!symbol.detail.is_empty()).then(|| symbol.detail.clone())
}

pub(super) fn target_kind(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::Route => "route",
        TargetKind::Handler => "handler",
        TargetKind::UrlName => "url_name",
        TargetKind::Plain => "plain",
        TargetKind::Glob => "glob",
        TargetKind::Regex => "regex",
    }
}

pub(super) fn stopped_by(by: StoppedBy) -> &'static str {
    match by {
        StoppedBy::Time => "time",
        StoppedBy::Traces => "traces",
        StoppedBy::User => "user",
        StoppedBy::Exit => "exit",
        StoppedBy::Refused => "refused",
        StoppedBy::Lost => "lost",
    }
}

pub(super) fn process_end(end: ProcessEnd) -> &'static str {
    match end {
        ProcessEnd::Finished => "finished",
        ProcessEnd::Exited => "exited",
        ProcessEnd::Lost => "lost",
    }
}

pub(super) fn symbol_kind(kind: SymbolKind) -> &'static str {
    match kind {
        SymbolKind::Transaction => "transaction",
        SymbolKind::Function => "function",
        SymbolKind::Sql => "sql",
        SymbolKind::Template => "template",
        SymbolKind::External => "external",
        SymbolKind::Cache => "cache",
        SymbolKind::Queue => "queue",
        SymbolKind::Gc => "gc",
        SymbolKind::Await => "await",
        SymbolKind::Thread => "thread",
        SymbolKind::Other => "other",
    }
}

pub(super) fn thread_kind(kind: ThreadKind) -> &'static str {
    match kind {
        ThreadKind::Target => "target",
        ThreadKind::Web => "web",
        ThreadKind::Background => "background",
        ThreadKind::Other => "other",
    }
}

pub(super) fn thread_state(state: ThreadState) -> &'static str {
    match state {
        ThreadState::OnCpu => "on_cpu",
        ThreadState::Waiting => "waiting_for_core",
        ThreadState::Blocked => "blocked",
        ThreadState::Unknown => "unknown",
        ThreadState::WaitingForGil => "waiting_for_gil",
    }
}

pub(super) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
    }
}

pub(super) fn loss_kind(kind: LossKind) -> &'static str {
    match kind {
        LossKind::TraceChannel => "trace_channel",
        LossKind::SampleChannel => "sample_channel",
        LossKind::PathsFolded => "paths_folded",
        LossKind::SampleTreeFull => "sample_tree_full",
        LossKind::CallTreeFull => "call_tree_full",
        LossKind::UnmatchedReturns => "unmatched_returns",
        LossKind::SymbolsFull => "symbols_full",
        LossKind::Recorders => "recorders",
        LossKind::RecordChannel => "record_channel",
        LossKind::FileBytes => "file_bytes",
        LossKind::FileChunks => "file_chunks",
        LossKind::WriteErrors => "write_errors",
        LossKind::Arguments => "arguments",
    }
}
