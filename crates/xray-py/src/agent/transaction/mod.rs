//! A transaction, from begin to end: the application's side of a session.

mod current;
mod timed;

pub(crate) use timed::{Requests, asked, contexts_are_needed, find as find_timed};

pub(crate) use current::{answering_request, current, current_request, is_in_target, strand_of_running_context};

use crate::agent::labels::{self, Labels};
use crate::agent::names::{NameId, Parts, method_name};
use crate::agent::session::LiveTrace;
use crate::agent::state::{self, STATE};
use crate::agent::text::Text;
use crate::cpython::frames::Label;
use crate::cpython::function_wrapper::When;
use crate::cpython::gil_cell::GilCell;
use crate::cpython::reference::Referred;
use crate::os::clock;
use current::{enter_context, of_context};
use pyo3::prelude::*;
use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};
use xray_core::model::{ThreadKind, TransactionKind};
use xray_core::session::Arm;

/// Transactions around one another that are remembered: more were begun and never ended.
const MOST_NESTED: u32 = 64;

/// Status from which a response counts as an error.
const ERROR_STATUS: u16 = 500;

/// Transactions that there are, ended or not. Changed with the GIL held.
static THERE_ARE: AtomicUsize = AtomicUsize::new(0);

/// While there are transactions, for what only concerns those.
pub(crate) struct ThereAre;

impl When for ThereAre {
    #[inline(always)]
    fn now(_py: Python<'_>) -> bool {
        THERE_ARE.load(Ordering::Relaxed) != 0
    }
}

/// What a session makes of a transaction.
enum Part {
    /// No session, or no name yet.
    Undecided,
    /// Its name does not match.
    Other,
    /// Timed, not traced.
    Control,
    /// Traced.
    Trace(Box<LiveTrace>),
}

struct Open {
    outer: Option<Py<Transaction>>,
    /// How many are around it.
    depth: u32,
    began: Began,
    name: Option<NameId>,
    /// Where what answers is mounted: in front of routes, and of url names.
    mount: Option<Box<(String, String)>>,
    /// The application itself gave the name: a route does not replace it.
    name_is_final: bool,
    /// The call of the application that answers this request runs.
    answering: bool,
    status: Option<u16>,
    error: Option<String>,
    attributes: Vec<(String, String)>,
    ended: bool,
    part: Part,
    /// Thread that began it, and its CPU time when the transaction was admitted.
    thread: u64,
    cpu_ns: u64,
    /// What contexts refer to it by.
    referred: Option<Referred>,
}

impl Open {
    /// It is over: its samples count for nobody from now on.
    fn unlabel(&self, labels: &mut Labels) {
        if let Some(referred) = &self.referred {
            labels.remove(referred.address());
        }
    }
}

/// One transaction; ends once, by `end()`, or when it is dropped (then as incomplete).
///
/// The context only refers to it: when whoever began it lets it go, it is lost at once, however long its context lives.
#[pyclass(frozen, module = "xray._xray")]
pub(crate) struct Transaction {
    kind: TransactionKind,
    /// Of a server's request, which is not one that the application marked or a task: the address of what tells it from
    /// others, which lives as long as it is answered.
    request: Option<usize>,
    /// No part of what it began in: a task that a request leaves behind.
    is_alone: bool,
    open: GilCell<Open>,
}

/// The id that `threading.get_ident()` gives.
pub(crate) fn thread_ident() -> u64 {
    crate::cpython::thread_ident()
}

