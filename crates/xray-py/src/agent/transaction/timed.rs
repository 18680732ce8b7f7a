//! Requests that are only timed: while nothing records, all that is wanted of a request is its name and how long it took.
//!
//! One that is answered within one call of one function, as by WSGI, then needs no object and no place in its context:
//! these cost several times as much as the clock and the name. The transaction is made when somebody asks for it, for
//! example to give it a name. Who asks is found by the thread, so where a thread answers several requests at a time, or
//! other threads answer parts of them, contexts are needed from the beginning: see [`contexts_are_needed`].

use super::{Began, ThereAre, Transaction, current, make};
use crate::agent::lifecycle;
use crate::agent::state::{self, STATE};
use crate::cpython::function_wrapper::{Around, When};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use xray_core::model::TransactionKind;

/// A timed request that its thread answers.
struct Request {
    began_ns: u64,
    /// Once somebody has asked for it.
    transaction: Option<Py<Transaction>>,
}

thread_local! {
    /// It is taken out when the call returns, so a thread that ends has none, and nothing has to be dropped then.
    static OF_THREAD: Cell<Option<ManuallyDrop<Request>>> = const { Cell::new(None) };
}

/// Timed requests in flight, of all threads. Changed with the GIL held.
static IN_FLIGHT: AtomicUsize = AtomicUsize::new(0);
static CONTEXTS_ARE_NEEDED: AtomicBool = AtomicBool::new(false);

/// From now on each request has a transaction in its context: the thread does not tell requests from one another.
pub(crate) fn contexts_are_needed() {
    CONTEXTS_ARE_NEEDED.store(true, Ordering::Relaxed);
}

/// What `look` finds, for who asks from outside of xray's own parts.
pub(crate) fn asked<'py>(
    py: Python<'py>,
    look: fn(Python<'py>) -> Option<Bound<'py, Transaction>>,
) -> Option<Bound<'py, Transaction>> {
    find(py);
    let found = look(py);
    if found.is_none() && IN_FLIGHT.load(Ordering::Relaxed) != 0 {
        // It may be a part of a request that another thread answers, which cannot be found now; the next can.
        contexts_are_needed();
    }
    found
}

/// Makes the transaction of the request that this thread answers, if it is one that is only timed.
pub(crate) fn find(py: Python<'_>) {
    if IN_FLIGHT.load(Ordering::Relaxed) == 0 {
        return;
    }
    // Taken out meanwhile: what making it calls may ask, too.
    let Some(mut request) = OF_THREAD.take() else { return };
    if let Some(transaction) = &request.transaction {
        if current(py).is_none() {
            // It was made in a context inside this one. Fails only without memory.
            let _ = Transaction::enter(transaction.bind(py));
        }
    } else {
        request.transaction = transaction_of(py, request.began_ns).ok().map(Bound::unbind);
    }
    OF_THREAD.set(Some(request));
}

/// The transaction of a request that began when nothing recorded, in the running context.
fn transaction_of(py: Python<'_>, began_ns: u64) -> PyResult<Bound<'_, Transaction>> {
    let began = Began { generation: state::NO_RECORDING, ns: began_ns, ticks: 0, unix_ns: 0 };
    make(py, TransactionKind::Web, Some(0), false, None, began)
}

/// What is done around calls that answer requests. The functions of such a wrapper are
/// `begin(*arguments)`, the transaction of a request for which timing is not enough; `name(result)`, the number of the name
/// of a request that was only timed, if that is all there is to say; and `settle(transaction, result, error, *arguments)`
/// for all others.
pub(crate) struct Requests;

/// A request that is answered.
pub(crate) enum Answering {
    /// By a timed one of the thread.
    Timed,
    /// By what `begin` gave.
    Begun(Py<PyAny>),
}

impl Around for Requests {
    type Open = Answering;

    #[inline]
    fn before<'py>(functions: &Bound<'py, PyTuple>, arguments: &[Borrowed<'_, 'py, PyAny>]) -> PyResult<Answering> {
        let py = functions.py();
        if begin(py) {
            return Ok(Answering::Timed);
        }
        let arguments = PyTuple::new(py, arguments)?;
        Ok(Answering::Begun(functions.get_item(0)?.call1(arguments)?.unbind()))
    }

    fn after<'py>(
        open: Answering,
        functions: &Bound<'py, PyTuple>,
        arguments: &[Borrowed<'_, 'py, PyAny>],
        result: Result<&Bound<'py, PyAny>, &PyErr>,
    ) -> PyResult<()> {
        let py = functions.py();
        let transaction = match open {
            Answering::Begun(transaction) => transaction.into_bound(py),
            Answering::Timed => {
                let Some(request) = end() else { return Ok(()) };
                if let (None, Ok(result)) = (&request.transaction, result) {
                    match functions.get_borrowed_item(1)?.call1((result,)).and_then(|name| name.extract::<u32>()) {
                        Ok(name) => {
                            record(py, name, request.began_ns);
                            return Ok(());
                        }
                        // A name that is new, or a result that is not as most are.
                        Err(error) if error.is_instance_of::<PyException>(py) => {}
                        Err(error) => return Err(error),
                    }
                }
                match request.transaction {
                    Some(transaction) => transaction.into_bound(py).into_any(),
                    None => transaction_of(py, request.began_ns)?.into_any(),
                }
            }
        };
        let none = || py.None().into_bound(py);
        let mut given = vec![transaction];
        given.push(result.map_or_else(|_| none(), Clone::clone));
        given.push(result.map_or_else(|error| error.value(py).clone().into_any(), |_| none()));
        given.extend(arguments.iter().map(|argument| (**argument).clone()));
        functions.get_item(2)?.call1(PyTuple::new(py, given)?).map(drop)
    }
}

/// Begins to time a request of this thread; false where that is not enough.
#[inline]
fn begin(py: Python<'_>) -> bool {
    if state::is_recording()
        || CONTEXTS_ARE_NEEDED.load(Ordering::Relaxed)
        || !lifecycle::ensure_started(py)
        || (ThereAre::now(py) && current(py).is_some())
    {
        return false;
    }
    let inside = OF_THREAD.take();
    if inside.is_some() {
        OF_THREAD.set(inside);
        return false;
    }
    IN_FLIGHT.fetch_add(1, Ordering::Relaxed);
    OF_THREAD.set(Some(ManuallyDrop::new(Request { began_ns: state::now_ns(), transaction: None })));
    true
}

/// The timed request of this thread, which has been answered.
fn end() -> Option<Request> {
    let request = OF_THREAD.take().map(ManuallyDrop::into_inner);
    if request.is_some() {
        IN_FLIGHT.fetch_sub(1, Ordering::Relaxed);
    }
    request
}

/// Counts a request that has been answered.
fn record(py: Python<'_>, name: u32, began_ns: u64) {
    let now_ns = state::now_ns();
    STATE.with(py, |state| {
        if let Some(name) = state.names.numbered(name) {
            state.names.record(name, now_ns, now_ns.saturating_sub(began_ns));
        }
    });
}
