//! Which thread is in which transaction: what the sampler asks for each stack.

use crate::cpython::frames::Label;
use std::collections::HashMap;
use xray_core::model::ThreadKind;

/// Labels by thread (`threading.get_ident()`). Empty while no session records.
pub(crate) struct Labels(Option<HashMap<u64, Label>>);

impl Labels {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// Labels a thread; returns what it was before, for [`Self::restore`].
    pub(crate) fn set(&mut self, thread: u64, label: Label) -> Option<Label> {
        self.0.get_or_insert_default().insert(thread, label)
    }

    /// Puts back what [`Self::set`] returned.
    pub(crate) fn restore(&mut self, thread: u64, before: Option<Label>) {
        if let Some(labels) = &mut self.0 {
            match before {
                Some(label) => labels.insert(thread, label),
                None => labels.remove(&thread),
            };
        }
    }

    /// The label of a thread: in no transaction when there is none.
    pub(crate) fn get(&self, thread: u64) -> Label {
        let found = self.0.as_ref().and_then(|labels| labels.get(&thread).copied());
        found.unwrap_or(Label { kind: ThreadKind::Other, trace: None })
    }

    /// Forgets all: the session is over.
    pub(crate) fn clear(&mut self) {
        self.0 = None;
    }
}