/// Begins the transaction of a request, unless the running context is inside the call that answers one.
///
/// What an earlier request has left open in this context was never closed by its server. It ends here: it must not
/// swallow this one, nor stay for ever.
pub(crate) fn begin_request(py: Python<'_>, of: usize) -> PyResult<Option<Bound<'_, Transaction>>> {
    timed::find(py);
    if of_context(py).is_none() {
        return begin_with(py, TransactionKind::Web, Some(of), false, None);
    }
    if current_request(py).is_some() {
        return Ok(None);
    }
    while let Some(left) = current(py).filter(|left| left.get().request.is_some()) {
        Transaction::abandon(&left);
    }
    begin_with(py, TransactionKind::Web, Some(of), false, current(py))
}

/// Begins a transaction in the current context; one that is `alone` is no part of the one around it.
pub(crate) fn begin(py: Python<'_>, kind: TransactionKind, is_alone: bool) -> PyResult<Option<Bound<'_, Transaction>>> {
    timed::find(py);
    begin_with(py, kind, None, is_alone, current(py))
}

fn begin_with<'py>(
    py: Python<'py>,
    kind: TransactionKind,
    request: Option<usize>,
    is_alone: bool,
    outer: Option<Bound<'py, Transaction>>,
) -> PyResult<Option<Bound<'py, Transaction>>> {
    if !crate::agent::lifecycle::ensure_started(py) {
        return Ok(None);
    }
    let recording = state::is_recording();
    let began = Began {
        generation: state::generation(),
        ns: state::now_ns(),
        ticks: if recording { clock::ticks() } else { 0 },
        unix_ns: if recording { state::unix_ns() } else { 0 },
    };
    let transaction = make(py, kind, request, is_alone, outer, began)?;
    if recording {
        // A part of a matching transaction is one, too.
        let this = transaction.get();
        let around = this.around(py).map_or(Label::NONE, |around| around.get().label(py));
        let own = Label { kind: other_kind(kind), trace: None };
        this.set_label(py, if around.kind == ThreadKind::Target { around } else { own });
    }
    Ok(Some(transaction))
}

/// When a transaction began.
struct Began {
    /// The session that recorded then.
    generation: u64,
    ns: u64,
    /// The next two only while a session records.
    ticks: u64,
    unix_ns: u64,
}

/// Makes a transaction, and the running context's.
fn make<'py>(
    py: Python<'py>,
    kind: TransactionKind,
    request: Option<usize>,
    is_alone: bool,
    outer: Option<Bound<'py, Transaction>>,
    began: Began,
) -> PyResult<Bound<'py, Transaction>> {
    let outer = outer.filter(|outer| outer.get().depth(py) < MOST_NESTED);
    let open = Open {
        depth: outer.as_ref().map_or(0, |outer| outer.get().depth(py) + 1),
        outer: outer.map(Bound::unbind),
        began,
        name: None,
        mount: None,
        name_is_final: false,
        answering: request.is_some(),
        status: None,
        error: None,
        attributes: Vec::new(),
        ended: false,
        part: Part::Undecided,
        thread: thread_ident(),
        cpu_ns: 0,
        referred: None,
    };
    let transaction = Bound::new(py, Transaction { kind, request, is_alone, open: GilCell::new(open) })?;
    THERE_ARE.fetch_add(1, Ordering::Relaxed);
    let referred = Referred::new(&transaction)?;
    enter_context(&referred.reference(py))?;
    transaction.get().open.with(py, |open| open.referred = Some(referred));
    Ok(transaction)
}

fn other_kind(kind: TransactionKind) -> ThreadKind {
    match kind {
        TransactionKind::Web => ThreadKind::Web,
        TransactionKind::Background => ThreadKind::Background,
        TransactionKind::Other => ThreadKind::Other,
    }
}

#[pymethods]
impl Transaction {
    #[getter]
    fn kind(&self) -> u8 {
        match self.kind {
            TransactionKind::Web => crate::WEB,
            TransactionKind::Background => crate::BACKGROUND,
            TransactionKind::Other => crate::OTHER,
        }
    }

    #[getter]
    pub(crate) fn ended(&self, py: Python<'_>) -> bool {
        self.open.with(py, |open| open.ended).unwrap_or(false)
    }

    #[getter]
    pub(crate) fn named(&self, py: Python<'_>) -> bool {
        self.open.with(py, |open| open.name.is_some()).unwrap_or(false)
    }

