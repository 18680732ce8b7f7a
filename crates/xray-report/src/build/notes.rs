//! Sentences for the reader: those of the session, and those that follow from its numbers.

use xray_core::model::{Note, NoteCode, ProcessEnd, ProcessInfo, SessionData, Severity};

/// Fewer traced transactions than this describe those transactions, not the route.
const FEW_TRACED: u64 = 30;

/// All notes, sorted; a note of the session stands for a derived one with the same code.
pub(super) fn notes(data: &SessionData) -> Vec<Note> {
    let mut notes = data.notes.clone();
    let derived = [lost(data), nothing_matched(data), few(data), sampled_under_gil(data), beside(data)];
    for note in derived.into_iter().flatten() {
        if data.notes.iter().all(|own| own.code != note.code) {
            notes.push(note);
        }
    }
    notes.extend(data.processes.iter().filter_map(|process| untraced(data, process)));
    notes.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.cmp(b)));
    notes.dedup();
    notes
}

fn note(code: &str, severity: Severity, message: String) -> Note {
    Note { code: NoteCode(code.to_owned()), severity, message }
}

fn name(process: &ProcessInfo) -> String {
    format!("{} on {}", process.pid, process.host)
}

fn lost(data: &SessionData) -> Option<Note> {
    let lost: Vec<String> = data.processes.iter().filter(|p| p.end == ProcessEnd::Lost).map(name).collect();
    let message = match lost.as_slice() {
        [] => return None,
        [one] => format!("Process {one} was lost before it finished its part: what it had not yet written is missing."),
        [first, ..] => format!(
            "{} processes ({first}, ...) were lost before they finished their parts: what they had not yet written is \
             missing.",
            lost.len()
        ),
    };
    Some(note("process_lost", Severity::Warning, message))
}

fn nothing_matched(data: &SessionData) -> Option<Note> {
    let counts = &data.requests;
    (counts.matched() == 0).then(|| {
        let (given, other) = (&data.header.target.given, counts.other);
        let message =
            format!("No transaction matched {given}; {other} others ran. `xray transactions` lists the names.");
        note("nothing_matched", Severity::Warning, message)
    })
}

fn few(data: &SessionData) -> Option<Note> {
    let traced = data.requests.traced;
    (traced > 0 && traced < FEW_TRACED).then(|| {
        let message = format!(
            "Only {traced} transactions were traced: shares and percentiles describe these, not the route in general."
        );
        note("few_traced", Severity::Info, message)
    })
}

/// Whether every process that sampled did it under the GIL.
pub(super) fn samples_need_gil(data: &SessionData) -> bool {
    data.processes.iter().any(|process| process.capabilities.sampler.name == "gil")
}

fn sampled_under_gil(data: &SessionData) -> Option<Note> {
    samples_need_gil(data).then(|| {
        let message = "Threads were sampled under the GIL: C code that holds it is seen only when it lets go, so its \
                       samples are few and heavy and stand at the line that called it.";
        note("sampled_under_gil", Severity::Info, message.to_owned())
    })
}

fn beside(data: &SessionData) -> Option<Note> {
    let ns = super::call_paths::CallPaths::of(data).beside_ns;
    (ns > 0).then(|| {
        let message = format!(
            "Threads started by the traced transactions ran for {:.1} ms beside them: the call tree and the traces show \
             it, the components do not.",
            ns as f64 / 1e6
        );
        note("threads_beside", Severity::Info, message)
    })
}

fn untraced(data: &SessionData, process: &ProcessInfo) -> Option<Note> {
    let tracer = &process.capabilities.tracer;
    (tracer.name == "none" && data.notes.iter().all(|own| own.code.0 != "not_traced")).then(|| {
        let message = format!("Process {} traced nothing: {}.", name(process), tracer.reason.trim_end_matches('.'));
        note("not_traced", Severity::Warning, message)
    })
}
