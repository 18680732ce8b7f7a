//! Which transaction the running context is in.

use super::{Part, Transaction, thread_ident};
use crate::agent::state;
use crate::cpython::context;
use crate::cpython::reference::Reference;
use crate::cpython::slot::Strand;
use pyo3::prelude::*;

/// The open transaction of the current context.
pub(crate) fn current(py: Python<'_>) -> Option<Bound<'_, Transaction>> {
    let transaction = of_context(py)?;
    let open = transaction.get().open.with(py, |open| !open.ended)?;
    open.then_some(transaction)
}

/// The transaction of the request whose answering call the running context is in.
pub(crate) fn current_request(py: Python<'_>) -> Option<Bound<'_, Transaction>> {
    let mut next = of_context(py);
    while let Some(transaction) = next {
        if transaction.get().open.with(py, |open| open.answering && !open.ended)? {
            return Some(transaction);
        }
        next = transaction.get().around(py);
    }
    None
}

/// The same, if it is the request that `of` was given for when it began.
pub(crate) fn answering_request(py: Python<'_>, of: usize) -> Option<Bound<'_, Transaction>> {
    current_request(py).filter(|transaction| transaction.get().request == Some(of))
}

/// What the current context refers to, open or not.
pub(super) fn of_context(py: Python<'_>) -> Option<Bound<'_, Transaction>> {
    context::get(py)?.cast_into::<Reference>().ok()?.get().object(py)
}

/// Makes the transaction that is referred to the running context's.
pub(super) fn enter_context(reference: &Bound<'_, Reference>) -> PyResult<()> {
    context::set(reference.py(), reference.as_any())
}

/// The strand that the running context records into, or null: the nearest traced transaction of the context, and of
/// its strands the running thread's.
pub(crate) fn strand_of_running_context(py: Python<'_>) -> *mut Strand {
    let generation = state::generation();
    let mut next = current(py);
    while let Some(transaction) = next {
        let found = transaction.get().open.with(py, |open| match &mut open.part {
            Part::Trace(trace) if !open.ended && open.began.generation == generation => {
                Some(trace.strand(py, thread_ident()))
            }
            _ => None,
        });
        match found {
            Some(Some(strand)) => return strand,
            Some(None) => next = transaction.get().around(py),
            None => break,
        }
    }
    std::ptr::null_mut()
}

/// Whether the running context is inside a matching transaction of the session.
pub(crate) fn is_in_target(py: Python<'_>) -> bool {
    let generation = state::generation();
    let mut next = current(py);
    while let Some(transaction) = next {
        let is_target = transaction.get().open.with(py, |open| {
            open.began.generation == generation && matches!(open.part, Part::Trace(_) | Part::Control)
        });
        match is_target {
            Some(false) => next = transaction.get().around(py),
            _ => return is_target.is_some(),
        }
    }
    false
}
