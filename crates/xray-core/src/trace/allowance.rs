//! The memory of one trace: what its recorders may take together, however many threads and tasks it has.

use crate::limits::TRACE_BYTES;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Memory that the recorders of one trace have left. Clones share it.
#[derive(Clone, Debug)]
pub struct Allowance {
    left: Arc<AtomicUsize>,
}

impl Default for Allowance {
    fn default() -> Self {
        Self::of(TRACE_BYTES)
    }
}

impl Allowance {
    /// So many bytes.
    pub fn of(bytes: usize) -> Self {
        Self { left: Arc::new(AtomicUsize::new(bytes)) }
    }

    /// Bytes left.
    pub fn left(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }

    /// Takes so many bytes if at least `keep` are left after that.
    pub(super) fn take(&self, bytes: usize, keep: usize) -> bool {
        // One trace's recorders are filled under the GIL: nobody takes between the two steps.
        let Some(left) = self.left().checked_sub(bytes).filter(|left| *left >= keep) else { return false };
        self.left.store(left, Ordering::Relaxed);
        true
    }

    /// Takes so many bytes, or what there is: the little without which nothing can be recorded.
    pub(super) fn take_anyway(&self, bytes: usize) {
        self.left.store(self.left().saturating_sub(bytes), Ordering::Relaxed);
    }

    /// How many items more there may be: as many as there are now, else as many as are left, at least one. Takes their
    /// memory.
    pub(super) fn grow(&self, now: usize, most: usize, bytes_each: usize, keep: usize) -> Option<usize> {
        let wanted = now.max(1).min(most.saturating_sub(now));
        let affordable = self.left().saturating_sub(keep) / bytes_each.max(1);
        let more = wanted.min(affordable);
        (more > 0 && self.take(more * bytes_each, keep)).then_some(more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_doubles_until_the_memory_is_gone() {
        let memory = Allowance::of(1_000);
        assert_eq!(memory.grow(10, 1_000, 10, 200), Some(10));
        assert_eq!(memory.clone().grow(20, 1_000, 10, 200), Some(20));
        assert_eq!(memory.grow(40, 1_000, 10, 200), Some(40));
        assert_eq!((memory.left(), memory.grow(80, 1_000, 10, 200)), (300, Some(10)));
        assert_eq!((memory.left(), memory.grow(90, 1_000, 10, 200)), (200, None));
        assert_eq!((memory.grow(7, 8, 10, 0), memory.grow(8, 8, 10, 0)), (Some(1), None));
        memory.take_anyway(500);
        assert_eq!((memory.left(), memory.take(1, 0)), (0, false));
    }
}