    #[pyo3(signature = (method, route, handler, url_name, path))]
    fn set_route(
        &self,
        py: Python<'_>,
        method: Option<Text<'_>>,
        route: Option<Text<'_>>,
        handler: Option<Text<'_>>,
        url_name: Option<Text<'_>>,
        path: Option<Text<'_>>,
    ) -> Option<u32> {
        let (method, handler) = (method.as_deref().map(method_name), handler.as_deref());
        let (mut route, mut url_name) = (route.as_deref().map(Cow::from), url_name.as_deref().map(Cow::from));
        self.below_mount(py, &mut route, &mut url_name);
        let (route, url_name) = (route.as_deref(), url_name.as_deref());
        let parts = Parts { method, route, handler, url_name };
        let name = STATE.with(py, |state| state.names.routed(self.kind, parts));
        self.rename_unless_final(py, name);
        if state::is_recording() {
            let path = path.as_deref();
            self.open.with(py, |open| {
                for (key, value) in [("method", method), ("path", path), ("route", route), ("handler", handler)] {
                    if let Some(value) = value {
                        set_attribute(&mut open.attributes, key, value);
                    }
                }
            });
        }
        name.map(NameId::number)
    }

    #[pyo3(signature = (name))]
    fn set_known(&self, py: Python<'_>, name: Option<u32>) -> bool {
        // The rest of a route is kept while a session records, and a mount is part of the name.
        let Some(name) = name.filter(|_| !state::is_recording() && !self.mounted(py)) else { return false };
        let Some(name) = STATE.with(py, |state| state.names.numbered(name)).flatten() else { return false };
        self.rename_unless_final(py, Some(name));
        true
    }

    #[getter]
    fn mounted(&self, py: Python<'_>) -> bool {
        self.open.with(py, |open| open.mount.is_some()).unwrap_or(false)
    }

    #[pyo3(signature = (path, name))]
    fn mount(&self, py: Python<'_>, path: Text<'_>, name: Option<Text<'_>>) {
        self.open.with(py, |open| {
            let (paths, names) = &mut **open.mount.get_or_insert_default();
            paths.push_str(path.trim_end_matches('/'));
            if let Some(name) = name.filter(|name| !name.is_empty()) {
                names.push_str(&name);
                names.push(':');
            }
        });
    }

    #[pyo3(signature = (name, by_application=false))]
    fn set_name(&self, py: Python<'_>, name: Text<'_>, by_application: bool) {
        let name = STATE.with(py, |state| state.names.plain(self.kind, &name));
        self.open.with(py, |open| open.name_is_final |= by_application);
        self.rename(py, name);
    }

    fn returned(&self, py: Python<'_>) {
        self.open.with(py, |open| open.answering = false);
    }

    #[pyo3(name = "set_status")]
    pub(crate) fn set_status_of(&self, py: Python<'_>, status: &Bound<'_, PyAny>) {
        // What is no status of HTTP is none.
        let status = status.extract().ok();
        self.open.with(py, |open| open.status = status);
    }

    #[pyo3(name = "set_error")]
    fn set_error_of(&self, py: Python<'_>, error: Text<'_>) {
        self.set_error(py, &error);
    }

    #[pyo3(name = "set_attribute")]
    fn set_attribute_of(&self, py: Python<'_>, key: Text<'_>, value: Text<'_>) {
        self.set_attribute(py, &key, &value);
    }

    pub(crate) fn end(slf: &Bound<'_, Self>) {
        let py = slf.py();
        let this = slf.get();
        if this.ended(py) {
            return;
        }
        this.leave_context(slf);
        this.finish(py);
    }

    pub(crate) fn abandon(slf: &Bound<'_, Self>) {
        let py = slf.py();
        let this = slf.get();
        if this.ended(py) {
            return;
        }
        this.leave_context(slf);
        this.lose(py);
    }
}

fn set_attribute(attributes: &mut Vec<(String, String)>, key: &str, value: &str) {
    /// Attributes of one trace, and characters of one value.
    const MOST: (usize, usize) = (32, 1024);
    let value = value.chars().take(MOST.1).collect();
    if let Some(position) = attributes.iter().position(|(known, _)| known == key) {
        attributes[position].1 = value;
    } else if attributes.len() < MOST.0 {
        attributes.push((key.to_owned(), value));
    }
}

impl Transaction {
    /// Notes the status of its response.
    pub(crate) fn set_status(&self, py: Python<'_>, status: u16) {
        self.open.with(py, |open| open.status = Some(status));
    }

