//! Which reference in a context means which transaction: what the sampler asks for each stack, without the GIL and
//! without a lock.
//!
//! Written with the GIL held, so by one thread at a time; read by the sampler's thread at any time. A slot counts its
//! changes, and a reader that finds the count moved looks again.

use crate::cpython::frames::Label;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering, fence};
use xray_core::model::{ThreadKind, TraceId};

/// Transactions that can be labelled at a time; more are none, as far as samples know.
const SLOTS: usize = 4096;
/// Slots looked at for one transaction.
const PROBES: usize = 64;
/// Key of a slot that was used and is free again: a search goes on behind it.
const FREED: u64 = 1;
/// Tries to read a slot while it is being changed.
const TRIES: usize = 1000;

const NO_TRACE: u8 = 0x80;

struct Slot {
    key: AtomicU64,
    /// Odd while it is being changed.
    changes: AtomicU32,
    /// The kind, and whether there is a trace.
    kind: AtomicU8,
    trace: AtomicU64,
}

static SLOT: [Slot; SLOTS] = [const {
    Slot { key: AtomicU64::new(0), changes: AtomicU32::new(0), kind: AtomicU8::new(0), trace: AtomicU64::new(0) }
}; SLOTS];

/// The label of the transaction that is referred to from this address. Needs no GIL.
pub(crate) fn of_reference(reference: usize) -> Label {
    let known = (reference != 0).then(|| find(reference as u64)).flatten();
    known.and_then(|slot| read(slot, reference as u64)).unwrap_or(Label::NONE)
}

/// Labels by reference, as they are written. There are none while no session records. Whoever sets one keeps the
/// reference alive until it is removed, so that nothing else can be at its address.
pub(crate) struct Labels(());

impl Labels {
    pub(crate) const fn new() -> Self {
        Self(())
    }

    /// Labels a transaction.
    pub(crate) fn set(&mut self, reference: usize, label: Label) {
        let reference = reference as u64;
        let free = || probes(reference).find(|slot| slot.key.load(Ordering::Relaxed) <= FREED);
        if let Some(slot) = find(reference).or_else(free) {
            slot.change(reference, label);
        }
    }

    /// The transaction is over.
    pub(crate) fn remove(&mut self, reference: usize) {
        if let Some(slot) = find(reference as u64) {
            slot.free(FREED);
        }
    }

    /// Forgets all: the session is over.
    pub(crate) fn clear(&mut self) {
        for slot in SLOT.iter().filter(|slot| slot.key.load(Ordering::Relaxed) != 0) {
            slot.free(0);
        }
    }
}

impl Slot {
    fn change(&self, reference: u64, label: Label) {
        let changes = self.changes.load(Ordering::Relaxed);
        self.changes.store(changes.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        self.kind.store(label.kind as u8 | if label.trace.is_none() { NO_TRACE } else { 0 }, Ordering::Relaxed);
        self.trace.store(label.trace.map_or(0, |trace| trace.0), Ordering::Relaxed);
        self.key.store(reference, Ordering::Relaxed);
        self.changes.store(changes.wrapping_add(2), Ordering::Release);
    }

    fn free(&self, key: u64) {
        let changes = self.changes.load(Ordering::Relaxed);
        self.changes.store(changes.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        self.key.store(key, Ordering::Relaxed);
        self.changes.store(changes.wrapping_add(2), Ordering::Release);
    }
}

fn probes(reference: u64) -> impl Iterator<Item = &'static Slot> {
    let first = xray_core::id::mix(reference) as usize;
    (first..first.wrapping_add(PROBES)).map(|at| &SLOT[at % SLOTS])
}

fn find(reference: u64) -> Option<&'static Slot> {
    probes(reference)
        .take_while(|slot| slot.key.load(Ordering::Acquire) != 0)
        .find(|slot| slot.key.load(Ordering::Acquire) == reference)
}

/// What a slot says, if it stands still long enough to be read and is still this reference's.
fn read(slot: &Slot, reference: u64) -> Option<Label> {
    for _ in 0..TRIES {
        let changes = slot.changes.load(Ordering::Acquire);
        let key = slot.key.load(Ordering::Relaxed);
        let (kind, trace) = (slot.kind.load(Ordering::Relaxed), slot.trace.load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        if changes.is_multiple_of(2) && slot.changes.load(Ordering::Relaxed) == changes {
            let label = Label {
                kind: match kind & !NO_TRACE {
                    0 => ThreadKind::Target,
                    1 => ThreadKind::Web,
                    2 => ThreadKind::Background,
                    _ => ThreadKind::Other,
                },
                trace: (kind & NO_TRACE == 0).then_some(TraceId(trace)),
            };
            return (key == reference).then_some(label);
        }
        std::hint::spin_loop();
    }
    None
}
