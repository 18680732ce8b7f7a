//! State that the GIL protects.

use pyo3::Python;
use std::cell::{Cell, UnsafeCell};

/// A value that only the holder of the GIL may touch, one borrow at a time.
///
/// A mutex would do as well, but application threads would then wait for agent threads, and a mutex held by another
/// thread stays locked for ever in a forked child. The forking thread holds the GIL, so this is always whole.
pub(crate) struct GilCell<T> {
    value: UnsafeCell<T>,
    borrowed: Cell<bool>,
}

// SAFETY: every access goes through `with`, which demands proof that the GIL is held, so there is one thread at a time;
// `T: Send` because that thread changes. (The module declares that it needs the GIL, so free-threaded builds turn it
// on when they import it.)
unsafe impl<T: Send> Sync for GilCell<T> {}

impl<T> GilCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { value: UnsafeCell::new(value), borrowed: Cell::new(false) }
    }

    /// The value, for its only owner.
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// Runs `body` on the value; `None` when the caller is already inside (a finaliser that ran in the middle): xray
    /// then does nothing rather than something wrong.
    pub(crate) fn with<R>(&self, _py: Python<'_>, body: impl FnOnce(&mut T) -> R) -> Option<R> {
        struct Release<'a>(&'a Cell<bool>);
        impl Drop for Release<'_> {
            fn drop(&mut self) {
                self.0.set(false);
            }
        }
        if self.borrowed.replace(true) {
            return None;
        }
        let _release = Release(&self.borrowed);
        // SAFETY: the GIL is held (`_py`), so no other thread is here, and `borrowed` excludes this one.
        Some(body(unsafe { &mut *self.value.get() }))
    }
}

/// A value of cells that only the holder of the GIL may touch: for the hot path, without a check.
pub(crate) struct GilHeld<T>(T);

// SAFETY: `get` demands proof that the GIL is held, so there is one thread at a time.
unsafe impl<T> Sync for GilHeld<T> {}

impl<T> GilHeld<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, as long as the GIL is held.
    #[inline(always)]
    pub(crate) fn get<'py>(&'py self, _py: Python<'py>) -> &'py T {
        &self.0
    }
}