    /// Notes the type of the exception that ended it.
    pub(crate) fn set_error(&self, py: Python<'_>, error: &str) {
        self.open.with(py, |open| open.error = Some(error.to_owned()));
    }

    /// Notes what is kept with its trace.
    pub(crate) fn set_attribute(&self, py: Python<'_>, key: &str, value: &str) {
        if state::is_recording() {
            self.open.with(py, |open| set_attribute(&mut open.attributes, key, value));
        }
    }

    /// Gives it a name, unless the application has named it.
    fn rename_unless_final(&self, py: Python<'_>, name: Option<NameId>) {
        if self.open.with(py, |open| !open.name_is_final).unwrap_or(false) {
            self.rename(py, name);
        }
    }

    /// Puts what is mounted where in front of a route and an url name.
    fn below_mount(&self, py: Python<'_>, route: &mut Option<Cow<'_, str>>, url_name: &mut Option<Cow<'_, str>>) {
        self.open.with(py, |open| {
            let Some((paths, names)) = open.mount.as_deref() else { return };
            if let Some(route) = route {
                *route = format!("{paths}/{}", route.trim_start_matches('/')).into();
            }
            if let Some(url_name) = url_name {
                *url_name = format!("{names}{url_name}").into();
            }
        });
    }

    /// Gives it a name. The first one, while a session records, decides whether it is traced.
    fn rename(&self, py: Python<'_>, name: Option<NameId>) {
        self.open.with(py, |open| open.name = name.or(open.name));
        if state::is_recording() {
            self.admit(py);
        }
    }

    fn admit(&self, py: Python<'_>) {
        let inside_trace = self.around(py).is_some_and(|around| around.get().is_traced(py));
        let traced = STATE.with(py, |state| {
            let recording = state.recording.as_mut()?;
            self.open.with(py, |open| {
                if open.ended || open.began.generation != recording.generation || !matches!(open.part, Part::Undecided)
                {
                    return None;
                }
                if !open.name.is_some_and(|name| recording.matches(name, &state.names)) {
                    open.part = Part::Other;
                    return None;
                }
                open.cpu_ns = crate::os::thread::own_cpu_ns();
                open.part = match recording.admit(py, inside_trace, open.thread, open.began.ticks) {
                    Some(trace) => Part::Trace(trace),
                    None => Part::Control,
                };
                Some(match &open.part {
                    Part::Trace(trace) => Some(trace.id),
                    _ => None,
                })
            })?
        });
        if let Some(Some(trace)) = traced {
            self.set_label(py, Label { kind: ThreadKind::Target, trace });
            if trace.is_some() {
                crate::cpython::slot::forget_recorders(py);
                crate::cpython::slot::look_up_now(py);
            }
        }
    }

    fn depth(&self, py: Python<'_>) -> u32 {
        self.open.with(py, |open| open.depth).unwrap_or(0)
    }

    fn is_traced(&self, py: Python<'_>) -> bool {
        let traced = self.open.with(py, |open| {
            matches!(open.part, Part::Trace(_)) && !open.ended && open.began.generation == state::generation()
        });
        match traced {
            Some(false) => self.around(py).is_some_and(|around| around.get().is_traced(py)),
            _ => traced.is_some(),
        }
    }

