//! The call of an ASGI application that answers a request or a websocket: its transaction, and the `send` that the
//! application is given, which notes the status and ends a request with the last part of its response.
//!
//! Native, because it is there for every message of every request: so it costs next to nothing, and has no frames.

use crate::agent::names::method_name;
use crate::agent::state;
use crate::agent::steps::Steps;
use crate::agent::text::Text;
use crate::agent::transaction::{self, Transaction};
use crate::cpython::coroutine;
use crate::cpython::gil_cell::GilCell;
use pyo3::exceptions::{PyException, PyGeneratorExit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use pyo3::{PyTraverseError, PyVisit, intern};

/// Status of a websocket that was accepted, and of one that was refused.
const SWITCHING_PROTOCOLS: u16 = 101;
const FORBIDDEN: u16 = 403;
/// Status from which an exception may be what the response is about.
const ERROR_STATUS: i64 = 500;

#[derive(Clone, Copy)]
enum Protocol {
    Http,
    WebSocket { accepted: bool },
}

/// See the module's description.
#[pyclass(frozen, module = "xray._xray")]
pub(crate) struct Answer {
    transaction: Py<Transaction>,
    scope: Py<PyAny>,
    send: Py<PyAny>,
    /// `name_last(app, transaction, scope)` names a transaction that nothing has named.
    name_last: Py<PyAny>,
    app: Py<PyAny>,
    protocol: GilCell<Protocol>,
}

/// Begins the transaction of a request or websocket; `None` inside one, and for what is neither.
///
/// `name_early(app, transaction, scope)` names it while a session records, before the application runs.
pub(crate) fn begin<'py>(
    app: Bound<'py, PyAny>,
    scope: Bound<'py, PyAny>,
    send: Bound<'py, PyAny>,
    name_early: &Bound<'py, PyAny>,
    name_last: Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, Answer>>> {
    let py = scope.py();
    let Some(protocol) = protocol_of(&scope) else { return Ok(None) };
    // What tells one request from another: servers make this entry of a scope anew for each request, and whoever copies
    // the scope on its way copies the reference.
    let of = entry(&scope, intern!(py, "asgi")).map_or(0, |of| of.as_ptr() as usize);
    // Both fail only without memory: the application goes on without a transaction.
    let Ok(Some(transaction)) = transaction::begin_request(py, of) else { return Ok(None) };
    if state::is_recording() {
        note_request(transaction.get(), &scope, protocol);
        unless_interrupted(py, name_early.call1((&app, &transaction, &scope)))?;
    }
    let answer = Answer {
        transaction: transaction.unbind(),
        scope: scope.unbind(),
        send: send.unbind(),
        name_last: name_last.unbind(),
        app: app.unbind(),
        protocol: GilCell::new(protocol),
    };
    Ok(Bound::new(py, answer).ok())
}

fn protocol_of(scope: &Bound<'_, PyAny>) -> Option<Protocol> {
    match text(&entry(scope, intern!(scope.py(), "type"))?)? {
        "http" => Some(Protocol::Http),
        "websocket" => Some(Protocol::WebSocket { accepted: false }),
        _ => None,
    }
}

/// What a function that gives names raises stays here, unless it is something else that comes at this moment.
fn unless_interrupted(py: Python<'_>, named: PyResult<Bound<'_, PyAny>>) -> PyResult<()> {
    named.map(drop).or_else(|error| if error.is_instance_of::<PyException>(py) { Ok(()) } else { Err(error) })
}

fn note_request(transaction: &Transaction, scope: &Bound<'_, PyAny>, protocol: Protocol) {
    let py = scope.py();
    let note = |key: &str, value: &str| transaction.set_attribute(py, key, value);
    if let (Protocol::Http, Some(method)) = (protocol, entry(scope, intern!(py, "method"))) {
        note("method", text(&method).map_or("OTHER", method_name));
    }
    if let Some(path) = entry(scope, intern!(py, "path")) {
        let Ok(path) = path.extract::<Text<'_>>();
        note("path", &path);
    }
}

/// `mapping[key]`, if there is one.
fn entry<'py>(mapping: &Bound<'py, PyAny>, key: &Bound<'py, PyString>) -> Option<Bound<'py, PyAny>> {
    match mapping.cast_exact::<PyDict>() {
        Ok(dict) => dict.get_item(key).ok().flatten(),
        Err(_) => mapping.get_item(key).ok(),
    }
}

fn text<'a>(object: &'a Bound<'_, PyAny>) -> Option<&'a str> {
    object.cast::<PyString>().ok()?.to_str().ok()
}

#[pymethods]
impl Answer {
    #[getter]
    fn transaction(&self, py: Python<'_>) -> Py<Transaction> {
        self.transaction.clone_ref(py)
    }

    fn send<'py>(slf: &Bound<'py, Self>, message: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let this = slf.get();
        // What is not as ASGI says is noted as far as it is: the server will tell the application.
        let is_last = this.note(message).unwrap_or(false);
        let awaited = this.send.bind(py).call1((message,));
        if !is_last {
            return awaited;
        }
        let awaited = match awaited {
            Ok(awaited) => awaited,
            Err(error) => {
                this.end_with(error.value(py))?;
                return Err(error);
            }
        };
        if !state::is_recording() {
            // When exactly it was sent is then worth less than what it costs to know.
            this.end(py)?;
            return Ok(awaited);
        }
        let steps = if coroutine::is_coroutine(&awaited) {
            awaited
        } else {
            match awaited.call_method0(intern!(py, "__await__")) {
                Ok(steps) => steps,
                // Who awaits it will be told.
                Err(_) => return Ok(awaited),
            }
        };
        Ok(Bound::new(py, Steps::last_of(slf.clone().unbind(), steps.unbind()))?.into_any())
    }

    /// Ends it by the exception that ended the application's call.
    pub(crate) fn end_with(&self, error: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = error.py();
        let transaction = self.transaction.get();
        if transaction.ended(py) {
            return Ok(());
        }
        if error.is_instance_of::<PyGeneratorExit>() {
            // Nobody awaits the application any more, since nobody knows when.
            self.abandon(py);
            return Ok(());
        }
        self.note_error(error);
        self.end(py)
    }

    /// Ends it, named for certain.
    pub(crate) fn end(&self, py: Python<'_>) -> PyResult<()> {
        let transaction = self.transaction.bind(py);
        if transaction.get().ended(py) {
            return Ok(());
        }
        let named = if transaction.get().named(py) {
            Ok(())
        } else {
            unless_interrupted(py, self.name_last.bind(py).call1((&self.app, transaction, &self.scope)))
        };
        Transaction::end(transaction);
        named
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.transaction)?;
        visit.call(&self.scope)?;
        visit.call(&self.send)?;
        visit.call(&self.name_last)?;
        visit.call(&self.app)
    }
}