    /// The transaction that this one is a part of.
    fn around<'py>(&self, py: Python<'py>) -> Option<Bound<'py, Transaction>> {
        if self.is_alone {
            return None;
        }
        self.open.with(py, |open| open.outer.as_ref().map(|outer| outer.bind(py).clone())).flatten()
    }

    /// Says to the sampler for whom samples count that are taken in its contexts.
    fn set_label(&self, py: Python<'_>, label: Label) {
        if let Some(reference) = self.reference(py) {
            STATE.with(py, |state| state.labels.set(reference, label));
        }
    }

    fn label(&self, py: Python<'_>) -> Label {
        labels::of_reference(self.reference(py).unwrap_or(0))
    }

    fn reference(&self, py: Python<'_>) -> Option<usize> {
        self.open.with(py, |open| Some(open.referred.as_ref()?.address())).flatten()
    }

    /// Makes it the running context's.
    fn enter(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let reference = slf.get().open.with(py, |open| Some(open.referred.as_ref()?.reference(py))).flatten();
        reference.map_or(Ok(()), |reference| enter_context(&reference))
    }

    /// Makes the outer transaction current again, if this one is.
    fn leave_context(&self, slf: &Bound<'_, Self>) {
        let py = slf.py();
        if self.open.with(py, |open| open.outer.is_some()) == Some(true)
            && of_context(py).is_some_and(|transaction| transaction.is(slf))
            && let Some(outer) = self.open.with(py, |open| open.outer.take()).flatten()
        {
            // Fails only without memory. An ended transaction that stays counts as none, so without an outer one it does.
            let _ = Self::enter(outer.bind(py));
        }
    }

    fn finish(&self, py: Python<'_>) {
        let now_ns = state::now_ns();
        let trace = STATE.with(py, |state| {
            self.open.with(py, |open| {
                open.ended = true;
                let wall_ns = now_ns.saturating_sub(open.began.ns);
                let unnamed = Parts { method: None, route: None, handler: None, url_name: None };
                let name = open.name.unwrap_or_else(|| state.names.routed(self.kind, unnamed));
                state.names.record(name, now_ns, wall_ns);
                let part = std::mem::replace(&mut open.part, Part::Other);
                let Some(recording) = state.recording.as_mut().filter(|r| r.generation == open.began.generation) else {
                    return matches!(part, Part::Trace(_)).then_some(part);
                };
                open.unlabel(&mut state.labels);
                let error = open.error.is_some() || open.status.is_some_and(|status| status >= ERROR_STATUS);
                let matching = recording.matches(name, &state.names);
                let same_thread = open.thread == thread_ident();
                let cpu_ns = match part {
                    Part::Undecided | Part::Other => 0,
                    _ if same_thread => crate::os::thread::own_cpu_ns().saturating_sub(open.cpu_ns),
                    _ => 0,
                };
                let arm = match (&part, matching) {
                    (_, false) => Arm::Other,
                    (Part::Trace(_), true) => Arm::Traced,
                    (_, true) => Arm::Control,
                };
                recording.count(arm, wall_ns, cpu_ns, error);
                if let Part::Trace(trace) = part {
                    set_attribute(&mut open.attributes, "name", state.names.name(name).display());
                    open.attributes.sort();
                    let description = crate::agent::session::Description {
                        started_unix_ns: open.began.unix_ns,
                        duration_ns: wall_ns,
                        cpu_ns,
                        status: open.status,
                        error: open.error.take(),
                        attributes: std::mem::take(&mut open.attributes),
                        keep: matching,
                    };
                    recording.end_trace(py, *trace, description);
                }
                None
            })
        });
        // What is dropped here belonged to a session that has ended meanwhile.
        drop(trace);
    }
}

impl Transaction {
    /// Ends it as incomplete.
    fn lose(&self, py: Python<'_>) {
        let lost =
            self.open.with(py, |open| (!std::mem::replace(&mut open.ended, true)).then_some(open.began.generation));
        if let Some(generation) = lost.flatten().filter(|generation| *generation != state::NO_RECORDING) {
            STATE.with(py, |state| {
                if let Some(recording) = state.recording.as_mut().filter(|r| r.generation == generation) {
                    self.open.with(py, |open| {
                        open.unlabel(&mut state.labels);
                        let part = std::mem::replace(&mut open.part, Part::Other);
                        recording.abandon(
                            py,
                            matches!(part, Part::Control | Part::Trace(_)),
                            match part {
                                Part::Trace(trace) => Some(trace),
                                _ => None,
                            },
                        );
                    });
                }
            });
        }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        THERE_ARE.fetch_sub(1, Ordering::Relaxed);
        let open = self.open.get_mut();
        if let Some(referred) = &open.referred {
            referred.ends();
        }
        if !open.ended {
            // Python drops it with the GIL held.
            Python::try_attach(|py| self.lose(py));
        }
    }
}