impl Answer {
    /// Ends it as incomplete.
    pub(crate) fn abandon(&self, py: Python<'_>) {
        Transaction::abandon(self.transaction.bind(py));
    }

    /// Notes what a message says; true for the last one of a response, `None` for what is no message.
    fn note(&self, message: &Bound<'_, PyAny>) -> Option<bool> {
        let py = message.py();
        let kind = entry(message, intern!(py, "type"))?;
        match (self.protocol.with(py, |protocol| *protocol)?, text(&kind)?) {
            (Protocol::Http, "http.response.body") => {
                let more = entry(message, intern!(py, "more_body"));
                return Some(!more.is_some_and(|more| more.is_truthy().unwrap_or(false)));
            }
            (Protocol::Http, "http.response.start") | (Protocol::WebSocket { .. }, "websocket.http.response.start") => {
                self.note_status(&entry(message, intern!(py, "status"))?);
            }
            (Protocol::WebSocket { .. }, "websocket.accept") => {
                self.protocol.with(py, |protocol| *protocol = Protocol::WebSocket { accepted: true });
                self.transaction.get().set_status(py, SWITCHING_PROTOCOLS);
            }
            (Protocol::WebSocket { accepted: false }, "websocket.close") => {
                self.transaction.get().set_status(py, FORBIDDEN);
            }
            _ => {}
        }
        Some(false)
    }

    fn note_status(&self, status: &Bound<'_, PyAny>) {
        let py = status.py();
        self.transaction.get().set_status_of(py, status);
        // What a framework answers for where it handles it; it may raise it again, but the answer is the end.
        if status.extract::<i64>().is_ok_and(|status| status >= ERROR_STATUS)
            && let Some(handled) = coroutine::handled_exception(py)
        {
            self.note_error(&handled);
        }
    }

    /// Notes the type of an exception only: a message may hold what nobody should see.
    fn note_error(&self, error: &Bound<'_, PyAny>) {
        let kind = error.get_type();
        if let (Ok(module), Ok(name)) = (kind.module(), kind.qualname()) {
            self.transaction.get().set_error(error.py(), &format!("{module}.{name}"));
        }
    }
}
